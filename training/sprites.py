"""Sprites: the colour bitmaps of Noto Color Emoji, cropped and scaled to a square.

The font stores PNGs of 136x128 pixels in its CBDT table (OpenType specification, "CBDT").
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


@lru_cache(maxsize=None)
def _bitmaps() -> list[Image.Image]:
    font = TTFont(FONT)
    glyphs, strike = font.getBestCmap(), font["CBDT"].strikeData[0]
    images = []
    for kind in KINDS:
        image = Image.open(io.BytesIO(strike[glyphs[ord(kind.character)]].imageData)).convert("RGBA")
        images.append(image.crop(image.getchannel("A").point(lambda a: 255 * (a > 16)).getbbox()))
    return images


@lru_cache(maxsize=None)
def sprite(kind: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Kind scaled to fit a size x size square, centred: premultiplied colour [size, size, 3] and alpha [size, size, 1], 0..1."""
    source = _bitmaps()[kind]
    scale = size / max(source.size)
    width, height = (max(1, round(side * scale)) for side in source.size)
    premultiplied = Image.fromarray(_premultiply(np.asarray(source)), "RGBa")
    scaled = np.asarray(premultiplied.resize((width, height), Image.Resampling.LANCZOS), dtype=np.float32) / 255
    square = np.zeros((size, size, 4), dtype=np.float32)
    top, left = (size - height) // 2, (size - width) // 2
    square[top : top + height, left : left + width] = scaled
    return square[..., :3], square[..., 3:]


def _premultiply(rgba: np.ndarray) -> np.ndarray:
    """RGBA [h, w, 4] uint8 with colour multiplied by alpha, so that resizing does not bleed hidden colours."""
    out = rgba.copy()
    out[..., :3] = (rgba[..., :3].astype(np.uint16) * rgba[..., 3:] + 127) // 255
    return out
