"""Scenes of the world, 128x128 pixels, and which of them are held out.

Layouts: one sprite (two sizes, nine places); two, side by side or one above the other; two to four of a kind; three in a
row; a word or a number on a white plate, alone or under a sprite. Backgrounds: plain, or a sky over a meadow.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from .kinds import KINDS
from .lettering import CELL, INK, line
from .split import tenth
from .sprites import sprite
from .words import random_text

SIDE = 128
TOKEN = 8  # pixels a side of an image token

# Single scenes: size name -> side of the sprite's square in pixels.
SIZES = {"small": 48, "large": 80}
MANY = SIZES["small"]  # of each of several, and of one over a plate
# How far from the picture's centre a place lies. Whole tokens, so that a sprite of one size always meets the token grid
# in the same way: the transformer then has one set of codes to learn for it, not 64. Only free scenes, which are described
# but not drawn, lie off the grid.
OFFSETS = {48: 32, 80: 24}
ROW_OFFSET = 40
JITTER = TOKEN // 2  # of free scenes, pixels along x and y

# Place -> direction of the offset from the centre.
PLACES = {
    "center": (0, 0),
    "left": (-1, 0),
    "right": (1, 0),
    "top": (0, -1),
    "bottom": (0, 1),
    "top-left": (-1, -1),
    "top-right": (1, -1),
    "bottom-left": (-1, 1),
    "bottom-right": (1, 1),
}
RELATIONS = ("left-of", "above")  # of the first sprite to the second; the reverse is only another caption
COUNTS = ("two", "three", "four")
# Text: top edge of the plate where it stands alone, and under a sprite.
PLATES = {"alone": 48, "under": 88}

BACKGROUNDS = {
    "white": (252, 252, 252),
    "green": (110, 190, 100),
    "blue": (50, 90, 200),
    "red": (215, 60, 55),
    "yellow": (250, 225, 90),
    "black": (18, 18, 20),
    "light-blue": (150, 210, 245),
    "pink": (250, 175, 200),
    "gray": (150, 150, 155),
    "orange": (245, 150, 50),
    "purple": (135, 80, 180),
}
# Time of day -> the sky, a plain background's colour. The meadow begins at HORIZON.
TIMES = {"morning": "pink", "day": "light-blue", "evening": "orange", "night": "black"}
MEADOW, HORIZON = "green", 88
GROUNDS = (*BACKGROUNDS, *TIMES)
SHADE_JITTER = 2  # of free scenes: each channel of the background moves by at most this much
PLATE = (252, 252, 252)


@dataclass(frozen=True)
class Sprite:
    kind: int  # index into KINDS
    size: int  # side of its square, pixels
    x: int  # left edge
    y: int  # top edge


@dataclass(frozen=True)
class Scene:
    sprites: tuple[Sprite, ...]  # from left to right, from top to bottom
    background: str  # one of GROUNDS
    shade: tuple[int, int, int]  # of the background, or of the sky
    size: str  # single: key of SIZES; "pair", "count", "row" or "text"
    place: str  # single: key of PLACES; pair: one of RELATIONS; count: one of COUNTS; row: "between"; text: key of PLATES
    text: str = ""
    font: int = 0


def single_is_held_out(kind: int, place: str, background: str) -> bool:
    return tenth("single-v1", KINDS[kind].id, place, background)


def pair_is_held_out(first: int, second: int) -> bool:
    """First is the left or the upper one. Holds for all relations, sizes and backgrounds."""
    return tenth("pair-v1", KINDS[first].id, KINDS[second].id)


def count_is_held_out(kind: int, count: str) -> bool:
    return tenth("count-v1", KINDS[kind].id, count)


def row_is_held_out(kinds: Iterable[int]) -> bool:
    return tenth("row-v1", *(KINDS[kind].id for kind in kinds))


def centre(place: str, size: int) -> tuple[int, int]:
    """Nominal centre of a single sprite, pixels."""
    dx, dy = PLACES[place]
    return SIDE // 2 + dx * OFFSETS[size], SIDE // 2 + dy * OFFSETS[size]


def centres(place: str) -> list[tuple[int, int]]:
    """Nominal centres of the sprites of every other layout."""
    m, d = SIDE // 2, OFFSETS[MANY]
    return {
        "left-of": [(m - d, m), (m + d, m)],
        "above": [(m, m - d), (m, m + d)],
        "two": [(m - d, m), (m + d, m)],
        "three": [(m - ROW_OFFSET, m), (m, m), (m + ROW_OFFSET, m)],
        "four": [(m - d, m - d), (m + d, m - d), (m - d, m + d), (m + d, m + d)],
        "between": [(m - ROW_OFFSET, m), (m, m), (m + ROW_OFFSET, m)],
        "alone": [],
        "under": [centre("top", MANY)],
    }[place]


def side_of(size: str) -> int:
    """The sprites' size in pixels."""
    return SIZES.get(size, MANY)


def _shade(rng: random.Random, background: str, free: bool) -> tuple[int, int, int]:
    jitter = SHADE_JITTER if free else 0
    return tuple(
        min(255, max(0, channel + rng.randint(-jitter, jitter))) for channel in BACKGROUNDS[TIMES.get(background, background)]
    )


def _scene(rng: random.Random, kinds: Iterable[int], size: str, place: str, free: bool, text: str = "", font: int = 0,
           background: str | None = None) -> Scene:  # fmt: skip
    background, side = background or rng.choice(GROUNDS), side_of(size)
    middles = [centre(place, side)] if size in SIZES else centres(place)
    bodies = tuple(
        Sprite(kind, side, *(middle - side // 2 + (rng.randint(-JITTER, JITTER) if free else 0) for middle in (x, y)))
        for kind, (x, y) in zip(kinds, middles)
    )  # fmt: skip
    return Scene(bodies, background, _shade(rng, background, free), size, place, text, font)


def random_single(rng: random.Random, free: bool = False, held_out: bool = False) -> Scene:
    """A single scene of the training split (or of the held-out one)."""
    while True:
        kind, place = rng.randrange(len(KINDS)), rng.choice(list(PLACES))
        background, size = rng.choice(GROUNDS), rng.choice(list(SIZES))
        if single_is_held_out(kind, place, background) == held_out:
            return _scene(rng, [kind], size, place, free, background=background)


def random_pair(rng: random.Random, free: bool = False, held_out: bool = False) -> Scene:
    while True:
        kinds = rng.sample(range(len(KINDS)), 2)
        if pair_is_held_out(*kinds) == held_out:
            return _scene(rng, kinds, "pair", rng.choice(RELATIONS), free)


def random_count(rng: random.Random, free: bool = False, held_out: bool = False) -> Scene:
    """Two to four of a kind."""
    while True:
        kind, count = rng.randrange(len(KINDS)), rng.choice(COUNTS)
        countable = any(name.countable for name in KINDS[kind].names)
        if countable and count_is_held_out(kind, count) == held_out:
            return _scene(rng, [kind] * (COUNTS.index(count) + 2), "count", count, free)


def random_row(rng: random.Random, free: bool = False, held_out: bool = False) -> Scene:
    """Three kinds side by side. In training no neighbours are a held-out pair."""
    while True:
        kinds = rng.sample(range(len(KINDS)), 3)
        pairs = [pair_is_held_out(*kinds[i : i + 2]) for i in range(2)]
        if row_is_held_out(kinds) == held_out and (held_out or not any(pairs)):
            return _scene(rng, kinds, "row", "between", free)


def random_writing(rng: random.Random, free: bool = False, held_out: bool = False) -> Scene:
    text, font = random_text(rng, held_out)
    place = rng.choice(list(PLATES))
    return _scene(rng, [rng.randrange(len(KINDS))], "text", place, free, text, font)


MAKERS = {
    "single": random_single, "pair": random_pair, "count": random_count, "row": random_row, "text": random_writing,
}  # fmt: skip
MIX = (0.30, 0.24, 0.16, 0.12, 0.18)  # how often each comes up in training


def random_scene(rng: random.Random, free: bool = False) -> Scene:
    return rng.choices(list(MAKERS.values()), MIX)[0](rng, free)


def render(scene: Scene) -> np.ndarray:
    """Picture [SIDE, SIDE, 3] float32, 0..1."""
    picture = np.empty((SIDE, SIDE, 3), dtype=np.float32)
    picture[:] = np.array(scene.shade, dtype=np.float32) / 255
    if scene.background in TIMES:
        picture[HORIZON:] = np.array(BACKGROUNDS[MEADOW], dtype=np.float32) / 255
    if scene.text:
        ink = line(scene.text, scene.font)[..., None]
        top, left = PLATES[scene.place], (SIDE - ink.shape[1]) // 2
        picture[top : top + CELL[1], left - TOKEN : left + ink.shape[1] + TOKEN] = np.array(PLATE, dtype=np.float32) / 255
        picture[top : top + CELL[1], left : left + ink.shape[1]] *= 1 - INK * ink
    for body in scene.sprites:
        colour, alpha = sprite(body.kind, body.size)
        # A sprite at the edge may hang over it.
        top, left = max(0, -body.y), max(0, -body.x)
        window = picture[body.y + top : body.y + body.size, body.x + left : body.x + body.size]
        rows, columns = window.shape[:2]
        window *= 1 - alpha[top : top + rows, left : left + columns]
        window += colour[top : top + rows, left : left + columns]
    return np.clip(picture, 0, 1, out=picture)


def render_all(scenes: Iterable[Scene]) -> torch.Tensor:
    """Pictures [B, 3, SIDE, SIDE], 0..1."""
    return torch.from_numpy(np.stack([render(scene) for scene in scenes])).permute(0, 3, 1, 2).contiguous()
