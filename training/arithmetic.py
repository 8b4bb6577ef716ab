"""Sums: lines of additions and subtractions up to 20, as upstream's models continue them, and questions of maths."""

import random

from .split import tenth

LARGEST = 20
Fact = tuple[int, str, int, int]  # a, + or -, b, the result

FACTS: list[Fact] = [
    *((a, "+", b, a + b) for a in range(LARGEST + 1) for b in range(LARGEST + 1 - a)),
    *((a, "-", b, a - b) for a in range(LARGEST + 1) for b in range(a + 1)),
]


def is_held_out(fact: Fact) -> bool:
    a, sign, b, _ = fact
    return tenth("sum-v1", f"{a}{sign}{b}")


TRAINING = [fact for fact in FACTS if not is_held_out(fact)]
HELD_OUT = [fact for fact in FACTS if is_held_out(fact)]


def equation(fact: Fact) -> str:
    a, sign, b, result = fact
    return f"{a}{sign}{b}={result}"


def line(facts: list[Fact]) -> str:
    """|3+4=7|12-5=7|"""
    return f"|{'|'.join(map(equation, facts))}|"


def question(rng: random.Random, fact: Fact) -> tuple[str, str]:
    """-> question, answer"""
    a, sign, b, result = fact
    if rng.random() < 0.6:
        return f"сколько будет {a} {sign} {b}?", str(result)
    return f"решите уравнение. x {sign} {b} = {result}", str(a)
