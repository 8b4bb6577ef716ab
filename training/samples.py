"""Training samples: a pool of encoded scenes that grows while training, and batches of token ids drawn from it."""

import random
from collections.abc import Callable

import torch
from torch import Tensor

from .bpe import BPE
from .captions import caption, without_yo
from .fit_tokenizer import Projection
from .rudolph import LT_I2T, LT_T2I, LT_T2T, LT_UNK, RT_I2T, RT_UNK, Config, prompt
from .scenes import Scene, random_scene, render_all

TEMPLATE = "на картинке"  # upstream's caption template


def encode(projection: Projection, scenes: list[Scene]) -> Tensor:
    """Scenes -> codes [B, I]"""
    return projection.encode(render_all(scenes))


class Pool:
    """Scenes by seed, with their codes. A quarter of the seeds is off the token grid, for captions only."""

    def __init__(self, projection: Projection, capacity: int, image_length: int, first: int = 0):
        """Holds the scenes of the seeds first, first + 1, …"""
        self.projection, self.first, self.size = projection, first, 0
        self.codes = torch.zeros(capacity, image_length, dtype=torch.int16)

    @staticmethod
    def _scene(seed: int) -> Scene:
        return random_scene(random.Random(seed), free=seed % 4 == 0)

    def restore(self, codes: Tensor) -> None:
        self.size = len(codes)
        self.codes[: self.size] = codes

    def grow(self, count: int) -> None:
        count = min(count, len(self.codes) - self.size)
        if count:
            scenes = [self._scene(self.first + i) for i in range(self.size, self.size + count)]
            self.codes[self.size : self.size + count] = encode(self.projection, scenes).to(torch.int16)
            self.size += count

    def draw(
        self, rng: random.Random, count: int, gridded: bool, wanted: Callable[[Scene], bool]
    ) -> tuple[list[Scene], Tensor]:
        """Random wanted scenes with their codes [count, I]; `gridded` wants those on the token grid."""
        chosen, scenes = [], []
        while len(chosen) < count:
            i = rng.randrange(self.size)
            if gridded and (self.first + i) % 4 == 0:
                continue
            scene = self._scene(self.first + i)
            if wanted(scene):
                chosen.append(i)
                scenes.append(scene)
        return scenes, self.codes[chosen].long()


class Sampler:
    """Batches of the three tasks. Special ids are replaced by the unknown ones in a quarter of the samples, as FBC2 did."""

    def __init__(self, config: Config, bpe: BPE, rng: random.Random):
        self.config, self.bpe, self.rng = config, bpe, rng
        self.everyday = 0.0  # how often a name is the everyday one for sure

    def _special(self, known: int, unknown: int) -> int:
        return unknown if self.rng.random() < 0.25 else known

    def _ids(self, text: str) -> list[int]:
        return self.bpe.encode(without_yo(text) if self.rng.random() < 0.1 else text)

    def _left(self, special: int, text: str) -> list[int]:
        return prompt(self.config, special, self._ids(text), self.config.l_text_seq_length)

    def text_to_image(self, scenes: list[Scene]) -> Tensor:
        """-> left [B, L]. A few prompts are empty, for guidance."""
        rows = []
        for scene in scenes:
            if self.rng.random() < 0.04:
                rows.append(self._left(LT_UNK, ""))
            else:
                rows.append(self._left(self._special(LT_T2I, LT_UNK), caption(self.rng, scene, everyday=self.everyday)))
        return torch.tensor(rows)

    def image_to_text(self, scenes: list[Scene]) -> tuple[Tensor, Tensor]:
        """-> left [B, L], right [B, <= R], cut to the longest text."""
        left, right = [], []
        for scene in scenes:
            left.append(self._left(self._special(LT_I2T, LT_UNK), ""))
            text = caption(self.rng, scene, keep=0.7, everyday=self.everyday)
            # Without the template now and then: texts to rank come without it.
            text = f"{TEMPLATE} {text}" if self.rng.random() < 0.85 else text
            special = self._special(RT_I2T, RT_UNK)
            right.append(prompt(self.config, special, self.bpe.encode(text), self.config.r_text_seq_length))
        texts = torch.tensor(right)
        return torch.tensor(left), texts[:, : int((texts != 0).sum(1).max())]

    def text_to_text(self, scenes: list[Scene]) -> Tensor:
        """-> left [B, L]"""
        rows = []
        for scene in scenes:
            text = caption(self.rng, scene, everyday=self.everyday)
            text = f"{TEMPLATE} {text}" if self.rng.random() < 0.3 else text
            rows.append(self._left(self._special(LT_T2T, LT_UNK), text))
        return torch.tensor(rows)
