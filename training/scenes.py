"""Scenes: one or two sprites on a plain background, 128x128 pixels, and which of them are held out."""

import hashlib
import random
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from .kinds import KINDS
from .sprites import sprite

SIDE = 128
TOKEN = 8  # pixels a side of an image token

# Single scenes: size name -> side of the sprite's square in pixels.
SIZES = {"small": 36, "medium": 56, "large": 80}
PAIR_SIZES = (48,)
# How far from the picture's centre a place lies. Whole tokens, so that a sprite of one size always meets the token grid
# in the same way: the transformer then has one set of codes to learn for it, not 64.
OFFSETS = {36: 32, 48: 32, 56: 24, 80: 16}

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
SHADE_JITTER = 2  # each channel of the background moves by at most this much


@dataclass(frozen=True)
class Sprite:
    kind: int  # index into KINDS
    size: int  # side of its square, pixels
    x: int  # left edge
    y: int  # top edge


@dataclass(frozen=True)
class Scene:
    sprites: tuple[Sprite, ...]
    background: str
    shade: tuple[int, int, int]
    size: str  # single: key of SIZES; pair: "pair"
    place: str  # single: key of PLACES; pair: one of RELATIONS


def _tenth(*key: str) -> bool:
    """True for a tenth of all keys, the same tenth everywhere and for ever."""
    return hashlib.sha256("|".join(key).encode()).digest()[0] * 10 < 256


def single_is_held_out(kind: int, place: str, background: str) -> bool:
    return _tenth("single-v1", KINDS[kind].id, place, background)


def pair_is_held_out(first: int, second: int) -> bool:
    """First is the left or the upper one. Holds for all relations, sizes and backgrounds."""
    return _tenth("pair-v1", KINDS[first].id, KINDS[second].id)


def centre(place: str, size: int) -> tuple[int, int]:
    """Nominal centre of a single sprite, pixels."""
    dx, dy = PLACES[place]
    return SIDE // 2 + dx * OFFSETS[size], SIDE // 2 + dy * OFFSETS[size]


def pair_centres(relation: str, size: int) -> tuple[tuple[int, int], tuple[int, int]]:
    middle, offset = SIDE // 2, OFFSETS[size]
    if relation == "left-of":
        return (middle - offset, middle), (middle + offset, middle)
    return (middle, middle - offset), (middle, middle + offset)


def _jitter(rng: random.Random, size: int, free: bool) -> int:
    """Whole tokens (none for large sprites, whose places lie close together), or if free up to half a token."""
    if free:
        return rng.randint(-TOKEN // 2, TOKEN // 2)
    return 0 if size == SIZES["large"] else rng.choice((-TOKEN, 0, 0, 0, TOKEN))


def _shade(rng: random.Random, background: str) -> tuple[int, int, int]:
    return tuple(
        min(255, max(0, channel + rng.randint(-SHADE_JITTER, SHADE_JITTER))) for channel in BACKGROUNDS[background]
    )


def _place(rng: random.Random, kind: int, size: int, middle: tuple[int, int], free: bool) -> Sprite:
    x = middle[0] - size // 2 + _jitter(rng, size, free)
    y = middle[1] - size // 2 + _jitter(rng, size, free)
    return Sprite(kind, size, x, y)


def random_single(rng: random.Random, free: bool = False, held_out: bool = False) -> Scene:
    """A single scene of the training split (or of the held-out one)."""
    while True:
        kind, place = rng.randrange(len(KINDS)), rng.choice(list(PLACES))
        background, size = rng.choice(list(BACKGROUNDS)), rng.choice(list(SIZES))
        if single_is_held_out(kind, place, background) == held_out:
            break
    body = _place(rng, kind, SIZES[size], centre(place, SIZES[size]), free)
    return Scene((body,), background, _shade(rng, background), size, place)


def random_pair(rng: random.Random, free: bool = False, held_out: bool = False) -> Scene:
    while True:
        first, second = rng.sample(range(len(KINDS)), 2)
        if pair_is_held_out(first, second) == held_out:
            break
    relation, size = rng.choice(RELATIONS), rng.choice(PAIR_SIZES)
    background = rng.choice(list(BACKGROUNDS))
    middles = pair_centres(relation, size)
    bodies = tuple(_place(rng, kind, size, middle, free) for kind, middle in zip((first, second), middles))
    return Scene(bodies, background, _shade(rng, background), "pair", relation)


def random_scene(rng: random.Random, free: bool = False, pairs: float = 0.5) -> Scene:
    return random_pair(rng, free) if rng.random() < pairs else random_single(rng, free)


def render(scene: Scene) -> np.ndarray:
    """Picture [SIDE, SIDE, 3] float32, 0..1."""
    picture = np.empty((SIDE, SIDE, 3), dtype=np.float32)
    picture[:] = np.array(scene.shade, dtype=np.float32) / 255
    for body in scene.sprites:
        colour, alpha = sprite(body.kind, body.size)
        window = picture[body.y : body.y + body.size, body.x : body.x + body.size]
        window *= 1 - alpha
        window += colour
    return np.clip(picture, 0, 1, out=picture)


def render_all(scenes: Iterable[Scene]) -> torch.Tensor:
    """Pictures [B, 3, SIDE, SIDE], 0..1."""
    return torch.from_numpy(np.stack([render(scene) for scene in scenes])).permute(0, 3, 1, 2).contiguous()
