"""Judges drawings against scenes (by correlation with every sprite) and texts against scenes (by their words)."""

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .captions import on_background, true_captions, without_yo
from .kinds import KINDS
from .scenes import BACKGROUNDS, GROUNDS, HORIZON, MEADOW, SIDE, SIZES, TIMES, Scene, centre, centres, side_of
from .sprites import WHITE, sprite

TOLERANCE = 10  # pixels from the nominal place: a token and a little grace
THRESHOLD = 0.5  # least correlation of a sprite that counts as drawn
BORDER = 4


@lru_cache(maxsize=None)
def _templates(size: int) -> tuple[Tensor, Tensor]:
    """All kinds: premultiplied colours [K, 3, size, size] and alphas [K, 1, size, size]."""
    colours, alphas = zip(*(sprite(kind, size) for kind in range(len(KINDS))))
    return tuple(torch.from_numpy(np.stack(part)).permute(0, 3, 1, 2).contiguous() for part in (colours, alphas))


def ground_colours(picture: Tensor) -> tuple[Tensor, Tensor]:
    """picture [3, SIDE, SIDE] -> the medians [3] of its border above the horizon and below it."""
    border = torch.ones(SIDE, SIDE, dtype=torch.bool)
    border[BORDER:-BORDER, BORDER:-BORDER] = False
    above = border.clone()
    above[HORIZON:] = False
    return tuple(picture[:, part].median(1).values for part in (above, border & ~above))


def _distance(colour: Tensor, name: str) -> float:
    return float((colour * 255 - torch.tensor(BACKGROUNDS[name])).square().sum())


def ground_name(sky: Tensor, ground: Tensor) -> str:
    """The background or time of day whose colours are nearest."""
    pairs = {name: (TIMES.get(name, name), MEADOW if name in TIMES else name) for name in GROUNDS}
    return min(pairs, key=lambda name: _distance(sky, pairs[name][0]) + _distance(ground, pairs[name][1]))


def plain_picture(sky: Tensor, ground: Tensor) -> Tensor:
    """[3, SIDE, SIDE] of the two colours"""
    picture = sky.view(3, 1, 1).repeat(1, SIDE, SIDE)
    picture[:, HORIZON:] = ground.view(3, 1, 1)
    return picture


def correlations(picture: Tensor, middle: tuple[int, int], size: int) -> Tensor:
    """How well each kind [K] fits picture [3, SIDE, SIDE] around `middle`, -1..1: the mean of two cosines. One compares the whole
    square less the background, which a sprite is taken to hide as it would at the nominal place; the other what lies inside
    the sprite's outline less the white of its border, which otherwise would count most on dark backgrounds."""
    plain = plain_picture(*ground_colours(picture))
    reach = size // 2 + TOLERANCE
    x, y = middle

    def window(difference: Tensor) -> Tensor:
        padded = F.pad(difference, (reach,) * 4)  # nothing beyond the edge
        return padded[None, :, y : y + 2 * reach, x : x + 2 * reach]

    def cosine(window: Tensor, shapes: Tensor, masks: Tensor) -> Tensor:
        """[K, 2 * TOLERANCE + 1, the same]"""
        energy = F.conv2d(window.square().sum(1, keepdim=True), masks)[0]
        lengths = shapes.square().sum((1, 2, 3)).clamp(min=1e-3).sqrt().view(-1, 1, 1)
        return F.conv2d(window, shapes)[0] / (lengths * energy.clamp(min=1e-3).sqrt())

    colours, alphas = _templates(size)
    behind = F.pad(plain[None], (size,) * 4, mode="replicate")[0]
    behind = behind[:, y - size // 2 + size : y - size // 2 + 2 * size, x - size // 2 + size : x - size // 2 + 2 * size]
    whole = cosine(window(picture - plain), colours - alphas * behind, torch.ones(1, 1, size, size))
    inside = cosine(window(picture - WHITE), colours - alphas * WHITE, (alphas > 0.5).float())
    return ((whole + inside) / 2).amax((1, 2))


def judge_drawing(picture: Tensor, scene: Scene) -> dict[str, bool]:
    """Are the right sprites at the stated places, each the best of all kinds there, and is the background right?"""
    side = side_of(scene.size)
    middles = [centre(scene.place, side)] if scene.size in SIZES else centres(scene.place)
    hits = []
    for body, middle in zip(scene.sprites, middles):
        found = correlations(picture, middle, side)
        hits.append(int(found.argmax()) == body.kind and float(found.max()) >= THRESHOLD)
    background = ground_name(*ground_colours(picture)) == scene.background
    return {"sprites": all(hits), "background": background, "all": all(hits) and background}


def named_kinds(text: str) -> set[int]:
    """Kinds named in a caption in any case."""
    padded = f" {without_yo(text)} "
    return {
        i
        for i, kind in enumerate(KINDS)
        for name in kind.names
        for form in (name.nominative, name.genitive, name.instrumental)
        if f" {without_yo(form)} " in padded
    }


def judge_caption(text: str, scene: Scene) -> dict[str, bool]:
    """Does it name the right kinds and no others; is its background right; is the whole sentence true?"""
    text = without_yo(text)
    named = named_kinds(text) == {body.kind for body in scene.sprites}
    background = without_yo(on_background(scene.background)) in text
    return {"sprites": named, "background": background, "all": text in true_captions(scene)}
