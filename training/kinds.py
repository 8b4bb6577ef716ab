"""The sprite kinds and their Russian names (kinds.tsv)."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Name:
    nominative: str
    genitive: str
    instrumental: str
    gender: str  # m, f or n

    @property
    def countable(self) -> bool:
        """Whether two, three or four of it take the genitive as it is: adjectives would need another form."""
        return " " not in self.nominative and not self.nominative.endswith("ое")


@dataclass(frozen=True)
class Kind:
    id: str  # lower-case hexadecimal code point, e.g. "1f352"
    character: str
    names: tuple[Name, ...]  # the first is CLDR's short name, the rest are synonyms


def load_kinds(path: Path = Path(__file__).with_name("kinds.tsv")) -> list[Kind]:
    kinds = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        code, names = line.split("\t")
        kinds.append(
            Kind(code.lower(), chr(int(code, 16)), tuple(Name(*name.split("/")) for name in names.split("|")))
        )
    return kinds


KINDS = load_kinds()
