"""Trains the tokenizer on captions: python -m training.train_bpe --out DIR"""

import argparse
import random
from pathlib import Path

from .bpe import BPE
from .captions import BACKGROUND_WORDS, caption, without_yo
from .kinds import KINDS
from .scenes import random_scene

RUSSIAN = "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"
ALPHABET = RUSSIAN + RUSSIAN.upper() + "abcdefghijklmnopqrstuvwxyz0123456789" + ".,:;!?-–—()[]«»\"'%+=/*…&#№@_<>|"


def corpus(rng: random.Random) -> list[str]:
    lines = ["на картинке " + caption(rng, random_scene(rng)) for _ in range(20000)]
    lines = [without_yo(line) if rng.random() < 0.1 else line for line in lines]
    # Every form of every word at least a few times, and words that no caption has yet.
    for kind in KINDS:
        for name in kind.names:
            lines += [f"{name.nominative} {name.genitive} {name.instrumental}"] * 3
    general = "что это такое картинка изображение рисунок вопрос ответ ответь опиши нарисуй текст фон цвет размер"
    return lines + [general, " ".join(BACKGROUND_WORDS.values())] * 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("runs"))
    parser.add_argument("--vocabulary", type=int, default=832)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    bpe = BPE.train(corpus(random.Random(0)), ALPHABET, arguments.vocabulary)
    bpe.save(arguments.out / "bpe.model")
    lengths = [len(bpe.encode(line)) for line in corpus(random.Random(1))[:5000]]
    print(f"vocabulary {bpe.vocabulary}; longest caption {max(lengths)} tokens, mean {sum(lengths) / len(lengths):.1f}")


if __name__ == "__main__":
    main()
