"""Writes everything in upstream's formats: python -m training.export --rudolph last.pt --vqgan … --bpe … --out DIR"""

import argparse
import json
import shutil
from pathlib import Path

import torch

from . import atlas
from .bpe import BPE
from .heldout import FILE as HELDOUT
from .rudolph import SPECIAL_TOKENS, Rudolph
from .train_rudolph import make_config
from .train_vqgan import CONFIG as VQGAN_CONFIG


def state_dict(checkpoint: dict, model: Rudolph) -> dict[str, torch.Tensor]:
    """The averaged weights in float16, the masks as they are (bool)."""
    model.load_state_dict(checkpoint["model"])
    model.load_state_dict(checkpoint["average"], strict=False)
    state = {key: value if value.dtype == torch.bool else value.half() for key, value in model.state_dict().items()}
    assert all(value.isfinite().all() for value in state.values())
    return {key: value.contiguous() for key, value in state.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    here = Path(__file__).parent
    runs = here / "runs"
    parser.add_argument("--rudolph", type=Path, default=runs / "rudolph" / "last.pt")
    parser.add_argument("--vqgan", type=Path, default=runs / "vqgan_decoder.ckpt")
    parser.add_argument("--bpe", type=Path, default=runs / "bpe.model")
    parser.add_argument("--out", type=Path, default=here / "out")
    arguments = parser.parse_args()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)

    config = make_config(BPE.load(arguments.bpe))
    checkpoint = torch.load(arguments.rudolph, weights_only=True)
    torch.save(state_dict(checkpoint, Rudolph(config)), out / "pytorch_model.bin")
    for source, name in ((arguments.vqgan, "vqgan.ckpt"), (arguments.bpe, "bpe.model"), (HELDOUT, "heldout.json"),
                         (here / "metadata.json", "metadata.json")):  # fmt: skip
        if source.resolve() != (out / name).resolve():
            shutil.copyfile(source, out / name)
    special = {name: config.bpe_vocabulary + i for i, name in enumerate(SPECIAL_TOKENS)}
    settings = {"rudolph": config.to_dict(), "vqgan": VQGAN_CONFIG, "special_tokens": special}
    (out / "config.json").write_text(json.dumps(settings) + "\n")
    atlas.write(out)
    for file in sorted(out.iterdir()):
        print(f"{file.stat().st_size:>10,} {file.name}")


if __name__ == "__main__":
    main()
