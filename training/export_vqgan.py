"""Writes the trained image tokenizer as upstream's checkpoint: python -m training.export_vqgan last.pt vqgan.ckpt"""

import sys

import torch

from .train_vqgan import CONFIG
from .vqgan import VQGAN


def main() -> None:
    source, target = sys.argv[1:3]
    state = torch.load(source, weights_only=True)
    model = VQGAN(CONFIG)
    model.load_state_dict(state["model"])
    # Round first, so that the projection's norms are those of the codebook as stored.
    model.half().float().to_gumbel()
    weights = {key: value.half().contiguous() for key, value in model.state_dict().items()}
    assert all(value.isfinite().all() for value in weights.values())
    torch.save({"state_dict": weights, "global_step": state["step"]}, target)
    print(f"{sum(value.numel() for value in weights.values()):,} weights")


if __name__ == "__main__":
    main()
