"""Writes sprites.png, letters.png and world.json, with which other programs compose and judge scenes: python -m training.atlas [DIR]"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from .captions import BACKGROUND_WORDS, COUNT_WORDS, PLACE_WORDS, SIZE_WORDS, TIME_WORDS
from .kinds import KINDS
from .lettering import CELL, FONTS, INK, LETTERS, letter
from .matcher import THRESHOLD, TOLERANCE
from .scenes import (
    BACKGROUNDS, COUNTS, HORIZON, MEADOW, PLACES, PLATE, PLATES, RELATIONS, SIDE, SIZES, TIMES, TOKEN, centre, centres, side_of,
)  # fmt: skip
from .sprites import WHITE, sprite

COLUMNS = 12
LARGEST = max(SIZES.values())


def sprites() -> Image.Image:
    """All sprites at the largest size, RGBA with straight alpha, row by row."""
    count = -(-len(KINDS) // COLUMNS)
    atlas = np.zeros((count * LARGEST, COLUMNS * LARGEST, 4), dtype=np.float32)
    for i in range(len(KINDS)):
        colour, alpha = sprite(i, LARGEST)
        y, x = i // COLUMNS * LARGEST, i % COLUMNS * LARGEST
        straight = colour / np.maximum(alpha, 1 / 255)
        atlas[y : y + LARGEST, x : x + LARGEST] = np.concatenate([straight, alpha], 2)
    return Image.fromarray((atlas.clip(0, 1) * 255 + 0.5).astype("uint8"), "RGBA")


def letters() -> Image.Image:
    """The ink of all letters (0 none, 255 full), a font a row."""
    rows = [np.concatenate([letter(character, font) for character in LETTERS], 1) for font in range(len(FONTS))]
    return Image.fromarray((np.concatenate(rows) * 255 + 0.5).astype("uint8"))


def layout(size: str, place: str) -> dict:
    """Where the sprites of a layout lie: their side and centres."""
    side = side_of(size)
    middles = [centre(place, side)] if size in SIZES else centres(place)
    return {"pixels": side, "centers": middles}


def description() -> dict:
    places = {
        **{size: list(PLACES) for size in SIZES},
        "pair": RELATIONS, "count": COUNTS, "row": ["between"], "text": list(PLATES),
    }  # fmt: skip
    plain = {
        name: {"sky": rgb, "ground": rgb, "words": f"на {BACKGROUND_WORDS[name]} фоне"} for name, rgb in BACKGROUNDS.items()
    }
    times = {
        name: {"sky": BACKGROUNDS[sky], "ground": BACKGROUNDS[MEADOW], "words": TIME_WORDS[name]} for name, sky in TIMES.items()
    }
    return {
        "side": SIDE,
        "tolerance": TOLERANCE,
        "threshold": THRESHOLD,
        "border": round(255 * WHITE),
        "kinds": [
            {
                "id": kind.id,
                "character": kind.character,
                "names": [asdict(name) | {"countable": name.countable} for name in kind.names],
                "rect": [i % COLUMNS * LARGEST, i // COLUMNS * LARGEST, LARGEST, LARGEST],
            }
            for i, kind in enumerate(KINDS)
        ],
        "layouts": {size: {place: layout(size, place) for place in known} for size, known in places.items()},
        "sizeWords": SIZE_WORDS,
        "placeWords": PLACE_WORDS,
        "countWords": COUNT_WORDS,
        "backgrounds": plain | times,
        "horizon": HORIZON,
        "letters": {"characters": LETTERS, "cell": CELL, "ink": INK, "plate": PLATE, "margin": TOKEN, "tops": PLATES},
    }


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    sprites().save(folder / "sprites.png", optimize=True)
    letters().save(folder / "letters.png", optimize=True)
    text = json.dumps(description(), ensure_ascii=False, indent=1)
    (folder / "world.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("out"))
