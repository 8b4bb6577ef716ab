"""Checks the implementations against upstream's numbers: python -m training.check_reference FOLDER

FOLDER holds presets.json and a bundle tiny-a/ (the models' files, tokenizer_cases.json, cases.safetensors).
"""

import hashlib
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

from . import rudolph, vqgan
from .bpe import BPE


def report(name: str, difference: torch.Tensor) -> None:
    worst = difference.abs().max().item()
    print(f"{name:24} {worst:.1e}")
    assert worst < 1e-3, name


def check_vqgan(bundle: Path, config: dict, cases: dict) -> None:
    model = vqgan.VQGAN(config["vqgan"]).eval()
    model.load_state_dict(vqgan.load_state(bundle / "vqgan.ckpt"))
    for k in range(4):
        logits = model.code_logits(cases[f"preprocess.{k}.pixels"][None] / 255)[0]
        report(f"vqgan.encode.{k}", logits - cases[f"vqgan.encode.{k}.logits"])
        image = model.decode(cases[f"vqgan.encode.{k}.indices"][None].long())[0]
        report(f"vqgan.decode.{k}", image - cases[f"vqgan.decode.{k}.image"])


def check_transformer(bundle: Path, config: dict, cases: dict) -> None:
    settings = rudolph.Config(**config["rudolph"])
    model = rudolph.Rudolph(settings).eval()
    computed = {kind: mask.clone() for kind, mask in model.transformer.named_buffers()}
    state = torch.load(bundle / "pytorch_model.bin", weights_only=True)
    model.load_state_dict(state)
    for kind, mask in computed.items():
        report(kind, mask.float() - state[f"transformer.{kind}"].float())
    left, image = settings.l_text_seq_length, settings.image_length
    for case in ("left", "image", "full"):
        ids = cases[f"forward.{case}.ids"].long()
        streams = [part for part in ids.tensor_split([left, left + image], dim=1) if part.shape[1]]
        report(f"forward.{case}", model(*streams) - cases[f"forward.{case}.logits"])


def check_masks(presets: dict) -> None:
    """Upstream's masks of the published sizes, by their hash."""
    fields = rudolph.Config.__dataclass_fields__
    for name in ("350M", "1.3B", "2.7B", "2.7B_fbc2"):
        config = rudolph.Config(**{k: v for k, v in presets[name]["model_params"].items() if k in fields})
        assert rudolph.mask_kinds(config.num_layers) == presets[name]["layer_mask_kinds"], name
        for kind, mask in rudolph.build_masks(config).items():
            digest = hashlib.sha256(mask.to(torch.uint8).numpy().tobytes()).hexdigest()
            assert digest == presets[name]["masks"][f"{kind}_mask"]["sha256_of_row_major_bytes"], (name, kind)
    print("masks of the published sizes agree")


def check_tokenizer(bundle: Path) -> None:
    cases, bpe = json.loads((bundle / "tokenizer_cases.json").read_text()), BPE.load(bundle / "bpe.model")
    assert [bpe.pieces[i] for i in range(bpe.vocabulary)] == cases["vocab"]
    for case in cases["encode"]:
        assert bpe.encode(case["text"]) == case["ids"], case
    print(f"{len(cases['encode'])} texts tokenize alike")


@torch.inference_mode()
def main() -> None:
    folder = Path(sys.argv[1])
    bundle = folder / "tiny-a"
    config = json.loads((bundle / "config.json").read_text())
    cases = load_file(bundle / "cases.safetensors")
    check_tokenizer(bundle)
    check_masks(json.loads((folder / "presets.json").read_text()))
    check_vqgan(bundle, config, cases)
    check_transformer(bundle, config, cases)


if __name__ == "__main__":
    main()
