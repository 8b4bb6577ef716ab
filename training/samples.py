"""Training samples: a pool of encoded scenes that grows while training, and batches of token ids drawn from it."""

import random
from collections.abc import Callable

import torch
from torch import Tensor

from . import arithmetic
from .bpe import BPE
from .captions import caption, full_caption, without_yo
from .fit_tokenizer import Projection
from .questions import Question, questions
from .rudolph import (
    LT_CAP, LT_GEN, LT_I2T, LT_MQA, LT_REC, LT_T2I, LT_T2T, LT_TQA, LT_UNK, LT_VQA, RT_CAP, RT_I2T, RT_MQA, RT_REC, RT_TQA, RT_UNK,
    RT_VQA, Config, prompt,
)  # fmt: skip
from .scenes import BACKGROUNDS, Scene, random_scene, render_all

TEMPLATE = "на картинке"  # upstream's caption template
# FBC2's instructions.
GENERATE, DESCRIBE, READ = "сгенерируй изображение по тексту.", "опиши изображение.", "распознай текст на картинке."
ASK_PICTURE, ASK_TEXT = "ответь на вопрос по картинке.", "определи правильный ответ по тексту."


def encode(projection: Projection, scenes: list[Scene]) -> Tensor:
    """Scenes -> codes [B, I]"""
    return projection.encode(render_all(scenes))


class Interest:
    """Which image tokens are worth their place in a training sequence: those that are no plain background."""

    def __init__(self, projection: Projection):
        plain = [Scene((), name, colour, "single", "center") for name, colour in BACKGROUNDS.items()]
        self.plain = encode(projection, plain)[:, 0].unique()

    def tokens(self, codes: Tensor, more: int = 4) -> Tensor:
        """codes [B, I] -> tokens [B, K], ascending: those that show something, those just before them (which predict them), and
        at least `more` others at random. K is a multiple of 16: for each length oneDNN compiles its products anew and keeps them."""
        shown = ~torch.isin(codes, self.plain)
        shown[:, :-1] |= shown[:, 1:].clone()
        count = min(-(-(int(shown.sum(1).max()) + more) // 16) * 16, codes.shape[1])
        return (shown + torch.rand(codes.shape)).topk(count, 1).indices.sort(1).values


class Pool:
    """Scenes by seed, with their codes. A quarter of the seeds is off the token grid, for describing only."""

    def __init__(self, projection: Projection, capacity: int, image_length: int, first: int = 0):
        """Holds the scenes of the seeds first, first + 1, …; beyond `capacity` the oldest give way."""
        self.projection, self.first, self.grown = projection, first, 0
        self.codes = torch.zeros(capacity, image_length, dtype=torch.int16)

    @property
    def size(self) -> int:
        return min(self.grown, len(self.codes))

    @staticmethod
    def _scene(seed: int) -> Scene:
        return random_scene(random.Random(seed), free=seed % 4 == 0)

    def _seed(self, i: int) -> int:
        """Of the scene at index i: the newest seed that fell there."""
        capacity = len(self.codes)
        return self.first + i + (self.grown - 1 - i) // capacity * capacity

    def grow(self, count: int) -> None:
        scenes = [self._scene(self.first + self.grown + i) for i in range(count)]
        places = [(self.grown + i) % len(self.codes) for i in range(count)]
        self.codes[places] = encode(self.projection, scenes).to(torch.int16)
        self.grown += count

    def draw(
        self, rng: random.Random, count: int, gridded: bool, wanted: Callable[[Scene], bool]
    ) -> tuple[list[Scene], Tensor]:
        """Random wanted scenes with their codes [count, I]; `gridded` wants those on the token grid."""
        chosen, scenes = [], []
        while len(chosen) < count:
            i = rng.randrange(self.size)
            seed = self._seed(i)
            if gridded and seed % 4 == 0:
                continue
            scene = self._scene(seed)
            if wanted(scene):
                chosen.append(i)
                scenes.append(scene)
        return scenes, self.codes[chosen].long()


class Sampler:
    """Batches of all tasks. Special ids are replaced by the unknown ones in a quarter of the samples, as FBC2 did."""

    def __init__(self, config: Config, bpe: BPE, rng: random.Random):
        self.config, self.bpe, self.rng = config, bpe, rng
        self.everyday = 0.0  # how often a name is the everyday one for sure

    def _ids(self, text: str) -> list[int]:
        return self.bpe.encode(without_yo(text) if self.rng.random() < 0.1 else text)

    def _left(self, special: int, text: str) -> list[int]:
        special = LT_UNK if self.rng.random() < 0.25 else special
        return prompt(self.config, special, self._ids(text), self.config.l_text_seq_length)

    def _right(self, special: int, text: str) -> list[int]:
        special = RT_UNK if self.rng.random() < 0.25 else special
        return prompt(self.config, special, self.bpe.encode(text), self.config.r_text_seq_length)

    @staticmethod
    def _tensors(left: list[list[int]], right: list[list[int]]) -> tuple[Tensor, Tensor]:
        """-> left [B, L], right [B, <= R], cut to the longest text."""
        texts = torch.tensor(right)
        return torch.tensor(left), texts[:, : int((texts != 0).sum(1).max())]

    def _about(self, topic: str, scene: Scene) -> Question:
        return next(question for question in questions(self.rng, scene) if question.topic == topic)

    def _ask(self, left: list[list[int]], right: list[list[int]], question: Question) -> None:
        """Adds a question about a picture, and one of its answers."""
        left.append(self._left(LT_VQA, f"{ASK_PICTURE} {question.text}"))
        right.append(self._right(RT_VQA, self.rng.choice(question.answers)))

    def _caption(self, scene: Scene, keep: float = 0.0) -> str:
        return caption(self.rng, scene, keep, self.everyday)

    def text_to_image(self, scenes: list[Scene]) -> Tensor:
        """-> left [B, L]. A few prompts are empty, for guidance."""
        rows = []
        for scene in scenes:
            kind = self.rng.random()
            if kind < 0.04:
                rows.append(prompt(self.config, LT_UNK, [], self.config.l_text_seq_length))
            elif kind < 0.16:
                rows.append(self._left(LT_GEN, f"{GENERATE} {self._caption(scene)}"))
            else:
                rows.append(self._left(LT_T2I, self._caption(scene)))
        return torch.tensor(rows)

    def image_to_text(self, scenes: list[Scene]) -> tuple[Tensor, Tensor]:
        """Captions, upstream's and FBC2's; questions; reading. -> left [B, L], right [B, <= R]"""
        left, right = [], []
        for scene in scenes:
            kind = self.rng.random()
            if kind < 0.45:
                self._ask(left, right, self.rng.choice(questions(self.rng, scene)))
            elif scene.text and kind < 0.8:
                left.append(self._left(LT_REC, READ))
                right.append(self._right(RT_REC, scene.text))
            elif kind < 0.55:
                left.append(self._left(LT_CAP, DESCRIBE))
                right.append(self._right(RT_CAP, self._caption(scene, keep=0.9)))
            else:
                left.append(self._left(LT_I2T, ""))
                # Without the template now and then: texts to rank come without it.
                text = self._caption(scene, keep=0.7)
                right.append(self._right(RT_I2T, f"{TEMPLATE} {text}" if self.rng.random() < 0.85 else text))
        return self._tensors(left, right)

    def readings(self, scenes: list[Scene]) -> tuple[Tensor, Tensor]:
        """What is written, of scenes with writing. -> left [B, L], right [B, <= R]"""
        left, right = [], []
        for scene in scenes:
            if self.rng.random() < 0.7:
                left.append(self._left(LT_REC, READ))
                right.append(self._right(RT_REC, scene.text))
            else:
                self._ask(left, right, self._about("text", scene))
        return self._tensors(left, right)

    def places(self, scenes: list[Scene]) -> tuple[Tensor, Tensor, Tensor]:
        """Where something is, of scenes with several kinds. -> left [B, L], right [B, <= R], which sprite is meant [B]"""
        left, right, asked = [], [], []
        for scene in scenes:
            chosen = self._about("where", scene)
            self._ask(left, right, chosen)
            asked.append(chosen.sprite)
        return *self._tensors(left, right), torch.tensor(asked)

    def text_questions(self, count: int) -> tuple[Tensor, Tensor]:
        """Questions about told scenes, and sums: no picture. -> left [B, L], right [B, <= R]"""
        left, right = [], []
        for _ in range(count):
            if self.rng.random() < 0.4:  # sums take longer to learn
                scene = random_scene(self.rng)
                told = full_caption(self.rng, scene)
                chosen = self.rng.choice(questions(self.rng, scene, told=True))
                left.append(self._left(LT_TQA, f"{ASK_TEXT} {told}. {chosen.text}"))
                # The name that the text has, where it is one of the answers.
                answers = [answer for answer in chosen.answers if answer in told] or chosen.answers
                right.append(self._right(RT_TQA, self.rng.choice(answers)))
            else:
                text, answer = arithmetic.question(self.rng, self.rng.choice(arithmetic.TRAINING))
                left.append(self._left(LT_MQA, text))
                right.append(self._right(RT_MQA, answer))
        return self._tensors(left, right)

    def text_to_text(self, scenes: list[Scene], sums: int) -> Tensor:
        """Captions, and lines of sums. -> left [B, L]"""
        rows = []
        for scene in scenes:
            text = self._caption(scene)
            rows.append(self._left(LT_T2T, f"{TEMPLATE} {text}" if self.rng.random() < 0.3 else text))
        for _ in range(sums):
            rows.append(self._left(LT_T2T, arithmetic.line(self.rng.choices(arithmetic.TRAINING, k=5))))
        return torch.tensor(rows)
