"""Writes sprites.png and sprites.json, with which other programs compose and judge scenes: python -m training.atlas [DIR]"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from .captions import BACKGROUND_WORDS, PLACE_WORDS, SIZE_WORDS
from .kinds import KINDS
from .matcher import THRESHOLD, TOLERANCE
from .scenes import BACKGROUNDS, PAIR_SIZES, PLACES, RELATIONS, SIDE, SIZES, TOKEN, centre, pair_centres
from .sprites import sprite

COLUMNS = 12
LARGEST = max(SIZES.values())


def picture() -> Image.Image:
    """All sprites at the largest size, RGBA with straight alpha, row by row."""
    count = -(-len(KINDS) // COLUMNS)
    atlas = np.zeros((count * LARGEST, COLUMNS * LARGEST, 4), dtype=np.float32)
    for i in range(len(KINDS)):
        colour, alpha = sprite(i, LARGEST)
        y, x = i // COLUMNS * LARGEST, i % COLUMNS * LARGEST
        straight = colour / np.maximum(alpha, 1 / 255)
        atlas[y : y + LARGEST, x : x + LARGEST] = np.concatenate([straight, alpha], 2)
    return Image.fromarray((atlas.clip(0, 1) * 255 + 0.5).astype("uint8"), "RGBA")


def jitter(size: int) -> int:
    """The largest distance from the nominal place, along each axis, of sprites on the token grid."""
    return 0 if size == LARGEST else TOKEN


def description() -> dict:
    return {
        "side": SIDE,
        "tolerance": TOLERANCE,
        "threshold": THRESHOLD,
        "kinds": [
            {
                "id": kind.id,
                "character": kind.character,
                "names": [asdict(name) for name in kind.names],
                "rect": [i % COLUMNS * LARGEST, i // COLUMNS * LARGEST, LARGEST, LARGEST],
            }
            for i, kind in enumerate(KINDS)
        ],
        "sizes": {
            size: {
                "pixels": pixels,
                "jitter": jitter(pixels),
                "words": SIZE_WORDS.get(size),
                "centers": {p: centre(p, pixels) for p in PLACES},
            }
            for size, pixels in SIZES.items()
        },
        "pairs": [
            {
                "pixels": pixels,
                "jitter": jitter(pixels),
                "centers": {relation: pair_centres(relation, pixels) for relation in RELATIONS},
            }
            for pixels in PAIR_SIZES
        ],
        "places": PLACE_WORDS,
        "backgrounds": {name: {"rgb": rgb, "word": BACKGROUND_WORDS[name]} for name, rgb in BACKGROUNDS.items()},
    }


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    picture().save(folder / "sprites.png", optimize=True)
    text = json.dumps(description(), ensure_ascii=False, indent=1)
    (folder / "sprites.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("out"))
