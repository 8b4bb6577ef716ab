"""Trains the tokenizer on what the samples say: python -m training.train_bpe --out DIR"""

import argparse
import random
from pathlib import Path

from .bpe import BPE
from .captions import BACKGROUND_WORDS, caption, full_caption, without_yo
from .kinds import KINDS
from .questions import questions
from .samples import ASK_PICTURE, ASK_TEXT, DESCRIBE, GENERATE, READ, TEMPLATE
from .scenes import random_scene
from .words import WORDS

RUSSIAN = "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"
ALPHABET = RUSSIAN + RUSSIAN.upper() + "abcdefghijklmnopqrstuvwxyz0123456789" + ".,:;!?-–—()[]«»\"'%+=/*…&#№@_<>|"


def corpus(rng: random.Random) -> list[str]:
    lines = [f"{TEMPLATE} {caption(rng, random_scene(rng))}" for _ in range(20000)]
    lines = [without_yo(line) if rng.random() < 0.1 else line for line in lines]
    for _ in range(4000):
        scene = random_scene(rng)
        for question in questions(rng, scene, told=True):
            lines.append(f"{full_caption(rng, scene)}. {question.text}")
        lines += [question.text for question in questions(rng, scene)]
    lines += [ASK_PICTURE, ASK_TEXT, DESCRIBE, GENERATE, READ, "сколько будет", "решите уравнение. x"] * 2000
    # Every form of every word at least a few times, and words that no caption has yet.
    for kind in KINDS:
        for name in kind.names:
            lines += [f"{name.nominative} {name.genitive} {name.instrumental}", f"{name.nominative}? {name.nominative}. {name.genitive}. {name.instrumental}. {name.instrumental}?"] * 3
    lines += WORDS * 12
    general = "что это такое картинка изображение рисунок вопрос ответ ответь опиши нарисуй текст фон цвет размер"
    lines += [general, " ".join(BACKGROUND_WORDS.values())] * 3
    # Digits stay single: a sum is told digit by digit.
    return ["".join(" " if character.isdigit() else character for character in line) for line in lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("runs"))
    parser.add_argument("--vocabulary", type=int, default=1536)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    bpe = BPE.train(corpus(random.Random(0)), ALPHABET, arguments.vocabulary)
    bpe.save(arguments.out / "bpe.model")
    rng = random.Random(1)
    longest = {"caption": 0, "question to a picture": 0, "question to a text": 0}
    for _ in range(5000):
        scene = random_scene(rng)
        told = full_caption(rng, scene)
        longest["caption"] = max(longest["caption"], len(bpe.encode(f"{GENERATE} {told}")))
        for question in questions(rng, scene):
            longest["question to a picture"] = max(longest["question to a picture"], len(bpe.encode(f"{ASK_PICTURE} {question.text}")))
        for question in questions(rng, scene, told=True):
            longest["question to a text"] = max(longest["question to a text"], len(bpe.encode(f"{ASK_TEXT} {told}. {question.text}")))
    print(f"vocabulary {bpe.vocabulary}; longest, in tokens: {longest}")


if __name__ == "__main__":
    main()
