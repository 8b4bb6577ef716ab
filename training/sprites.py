"""Sprites: the colour bitmaps of Noto Color Emoji as stickers with a white border, scaled to a square.

The font stores PNGs of 136x128 pixels in its CBDT table (OpenType specification, "CBDT").

The border is what makes the world quick to learn. Where a sprite without one ends, an image token shows a part of it on a part of the
background: another code for each of eleven backgrounds. A model that had learned such a world lost 92 % of its image loss on these tokens (33.5 of
36.5 nats a picture), and next to none inside of the sprites. With a border about a token wide, a token shows the sprite and
white, or white and the background: the former is the same on every background, the latter the same few curves for all kinds.
"""

import io
import os
from functools import lru_cache
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTFont
from PIL import Image

from .kinds import KINDS

FONT = Path(os.environ.get("NOTO_COLOR_EMOJI", "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"))
BORDER = 1 / 7  # of the square's side
SMOOTHING = 0.6  # hollows narrower than about twice this share of the border are filled
WHITE = 252 / 255  # as the white background's


@lru_cache(maxsize=None)
def _bitmaps() -> list[Image.Image]:
    font = TTFont(FONT)
    glyphs, strike = font.getBestCmap(), font["CBDT"].strikeData[0]
    images = []
    for kind in KINDS:
        image = Image.open(io.BytesIO(strike[glyphs[ord(kind.character)]].imageData)).convert("RGBA")
        images.append(image.crop(image.getchannel("A").point(lambda a: 255 * (a > 16)).getbbox()))
    return images


def _distance(inside: np.ndarray) -> np.ndarray:
    """Distance in pixels of each point of a plane [h, w] to the nearest one `inside`; 0 there."""
    neighbours = np.pad(inside, 1, mode="edge")
    core = neighbours[:-2, 1:-1] & neighbours[2:, 1:-1] & neighbours[1:-1, :-2] & neighbours[1:-1, 2:]
    edge, outside = np.argwhere(inside & ~core).astype(np.float32), np.argwhere(~inside).astype(np.float32)
    square = (outside**2).sum(1)[:, None] + (edge**2).sum(1) - 2 * outside @ edge.T
    distance = np.zeros(inside.shape, dtype=np.float32)
    distance[~inside] = np.sqrt(square.min(1).clip(min=0))
    return distance


@lru_cache(maxsize=None)
def _sticker(kind: int) -> Image.Image:
    """Emoji and border in the font's resolution, a square RGBa (premultiplied)."""
    source = np.asarray(_bitmaps()[kind]).astype(np.float32) / 255
    longer = max(source.shape[:2])
    border = longer * BORDER / (1 - 2 * BORDER)
    smoothing = border * SMOOTHING
    margin = int(border + smoothing) + 2
    side = longer + 2 * margin
    emoji = np.zeros((side, side, 4), dtype=np.float32)
    top, left = (side - source.shape[0]) // 2, (side - source.shape[1]) // 2
    emoji[top : top + source.shape[0], left : left + source.shape[1]] = source
    colour, alpha = emoji[..., :3] * emoji[..., 3:], emoji[..., 3:]
    # Closing: out by more than the border, then back, which rounds hollows off.
    grown = _distance(alpha[..., 0] > 0.5) <= border + smoothing
    ground = (_distance(~grown) - smoothing + 0.5).clip(0, 1)[..., None]
    ground = np.maximum(ground, alpha)
    whole = np.concatenate([colour + (1 - alpha) * ground * WHITE, ground], 2)
    cut = margin - int(round(border))
    return Image.fromarray((whole[cut : side - cut, cut : side - cut] * 255 + 0.5).astype("uint8"), "RGBa")


@lru_cache(maxsize=None)
def sprite(kind: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Kind in a size x size square: premultiplied colour [size, size, 3] and alpha [size, size, 1], 0..1."""
    scaled = np.asarray(_sticker(kind).resize((size, size), Image.Resampling.LANCZOS), dtype=np.float32) / 255
    return scaled[..., :3], scaled[..., 3:]
