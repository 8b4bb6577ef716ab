"""The shipped model as checkpoints again: python -m training.from_bundle [FOLDER] --out DIR

Writes bpe.model, vqgan.ckpt and rudolph.pt, from which `fit_tokenizer --keep` and `carry_over` go on: what training leaves behind
is the model in the repository, not the machine it ran on.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .rudolph import Config, Rudolph

TYPES = {"f16": np.float16, "f32": np.float32, "u8": np.uint8}


def read_tensors(folder: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """-> manifest, tensors by name (rows' padding removed)"""
    manifest = json.loads((folder / "rudolph.json").read_text(encoding="utf-8"))
    data = {
        name: b"".join((folder / shard["file"]).read_bytes() for shard in component["shards"])
        for name, component in manifest["components"].items()
    }
    tensors = {}
    for entry in manifest["tensors"]:
        kind, stride = TYPES[entry["dtype"]], entry["rowStride"]
        begin = entry["offset"]
        flat = np.frombuffer(data[entry["component"]][begin : begin + entry["byteLength"]], kind)
        columns = entry["shape"][-1] if len(entry["shape"]) < 3 else int(np.prod(entry["shape"][1:]))
        tensors[entry["name"]] = flat.reshape(-1, stride)[:, :columns].reshape(entry["shape"])
    return manifest, tensors


NORMS = ("input_layernorm", "before_first_addition_layernorm", "post_attention_layernorm", "before_second_addition_layernorm")
MATRICES = {
    "qkv": "attention.query_key_value", "attention_out": "attention.dense",
    "mlp_in": "mlp.dense_h_to_4h", "mlp_out": "mlp.dense_4h_to_h",
}  # fmt: skip
TABLES = {
    "text_embeddings": "text_embeddings", "image_embeddings": "image_embeddings", "left_positions": "l_text_pos_embeddings",
    "right_positions": "r_text_pos_embeddings", "image_rows": "image_row_embeddings", "image_columns": "image_col_embeddings",
}  # fmt: skip


def rudolph_config(manifest: dict) -> Config:
    config = manifest["config"]
    return Config(
        num_layers=config["layers"],
        vocab_size=config["textVocabulary"] - config["textSpecialTokens"],
        hidden_size=config["hidden"],
        num_attention_heads=config["heads"],
        l_text_seq_length=config["leftLength"],
        r_text_seq_length=config["rightLength"],
        kernel_size=config["convKernel"],
        last_kernel_size=config["lastConvKernel"],
        image_tokens_per_dim=config["imageSide"],
        image_vocab_size=config["imageVocabulary"] - config["imageSpecialTokens"],
        text_special_tokens=config["textSpecialTokens"],
        image_special_tokens=config["imageSpecialTokens"],
    )


def rudolph_weights(tensors: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """The reverse of the converter's plan (src/convert/plan.ts)."""
    weights = {f"{key}.weight": tensors[name] for name, key in TABLES.items()}

    def norms(stack: Tensor, keys: list[str]) -> None:
        for i, key in enumerate(keys):
            weights[f"{key}.weight"], weights[f"{key}.bias"] = stack[2 * i], stack[2 * i + 1]

    for layer in range(layers):
        at = f"transformer.layers.{layer}"
        norms(tensors[f"layers.{layer}.norms"], [f"{at}.{norm}" for norm in NORMS])
        for name, key in MATRICES.items():
            for part in ("weight", "bias"):
                weights[f"{at}.{key}.{part}"] = tensors[f"layers.{layer}.{name}.{part}"]
    norms(tensors["final.norms"], ["transformer.final_layernorm", "to_logits.0"])
    for part in ("weight", "bias"):
        weights[f"to_logits.1.{part}"] = torch.cat([tensors[f"{kind}_logits.{part}"] for kind in ("text", "image")])
    return weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    here = Path(__file__).parent
    parser.add_argument("folder", type=Path, nargs="?", default=here.parent / "public" / "models" / "embedded")
    parser.add_argument("--out", type=Path, default=here / "runs" / "shipped")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    manifest, arrays = read_tensors(arguments.folder)
    (arguments.out / "bpe.model").write_bytes(arrays.pop("bpe.model").tobytes())
    tensors = {name: torch.from_numpy(array.astype(np.float32)) for name, array in arrays.items()}
    config = rudolph_config(manifest)
    model = Rudolph(config)
    weights = rudolph_weights(tensors, config.num_layers)
    for name, weight in model.named_parameters():
        assert weights[name].shape == weight.shape, f"{name}: {list(weights[name].shape)}, expected {list(weight.shape)}"
    torch.save({"average": weights}, arguments.out / "rudolph.pt")

    components = {entry["name"]: entry["component"] for entry in manifest["tensors"]}
    vqgan = {name: weight for name, weight in tensors.items() if components[name] in ("imageEncoder", "imageDecoder")}
    # The web model's convolutions are [out, kernel, kernel, in].
    vqgan = {name: weight.permute(0, 3, 1, 2) if weight.dim() == 4 else weight for name, weight in vqgan.items()}
    torch.save({"state_dict": {name: weight.contiguous() for name, weight in vqgan.items()}}, arguments.out / "vqgan.ckpt")
    print(f"{config.num_layers} layers of {config.hidden_size}, {len(tensors)} tensors → {arguments.out}")


if __name__ == "__main__":
    main()
