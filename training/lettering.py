"""Letters for pictures: monospaced, black, each in a cell of its own on the token grid.

On the grid, a letter of a font always makes the same few tokens.
"""

import os
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

CELL = (16, 32)  # width, height of a letter's cell, pixels: 2 x 4 tokens
INK = 0.93  # how much of the plate's light full ink takes
LETTERS = "абвгдеёжзийклмнопрстуфхцчшщъыьэюя0123456789"
# Debian: fonts-dejavu-core, fonts-paratype, fonts-liberation. All may be redistributed; only their letters' pictures are used.
FONTS = (
    "dejavu/DejaVuSansMono-Bold.ttf",
    "paratype/PTM75F.ttf",
    "liberation/LiberationMono-Bold.ttf",
)
_SIZE, _BASELINE, _SCALE = 26, 23, 4
_FOLDER = Path(os.environ.get("LETTER_FONTS", "/usr/share/fonts/truetype"))


@lru_cache(maxsize=None)
def _font(font: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_FOLDER / FONTS[font], _SIZE * _SCALE)


@lru_cache(maxsize=None)
def letter(character: str, font: int) -> np.ndarray:
    """How much ink each pixel of the cell holds [32, 16], 0..1."""
    width, height = CELL
    image = Image.new("L", (width * _SCALE, height * _SCALE))
    position = (width * _SCALE / 2, _BASELINE * _SCALE)
    ImageDraw.Draw(image).text(position, character, fill=255, font=_font(font), anchor="ms")
    return np.asarray(image.resize(CELL, Image.Resampling.BOX), dtype=np.float32) / 255


@lru_cache(maxsize=4096)
def line(text: str, font: int) -> np.ndarray:
    """[32, 16 * letters], 0..1"""
    return np.concatenate([letter(character, font) for character in text], 1)
