"""Byte-pair encoding in YouTokenToMe's text format: trainer, encoder, decoder."""

from collections import Counter
from functools import lru_cache
from pathlib import Path

PAD, UNK, BOS, EOS = 0, 1, 2, 3
SPACE = "\u2581"
BLANKS = " \t\n\v\f\r" + SPACE


def _words(text: str) -> list[str]:
    for blank in BLANKS[1:]:
        text = text.replace(blank, " ")
    return [SPACE + word for word in text.split(" ") if word]


class BPE:
    """chars: character -> id; rules: (x, y, z), x followed by y becomes z, earlier rules first."""

    def __init__(self, chars: dict[str, int], rules: list[tuple[int, int, int]]):
        self.chars, self.rules = chars, rules
        self.merge = {(x, y): (rank, z) for rank, (x, y, z) in enumerate(rules)}
        self.pieces = {PAD: "<PAD>", UNK: "<UNK>", BOS: "<BOS>", EOS: "<EOS>"} | {i: c for c, i in chars.items()}
        for x, y, z in rules:
            self.pieces[z] = self.pieces[x] + self.pieces[y]
        self.encode_word = lru_cache(maxsize=65536)(self._encode_word)

    @property
    def vocabulary(self) -> int:
        return 4 + len(self.chars) + len(self.rules)

    def _encode_word(self, word: str) -> tuple[int, ...]:
        ids = []
        for character in word:
            i = self.chars.get(character, UNK)
            if i != UNK or not ids or ids[-1] != UNK:  # a run of unknown characters is one unk
                ids.append(i)
        while True:
            best = min(
                ((*self.merge[pair], i) for i, pair in enumerate(zip(ids, ids[1:])) if pair in self.merge),
                key=lambda found: (found[0], found[2]),
                default=None,
            )
            if best is None:
                return tuple(ids)
            _, z, i = best
            ids[i : i + 2] = [z]

    def encode(self, text: str) -> list[int]:
        return [i for word in _words(text) for i in self.encode_word(word)]

    def decode(self, ids: list[int]) -> str:
        """Special ids are skipped."""
        return "".join(self.pieces[i] for i in ids if i > EOS).replace(SPACE, " ").strip()

    def save(self, path: Path) -> None:
        lines = [f"{len(self.chars)} {len(self.rules)}"]
        lines += [f"{ord(character)} {i}" for character, i in self.chars.items()]
        lines += [f"{x} {y} {z}" for x, y, z in self.rules]
        path.write_text("\n".join([*lines, f"{UNK} {PAD} {BOS} {EOS}"]) + "\n")

    @classmethod
    def load(cls, path: Path) -> "BPE":
        numbers = iter(map(int, path.read_text().split()))
        n_chars, n_rules = next(numbers), next(numbers)
        chars = {chr(next(numbers)): next(numbers) for _ in range(n_chars)}
        return cls(chars, [(next(numbers), next(numbers), next(numbers)) for _ in range(n_rules)])

    @classmethod
    def train(cls, corpus: list[str], alphabet: str, vocabulary: int) -> "BPE":
        """Merges the most frequent pair inside words until the vocabulary is full; ties go to the smaller ids.

        The alphabet may hold characters that the corpus lacks. Stops early when no pair occurs twice.
        """
        characters = dict.fromkeys(SPACE + alphabet + "".join(corpus).replace(" ", ""))
        chars = {character: 4 + i for i, character in enumerate(characters)}
        counts = Counter(word for line in corpus for word in _words(line))
        words = [([chars[c] for c in word], n) for word, n in counts.items()]
        rules: list[tuple[int, int, int]] = []
        for new in range(4 + len(chars), vocabulary):
            pairs = Counter()
            for ids, n in words:
                for pair in zip(ids, ids[1:]):
                    pairs[pair] += n
            if not pairs:
                break
            (x, y), n = min(pairs.items(), key=lambda item: (-item[1], item[0]))
            if n < 2:
                break
            rules.append((x, y, new))
            for ids, _ in words:
                i = 0
                while i < len(ids) - 1:
                    if ids[i] == x and ids[i + 1] == y:
                        ids[i : i + 2] = [new]
                    i += 1
        return cls(chars, rules)
