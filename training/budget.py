"""Training by the clock: learning rate from elapsed time, JSON lines log, checkpoints that resume."""

import json
import math
import time
from pathlib import Path

import torch


class Clock:
    """Elapsed share of a time budget; `spent` seconds were used before a resume."""

    def __init__(self, minutes: float, spent: float = 0):
        self.total, self.start = minutes * 60, time.monotonic() - spent

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.start

    @property
    def share(self) -> float:
        return min(1.0, self.seconds / self.total)


def learning_rate(share: float, peak: float, warmup: float = 0.02, hold: float = 0.0, floor: float = 0.01) -> float:
    """Linear warm-up, the peak until `hold`, then a cosine down to `floor` of the peak."""
    warmup, start = max(warmup, 1e-6), max(warmup, hold)
    if share < warmup:
        return peak * max(share / warmup, 0.02)
    return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * max(share - start, 0) / (1 - start))))


class Log:
    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = path.open("a", encoding="utf-8")

    def write(self, **values: float) -> None:
        line = json.dumps({key: round(value, 5) for key, value in values.items()})
        print(line, flush=True)
        print(line, file=self.file, flush=True)


def save(path: Path, **state) -> None:
    """Writes beside and renames, so that a kill leaves the last good checkpoint."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def half_precision() -> torch.autocast:
    """Autocast to bfloat16 where the processor multiplies it (AVX-512 BF16, AMX); elsewhere it would take 60 times as long as float32."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=torch.cpu.get_capabilities().get("avx512_bf16", False))
