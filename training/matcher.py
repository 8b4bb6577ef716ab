"""Judges drawings against scenes (by correlation with every sprite) and captions against scenes (by their words)."""

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .captions import BACKGROUND_WORDS, PLACE_WORDS, SIZE_WORDS, on_background, pair_caption, single_caption, without_yo
from .kinds import KINDS
from .scenes import BACKGROUNDS, PAIR_SIZES, SIDE, SIZES, Scene, centre, pair_centres
from .sprites import sprite

TOLERANCE = 10  # pixels from the nominal place: a token of jitter and a little grace
THRESHOLD = 0.5  # least correlation of a sprite that counts as drawn


@lru_cache(maxsize=None)
def _templates(size: int) -> tuple[Tensor, Tensor]:
    """All kinds: premultiplied colours [K, 3, size, size] and alphas [K, 1, size, size]."""
    colours, alphas = zip(*(sprite(kind, size) for kind in range(len(KINDS))))
    return tuple(torch.from_numpy(np.stack(part)).permute(0, 3, 1, 2).contiguous() for part in (colours, alphas))


def background_colour(picture: Tensor) -> Tensor:
    """picture [3, SIDE, SIDE] -> [3]: the median of its border, 4 pixels wide."""
    inside = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    inside[4:-4, 4:-4] = True
    return picture[:, ~inside].median(1).values


def background_name(colour: Tensor) -> str:
    return min(BACKGROUNDS, key=lambda name: float((colour * 255 - torch.tensor(BACKGROUNDS[name])).square().sum()))


def correlations(picture: Tensor, middle: tuple[int, int], size: int) -> Tensor:
    """Best cosine of each kind [K] with picture [3, SIDE, SIDE] around `middle`, both less the background."""
    background = background_colour(picture).view(3, 1, 1)
    reach = size // 2 + TOLERANCE
    padded = F.pad(picture - background, (reach,) * 4)  # nothing but background outside
    x, y = middle
    window = padded[None, :, y : y + 2 * reach, x : x + 2 * reach]
    colours, alphas = _templates(size)
    shapes = colours - alphas * background
    product = F.conv2d(window, shapes)[0]  # [K, 2 * TOLERANCE + 1, the same]
    energy = F.conv2d(window.square().sum(1, keepdim=True), torch.ones(1, 1, size, size))[0]
    lengths = shapes.square().sum((1, 2, 3)).sqrt().view(-1, 1, 1)
    return (product / (lengths * energy.clamp(min=1e-3).sqrt())).amax((1, 2))


def judge_drawing(picture: Tensor, scene: Scene) -> dict[str, bool]:
    """Are the right sprites at the stated places, each the best of all kinds there, and is the background right?

    A caption of a single scene names no size for a medium sprite, so any size is then right.
    """
    if scene.size == "pair":
        slots = [[(pair_centres(scene.place, size)[i], size) for size in PAIR_SIZES] for i in range(2)]
    else:
        sizes = [SIZES[scene.size]] if scene.size in SIZE_WORDS else list(SIZES.values())
        slots = [[(centre(scene.place, size), size) for size in sizes]]
    hits = []
    for body, choices in zip(scene.sprites, slots):
        best = torch.stack([correlations(picture, *choice) for choice in choices]).amax(0)
        hits.append(int(best.argmax()) == body.kind and float(best.max()) >= THRESHOLD)
    background = background_name(background_colour(picture)) == scene.background
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


def true_captions(scene: Scene) -> set[str]:
    """Every caption that tells the truth about a scene, complete or not, with е for ё."""
    backgrounds, found = (None, scene.background), set()
    if scene.size == "pair":
        first, second = (KINDS[body.kind].names for body in scene.sprites)
        for a in first:
            for b in second:
                texts = [pair_caption(a, b, scene.place, reverse, None) for reverse in (False, True)]
                texts += [f"{a.nominative} и {b.nominative}", f"{b.nominative} и {a.nominative}"]
                for text in texts:
                    found |= {text, f"{text} {on_background(scene.background)}", f"{on_background(scene.background)} {text}"}
    else:
        for name in KINDS[scene.sprites[0].kind].names:
            for size in (None, scene.size):
                for place in (None, *PLACE_WORDS[scene.place]):
                    for background in backgrounds:
                        found.add(single_caption(name, size, place, background))
                        found.add(f"{place} {single_caption(name, size, None, background)}")
                        found.add(f"{on_background(scene.background)} {single_caption(name, size, place, None)}")
    return {without_yo(text) for text in found}


def judge_caption(text: str, scene: Scene) -> dict[str, bool]:
    """Does it name the right kinds and no others; is its background right; is the whole sentence true?"""
    text = without_yo(text)
    named = named_kinds(text) == {body.kind for body in scene.sprites}
    background = f"на {without_yo(BACKGROUND_WORDS[scene.background])} фоне" in text
    return {"sprites": named, "background": background, "all": text in true_captions(scene)}
