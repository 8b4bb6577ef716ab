"""Logits and hidden states of a big checkpoint in PyTorch, compared with `rudolph-web forward`'s.

python scripts/fullsize/compare.py PRESET pytorch_model.bin ids.json forward.safetensors

The checkpoint's weights are mapped into memory and widened to float32 layer by layer: 2.7B needs about 1 GB. The model is
training/rudolph.py, which training/check_reference.py compares with upstream's code.
"""

import json
import sys
from dataclasses import fields
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from training.rudolph import Config, Layer, Rudolph, mask_kinds  # noqa: E402

# Relative to the largest value. Sums of 2,560 products and 32 layers in another order; measured differences are far below.
TOLERANCE = 1e-3


def part(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors under a prefix, widened."""
    return {name[len(prefix) :]: weight.float() for name, weight in state.items() if name.startswith(prefix)}


class Worst:
    """Collects the largest difference of many pieces."""

    def __init__(self, what: str):
        self.what, self.difference, self.scale = what, 0.0, 0.0

    def add(self, found: Tensor, expected: Tensor) -> None:
        self.difference = max(self.difference, (found - expected).abs().max().item())
        self.scale = max(self.scale, expected.abs().max().item())

    def report(self) -> bool:
        relative = self.difference / self.scale
        print(f"{self.what}: largest difference {self.difference:.2e}, largest value {self.scale:.1f}, ratio {relative:.1e}")
        return relative <= TOLERANCE


@torch.inference_mode()
def main() -> None:
    preset, checkpoint, ids_file, forward = sys.argv[1:]
    params = json.loads((ROOT / "test/fixtures/presets.json").read_text())[preset]["model_params"]
    config = Config(**{field.name: params[field.name] for field in fields(Config)})
    ids = torch.tensor(json.loads(Path(ids_file).read_text()))
    state = torch.load(checkpoint, mmap=True, weights_only=True)
    left, image = config.l_text_seq_length, config.image_length
    streams = [ids[:, :left], ids[:, left : left + image], ids[:, left + image :]]
    with torch.device("meta"):
        model, layer = Rudolph(config), Layer(config)
    embeddings = {name: weight for name, weight in state.items() if "embeddings" in name}
    model.load_state_dict(part(embeddings, ""), assign=True, strict=False)
    x = model.embed(*[stream for stream in streams if stream.shape[1] > 0])

    hidden, logits = Worst("hidden"), Worst("logits")
    length = ids.shape[1]
    with safe_open(forward, "pt") as result:
        states = result.get_slice("hidden")
        for i, kind in enumerate(mask_kinds(config.num_layers)):
            layer.load_state_dict(part(state, f"transformer.layers.{i}."), assign=True)
            x = layer(x, state[f"transformer.{kind}_mask"][:length, :length])
            hidden.add(states[i], x)
        model.transformer.final_layernorm.load_state_dict(part(state, "transformer.final_layernorm."), assign=True)
        model.to_logits.load_state_dict(part(state, "to_logits."), assign=True)
        expected = model.to_logits(model.transformer.final_layernorm(x))
        found = result.get_tensor("logits")
        logits.add(found, expected)
    same = (found.argmax(-1) == expected.argmax(-1)).float().mean().item()
    print(f"{preset}, {tuple(ids.shape)} ids: the most likely class is the same at {same:.1%} of the positions")
    if not all([hidden.report(), logits.report()]):
        sys.exit(f"that is more than {TOLERANCE}")


if __name__ == "__main__":
    main()
