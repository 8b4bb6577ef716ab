"""Questions about scenes, in a picture or in words, with their answers."""

import random
from dataclasses import dataclass

from .captions import PLACE_WORDS, TIME_WORDS, count_caption, names_of
from .kinds import Name
from .scenes import Scene

COLOUR_WORDS = {
    "white": "белый", "green": "зелёный", "blue": "синий", "red": "красный", "yellow": "жёлтый", "black": "чёрный",
    "light-blue": "голубой", "pink": "розовый", "gray": "серый", "orange": "оранжевый", "purple": "фиолетовый",
}  # fmt: skip
PARTS_OF_DAY = {"morning": "утро", "day": "день", "evening": "вечер", "night": "ночь"}
NUMBER_WORDS = ("один", "два", "три", "четыре")
SIZE_ANSWERS = {"small": "маленький", "large": "большой"}


@dataclass(frozen=True)
class Question:
    topic: str  # what, background, where, how many, size, text
    text: str
    answers: tuple[str, ...]  # all that are right; training takes one of them
    sprite: int | None = None  # whose place is asked


def _nominatives(names: list[Name]) -> tuple[str, ...]:
    return tuple(name.nominative for name in names)


def questions(rng: random.Random, scene: Scene, told: bool = False) -> list[Question]:
    """All kinds of questions that a scene answers, each in one of its wordings. `told`: only what its full caption tells."""
    names = names_of(scene)

    def what(place: str, i: int) -> Question:
        return Question("what", rng.choice((f"что {place}?", f"что находится {place}?")), _nominatives(names[i]))

    def where(i: int, place: str) -> Question:
        return Question("where", f"где {rng.choice(names[i]).nominative}?", PLACE_WORDS[place], i)

    found = []
    if scene.background in TIME_WORDS:
        text = rng.choice(("какое время суток?", "какое время суток на картинке?") if not told else ("какое время суток?",))
        found.append(Question("background", text, (PARTS_OF_DAY[scene.background],)))
    else:
        text = rng.choice(("какого цвета фон?", "какой фон?"))
        found.append(Question("background", text, (COLOUR_WORDS[scene.background],)))
    if scene.size != "text" and not told:
        text = rng.choice(("сколько предметов на картинке?", "сколько предметов?"))
        found.append(Question("how many", text, (NUMBER_WORDS[len(scene.sprites) - 1],)))
    if scene.size == "text":
        text = rng.choice(("что написано?", "что написано на картинке?"))
        found.append(Question("text", text, (scene.text,)))
        if names:
            found.append(what("вверху", 0))
    elif scene.size == "count":
        text = rng.choice(("что на картинке?", "что нарисовано?"))
        found.append(Question("what", text, tuple(count_caption(name, scene.place) for name in names[0])))
        if told:
            found.append(Question("how many", "сколько предметов?", (NUMBER_WORDS[len(scene.sprites) - 1],)))
    elif scene.size == "row":
        left, middle, right = (rng.choice(choices) for choices in names)
        found.append(what("слева", 0) if rng.random() < 0.5 else what("справа", 2))
        found.append(what(f"между {left.instrumental} и {right.instrumental}", 1) if rng.random() < 0.5 else what("посередине", 1))
        found.append(where(*rng.choice(((0, "left"), (1, "center"), (2, "right")))))
    elif scene.size == "pair":
        first, second = (rng.choice(choices) for choices in names)
        if scene.place == "left-of":
            found += [what("слева", 0), what("справа", 1)]
            found.append(what(f"слева от {second.genitive}", 0) if rng.random() < 0.5 else what(f"справа от {first.genitive}", 1))
            found.append(where(0, "left") if rng.random() < 0.5 else where(1, "right"))
        else:
            found += [what(rng.choice(("вверху", "сверху")), 0), what(rng.choice(("внизу", "снизу")), 1)]
            found.append(what(f"над {second.instrumental}", 0) if rng.random() < 0.5 else what(f"под {first.instrumental}", 1))
            found.append(where(0, "top") if rng.random() < 0.5 else where(1, "bottom"))
    else:
        text = rng.choice(("что на картинке?", "что нарисовано?"))
        found.append(Question("what", text, _nominatives(names[0])))
        found.append(where(0, scene.place))
        if not told:
            found.append(Question("size", rng.choice(("какого размера предмет?", "какой размер?")), (SIZE_ANSWERS[scene.size],)))
    return found
