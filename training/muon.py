"""Muon: momentum whose matrices are made orthogonal (Jordan et al. 2024), at AdamW's scale (Liu et al. 2025, arXiv 2502.16982).

torch.optim.Muon does the same, but multiplies in bfloat16 whatever the processor: without AVX-512 BF16 that takes longer than the step.
Here float32 does where bfloat16 is slow.
"""

import torch
from torch import Tensor

from .budget import half_precision

_A, _B, _C = 3.4445, -4.7750, 2.0315  # of the quintic iteration


def orthogonal(matrix: Tensor, rounds: int = 5) -> Tensor:
    """[n, m] -> about the nearest matrix with orthogonal rows or columns, by Newton and Schulz's iteration."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide / (wide.norm() + 1e-7)
    with half_precision():
        for _ in range(rounds):
            gram = x @ x.T
            x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=_B, alpha=_C), x, beta=_A)
    return x if wide is matrix else x.T


class Muon(torch.optim.Optimizer):
    """For the weight matrices of layers; embeddings, the head and vectors are AdamW's."""

    def __init__(self, weights: list[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.01):
        super().__init__(weights, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            for weight in group["params"]:
                state = self.state[weight]
                average = state.setdefault("momentum", torch.zeros_like(weight))
                average.lerp_(weight.grad, 1 - group["momentum"])
                update = orthogonal(weight.grad.lerp(average, group["momentum"]))
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(update, alpha=-group["lr"] * 0.2 * max(weight.shape) ** 0.5)
