"""Between a run and the one that went on from it: python -m training.blend earlier.pt later.pt --share 0.7 --out blend.pt

The straight line between weights before and after fine-tuning is often better than either end (WiSE-FT, Wortsman et al. 2022).
"""

import argparse
from pathlib import Path

import torch

from .budget import save


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("earlier", type=Path)
    parser.add_argument("later", type=Path)
    parser.add_argument("--share", type=float, default=0.7, help="of the later one")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("runs") / "blend.pt")
    arguments = parser.parse_args()
    earlier, later = (torch.load(path, weights_only=True) for path in (arguments.earlier, arguments.later))
    average = {name: torch.lerp(weight, later["average"][name], arguments.share) for name, weight in earlier["average"].items()}
    save(arguments.out, model=later["model"], average=average)


if __name__ == "__main__":
    main()
