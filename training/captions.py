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
TIME_WORDS = {"morning": "утром", "day": "днём", "evening": "вечером", "night": "ночью"}
COUNT_WORDS = {
    "two": {"m": "два", "f": "две", "n": "два"},
    "three": dict.fromkeys("mfn", "три"),
    "four": dict.fromkeys("mfn", "четыре"),
}


def on_background(background: str) -> str:
    return TIME_WORDS.get(background) or f"на {BACKGROUND_WORDS[background]} фоне"


def single_caption(name: Name, size: str | None, place: str | None, background: str | None) -> str:
    """The canonical order; None leaves a part out. `place` is one of PLACE_WORDS' phrases."""
    words = SIZE_WORDS.get(size, {}).get(name.gender)
    parts = (words, name.nominative, place, background and on_background(background))
    return " ".join(part for part in parts if part)


def pair_caption(first: Name, second: Name, relation: str, reverse: bool) -> str:
    """`reverse` tells the same scene from the second sprite's side."""
    if relation == "left-of":
        if reverse:
            return f"{second.nominative} справа от {first.genitive}"
        return f"{first.nominative} слева от {second.genitive}"
    if reverse:
        return f"{second.nominative} под {first.instrumental}"
    return f"{first.nominative} над {second.instrumental}"


def count_caption(name: Name, count: str) -> str:
    """Of a countable name."""
    return f"{COUNT_WORDS[count][name.gender]} {name.genitive}"


def row_caption(left: Name, middle: Name, right: Name) -> str:
    """By convention the left one is named before the right one."""
    return f"{middle.nominative} между {left.instrumental} и {right.instrumental}"


def text_caption(text: str, above: Name | None) -> str:
    number = text.isdigit()
    if above is None:
        return f"{'число' if number else 'слово'} {text}"
    return f"{above.nominative} над {'числом' if number else 'словом'} {text}"


def list_caption(names: list[Name]) -> str:
    """Says nothing of places."""
    *first, last = (name.nominative for name in names)
    return f"{', '.join(first)} и {last}"


def names_of(scene: Scene) -> list[list[Name]]:
    """What each sprite may be called in a caption of this scene."""
    if scene.size == "count":
        return [[name for name in KINDS[scene.sprites[0].kind].names if name.countable]]
    return [list(KINDS[body.kind].names) for body in scene.sprites]


def _body(rng: random.Random, scene: Scene, names: list[Name], full: bool) -> str:
    """Everything but the background, of scenes that are not single."""
    if scene.size == "count":
        return count_caption(names[0], scene.place)
    if scene.size == "text":
        return text_caption(scene.text, names[0] if names else None)
    if not full and rng.random() < 0.06:
        return list_caption(names if scene.size == "row" else rng.sample(names, 2))
    if scene.size == "row":
        return row_caption(*names)
    return pair_caption(*names, scene.place, rng.random() < 0.5)


def caption(rng: random.Random, scene: Scene, keep: float = 0.0, everyday: float = 0.0) -> str:
    """A random caption. With probability `keep` nothing is left out; otherwise each part may be. With probability
    `everyday` a name is its kind's last one, otherwise any."""
    full = rng.random() < keep
    background = scene.background if full or rng.random() < 0.85 else None
    names = [choices[-1] if rng.random() < everyday else rng.choice(choices) for choices in names_of(scene)]
    order = rng.random()
    if len(scene.sprites) != 1 or scene.size == "text":
        text = _body(rng, scene, names, full)
        if background is None:
            return text
        tail = on_background(background)
        return f"{tail} {text}" if order < 0.08 else f"{text} {tail}"
    size = scene.size if full or rng.random() < 0.8 else None
    words = PLACE_WORDS[scene.place]
    place = words[0] if rng.random() < 0.7 else rng.choice(words)
    if not full and rng.random() < 0.15:
        place = None
    if order < 0.06 and background:
        return f"{on_background(background)} {single_caption(names[0], size, place, None)}"
    if order < 0.12 and place:
        return f"{place} {single_caption(names[0], size, None, background)}"
    return single_caption(names[0], size, place, background)


def full_caption(rng: random.Random, scene: Scene) -> str:
    """Leaves nothing out, in the usual order."""
    names = [rng.choice(choices) for choices in names_of(scene)]
    if scene.place in PLACE_WORDS:
        return single_caption(names[0], scene.size, PLACE_WORDS[scene.place][0], scene.background)
    return f"{_body(rng, scene, names, True)} {on_background(scene.background)}"


def true_captions(scene: Scene) -> set[str]:
    """Every caption that tells the truth about a scene, complete or not, with е for ё."""
    names, found = names_of(scene), set()
    if scene.place in PLACE_WORDS:
        for name in names[0]:
            for size in (None, scene.size):
                for place in (None, *PLACE_WORDS[scene.place]):
                    for background in (None, scene.background):
                        found.add(single_caption(name, size, place, background))
                        found.add(f"{place} {single_caption(name, size, None, background)}")
                        found.add(f"{on_background(scene.background)} {single_caption(name, size, place, None)}")
        return {without_yo(text) for text in found}
    if scene.size == "count":
        texts = {count_caption(name, scene.place) for name in names[0]}
    elif scene.size == "text":
        texts = {text_caption(scene.text, name) for name in (names[0] if names else [None])}
    elif scene.size == "row":
        texts = {
            say([a, b, c]) for a in names[0] for b in names[1] for c in names[2]
            for say in (list_caption, lambda chosen: row_caption(*chosen))
        }  # fmt: skip
    else:
        pairs = [(a, b) for a in names[0] for b in names[1]]
        texts = {pair_caption(a, b, scene.place, reverse) for a, b in pairs for reverse in (False, True)}
        texts |= {list_caption(order) for a, b in pairs for order in ([a, b], [b, a])}
    tail = on_background(scene.background)
    return {without_yo(whole) for text in texts for whole in (text, f"{text} {tail}", f"{tail} {text}")}


def without_yo(text: str) -> str:
    """As many people write."""
    return text.replace("ё", "е")
