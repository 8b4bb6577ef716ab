"""Russian captions of scenes: correct cases, some parts left out at random."""

import random

from .kinds import KINDS, Name
from .scenes import Scene

SIZE_WORDS = {
    "small": {"m": "маленький", "f": "маленькая", "n": "маленькое"},
    "large": {"m": "большой", "f": "большая", "n": "большое"},
}
PLACE_WORDS = {
    "center": ("в центре", "посередине"),
    "left": ("слева",),
    "right": ("справа",),
    "top": ("вверху", "сверху"),
    "bottom": ("внизу", "снизу"),
    "top-left": ("слева вверху", "вверху слева", "в левом верхнем углу"),
    "top-right": ("справа вверху", "вверху справа", "в правом верхнем углу"),
    "bottom-left": ("слева внизу", "внизу слева", "в левом нижнем углу"),
    "bottom-right": ("справа внизу", "внизу справа", "в правом нижнем углу"),
}
BACKGROUND_WORDS = {
    "white": "белом", "green": "зелёном", "blue": "синем", "red": "красном", "yellow": "жёлтом", "black": "чёрном",
    "light-blue": "голубом", "pink": "розовом", "gray": "сером", "orange": "оранжевом", "purple": "фиолетовом",
}  # fmt: skip


def on_background(background: str) -> str:
    return f"на {BACKGROUND_WORDS[background]} фоне"


def single_caption(name: Name, size: str | None, place: str | None, background: str | None) -> str:
    """The canonical order; None leaves a part out. `place` is one of PLACE_WORDS' phrases."""
    words = SIZE_WORDS.get(size, {}).get(name.gender)
    parts = (words, name.nominative, place, background and on_background(background))
    return " ".join(part for part in parts if part)


def pair_caption(first: Name, second: Name, relation: str, reverse: bool, background: str | None) -> str:
    """`reverse` tells the same scene from the second sprite's side."""
    if relation == "left-of":
        text = (
            f"{second.nominative} справа от {first.genitive}"
            if reverse
            else f"{first.nominative} слева от {second.genitive}"
        )
    else:
        text = (
            f"{second.nominative} под {first.instrumental}"
            if reverse
            else f"{first.nominative} над {second.instrumental}"
        )
    return f"{text} {on_background(background)}" if background else text


def _name(rng: random.Random, kind: int, everyday: float) -> Name:
    names = KINDS[kind].names
    return names[-1] if rng.random() < everyday else rng.choice(names)


def caption(rng: random.Random, scene: Scene, keep: float = 0.0, everyday: float = 0.0) -> str:
    """A random caption. With probability `keep` nothing is left out; otherwise each part may be. With probability
    `everyday` a name is its kind's last one, otherwise any."""
    full = rng.random() < keep
    background = scene.background if full or rng.random() < 0.85 else None
    names = [_name(rng, body.kind, everyday) for body in scene.sprites]
    if len(names) == 2:
        if not full and rng.random() < 0.06:
            rng.shuffle(names)
            text = f"{names[0].nominative} и {names[1].nominative}"
        else:
            text = pair_caption(*names, scene.place, rng.random() < 0.5, None)
        if background is None:
            return text
        tail = on_background(background)
        return f"{tail} {text}" if rng.random() < 0.08 else f"{text} {tail}"
    size = scene.size if full or rng.random() < 0.85 else None
    words = PLACE_WORDS[scene.place]
    place = words[0] if rng.random() < 0.7 else rng.choice(words)
    if not full and rng.random() < 0.15:
        place = None
    order = rng.random()
    if order < 0.06 and background:
        return f"{on_background(background)} {single_caption(names[0], size, place, None)}"
    if order < 0.12 and place:
        return f"{place} {single_caption(names[0], size, None, background)}"
    return single_caption(names[0], size, place, background)


def without_yo(text: str) -> str:
    """As many people write."""
    return text.replace("ё", "е")
