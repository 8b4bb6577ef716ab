"""The peer: RUDOLPH's transformer and image decoder as ONNX, for onnxruntime.

    python bench/peer/export_onnx.py --out DIR                     the embedded model, as it ships
    python bench/peer/export_onnx.py --out DIR --preset 350M       the shapes of a preset, random weights

Run from the repository's root; needs `onnx` on top of training/requirements.txt. Writes into DIR, for f32 and f16:
step-<type>.onnx (one graph for the prompt and for each further token) and decoder-<type>.onnx, weights beside them as <name>.data, and
peer.json with the sizes. `npm run bench -- --peer` calls it.

What a user of onnxruntime gets, and where it is meant kindly:
- one graph with dynamic shapes and `past` → `present` keys and values, as Optimum exports and transformers.js runs decoders;
- GELU is onnxruntime's FastGelu with the bias inside, LayerNormalization is one node. Attention is MatMul, Add, Softmax, MatMul:
  onnxruntime 1.30's fused MultiHeadAttention with a mask (`--attention fused`) is off by 0.1 on its WebGPU provider (the CPU's is exact). All weights are constants, so that onnxruntime may lay them out as it likes;
- logits of the last position only, and only of the classes that are drawn;
- upstream's clamp of the attention's output to fp16's range is left out: no value comes near.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

PRESETS = {
    # layers, hidden, heads, (left, image side, right), text and image special tokens, (conv, last conv kernel): src/convert/config.ts
    "350M": (24, 1024, 16, (64, 16, 64), 384, 384, (7, 9)),
    "1.3B": (24, 2048, 16, (128, 32, 128), 2048, 64, (9, 11)),
    "2.7B": (32, 2560, 32, (384, 24, 128), 1024, 1024, (7, 9)),
}
PRESET_VQGAN = {
    "channels": 128, "multipliers": [1, 1, 2, 4], "residualBlocks": 2, "zChannels": 256, "embeddingSize": 256, "codes": 8192,
    "attentionLevels": [3], "imageChannels": 3,
}  # fmt: skip
EPSILON = 1e-5
OPSET = 18
MICROSOFT = "com.microsoft"


# Weights ----------------------------------------------------------------------------------------------------------------------------

PATTERN_LENGTH = 2**24


def pattern() -> np.ndarray:
    """The random numbers of bench/randomModel.ts, bit by bit: ±1/16, exact in fp16."""
    h = np.arange(PATTERN_LENGTH, dtype=np.uint32) * np.uint32(2654435761)
    h ^= h >> np.uint32(15)
    h *= np.uint32(2246822519)
    h ^= h >> np.uint32(13)
    return (((h >> np.uint32(8)) & np.uint32(0xFFF)).astype(np.float32) - 2048) / 2**15


class RandomWeights:
    """Values of a tensor by its name in the web model, as bench/randomModel.ts gives them."""

    def __init__(self):
        self.pattern = pattern()

    def matrix(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        h = 2166136261
        for byte in name.encode():
            h = ((h ^ byte) * 16777619) & 0xFFFFFFFF
        start = (h * 8) % PATTERN_LENGTH
        count = int(np.prod(shape))
        return np.resize(np.roll(self.pattern, -start), count).reshape(shape)

    def gain(self, name: str, width: int) -> np.ndarray:
        return np.ones(width, np.float32)

    def bias(self, name: str, width: int) -> np.ndarray:
        return np.zeros(width, np.float32)


def random_transformer(config: dict) -> dict[str, np.ndarray]:
    """-> weights under training/rudolph.py's names"""
    random, h = RandomWeights(), config["hidden"]
    text, image = config["textVocabulary"], config["imageVocabulary"]
    weights = {}
    for name, key, rows in (
        ("text_embeddings", "text_embeddings", text), ("image_embeddings", "image_embeddings", image),
        ("left_positions", "l_text_pos_embeddings", config["leftLength"] + 1), ("image_rows", "image_row_embeddings", config["imageSide"]),
        ("image_columns", "image_col_embeddings", config["imageSide"]),
    ):  # fmt: skip
        weights[f"{key}.weight"] = random.matrix(name, (rows, h))
    for i in range(config["layers"]):
        at = f"transformer.layers.{i}"
        for norm in ("input_layernorm", "before_first_addition_layernorm", "post_attention_layernorm", "before_second_addition_layernorm"):
            weights[f"{at}.{norm}.weight"], weights[f"{at}.{norm}.bias"] = random.gain(norm, h), random.bias(norm, h)
        for name, key, rows, columns in (
            ("qkv", "attention.query_key_value", 3, 1), ("attention_out", "attention.dense", 1, 1),
            ("mlp_in", "mlp.dense_h_to_4h", 4, 1), ("mlp_out", "mlp.dense_4h_to_h", 1, 4),
        ):  # fmt: skip
            weights[f"{at}.{key}.weight"] = random.matrix(f"layers.{i}.{name}.weight", (rows * h, columns * h))
            weights[f"{at}.{key}.bias"] = random.bias(name, rows * h)
    for norm in ("transformer.final_layernorm", "to_logits.0"):
        weights[f"{norm}.weight"], weights[f"{norm}.bias"] = random.gain(norm, h), random.bias(norm, h)
    # The image classes only: the rows behind the text classes.
    weights["to_logits.1.weight"] = random.matrix("image_logits.weight", (image, h))
    weights["to_logits.1.bias"] = random.bias("image_logits", image)
    return weights


class RandomDecoder(dict):
    """Weights of a VQGAN's decoder, made when they are asked for; convolutions [out, in, ky, kx]."""

    def __init__(self):
        super().__init__()
        self.random = RandomWeights()

    def conv(self, name: str, out: int, inputs: int, size: int) -> np.ndarray:
        # Stored as [out, ky, kx, in] in the web model.
        return self.random.matrix(f"{name}.weight", (out, size, size, inputs)).transpose(0, 3, 1, 2)


# Graphs -----------------------------------------------------------------------------------------------------------------------------


class Graph:
    """Collects nodes; every method returns the name of its result."""

    def __init__(self, kind: str):
        self.kind = kind
        self.type = np.float16 if kind == "f16" else np.float32
        self.onnx_type = TensorProto.FLOAT16 if kind == "f16" else TensorProto.FLOAT
        self.nodes, self.constants, self.inputs, self.outputs = [], [], [], []
        self.known: dict[str, str] = {}

    def constant(self, name: str, value: np.ndarray) -> str:
        if name not in self.known:
            self.known[name] = name
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def weight(self, name: str, value) -> str:
        return self.constant(name, np.asarray(value, np.float32).astype(self.type))

    def integers(self, *values: int) -> str:
        return self.constant(f"integers {values}", np.array(values, np.int64))

    def node(self, op: str, *inputs: str, outputs: list[str] | int = 1, domain: str = "", **attributes):
        names = outputs if isinstance(outputs, list) else [f"{op}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=f"{op}_{len(self.nodes)}", domain=domain, **attributes))
        return names[0] if len(names) == 1 else names

    def input(self, name: str, kind: int, shape: list) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, name: str, kind: int, shape: list) -> None:
        self.outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def save(self, path: Path) -> None:
        graph = helper.make_graph(self.nodes, path.stem, self.inputs, self.outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)], ir_version=9)
        data = f"{path.stem}.data"
        (path.parent / data).unlink(missing_ok=True)  # it would be appended to
        onnx.save_model(model, path, save_as_external_data=True, all_tensors_to_one_file=True, location=data, size_threshold=1024)


def standard_masks(config: dict, length: int) -> dict[str, np.ndarray]:
    """Kind -> [length, length]: 0 where allowed, else -1e4 (training/rudolph.py's build_masks)."""
    d, left = config["imageSide"], config["leftLength"]
    token = np.arange(d * d)
    row, column = token // d, token % d
    rows_up, columns_off = row[:, None] - row[None, :], np.abs(column[:, None] - column[None, :])

    def box(kernel: int) -> np.ndarray:
        return (rows_up <= kernel // 2) & (columns_off <= kernel // 2)

    within = {
        "row": token[:, None] - token[None, :] <= d, "column": columns_off == 0,
        "conv": box(config["convKernel"]), "lastConv": box(config["lastConvKernel"]),
    }  # fmt: skip
    masks = {}
    for kind, allowed in within.items():
        mask = np.tril(np.ones((length, length), bool))
        mask[left:, left:] &= allowed
        masks[kind] = np.where(mask, 0, -1e4)
    return masks


def transformer(config: dict, weights: dict, kind: str, attention: str, path: Path) -> None:
    """
    input_ids [B, S] int32: text ids (pads as their own classes), image ids from V on; position_ids [S] int32: places in the sequence;
    past_key_<i>, past_value_<i> [B, heads, P, width] -> logits [B, image classes] f32 behind the last position, present_… [B, heads, P + S, width]
    """
    g = Graph(kind)
    h, heads, d, left = config["hidden"], config["heads"], config["imageSide"], config["leftLength"]
    width, length = h // heads, left + d * d
    classes = config["imageVocabulary"] - config["imageSpecialTokens"]
    get = lambda name: np.asarray(weights[name], np.float32)  # noqa: E731

    ids = g.input("input_ids", TensorProto.INT32, ["batch", "new"])
    positions = g.input("position_ids", TensorProto.INT32, ["new"])
    tokens = g.weight("embeddings", np.concatenate([get("text_embeddings.weight"), get("image_embeddings.weight")]))
    places = get("image_row_embeddings.weight")[:, None] + get("image_col_embeddings.weight")[None]
    table = g.weight("positions", np.concatenate([get("l_text_pos_embeddings.weight")[:left], places.reshape(d * d, h)]))
    x = g.node("Add", g.node("Gather", tokens, ids), g.node("Gather", table, positions))

    past = [[g.input(f"past_{what}_{i}", g.onnx_type, ["batch", heads, "past", width]) for what in ("key", "value")] for i in range(config["layers"])]
    total = g.node("Add", g.node("Shape", past[0][0], start=2, end=3), g.node("Shape", ids, start=1, end=2))
    masks = {}
    for name, mask in standard_masks(config, length).items():
        rows = g.node("Gather", g.weight(f"mask {name}", mask), positions)
        cut = g.node("Slice", rows, g.integers(0), total, g.integers(1))
        masks[name] = g.node("Unsqueeze", cut, g.integers(0, 1))

    def norm(x: str, key: str) -> str:
        return g.node("LayerNormalization", x, g.weight(f"{key}.weight", get(f"{key}.weight")), g.weight(f"{key}.bias", get(f"{key}.bias")), axis=-1, epsilon=EPSILON)

    def multiply(x: str, key: str, rows: slice = slice(None), name: str = "") -> str:
        return g.node("MatMul", x, g.weight(f"{key}{name}.weight", get(f"{key}.weight")[rows].T))

    def linear(x: str, key: str, rows: slice = slice(None), name: str = "") -> str:
        return g.node("Add", multiply(x, key, rows, name), g.weight(f"{key}{name}.bias", get(f"{key}.bias")[rows]))

    for i, mask in enumerate(config["layerMasks"]):
        at = f"transformer.layers.{i}"
        normed = norm(x, f"{at}.input_layernorm")
        q, k, v = g.node("Split", linear(normed, f"{at}.attention.query_key_value"), outputs=3, axis=-1, num_outputs=3)
        present = [f"present_{what}_{i}" for what in ("key", "value")]
        if attention == "fused":
            attended = g.node(
                "MultiHeadAttention", q, k, v, "", "", masks[mask], *past[i],
                outputs=[f"attended_{i}", *present], domain=MICROSOFT, num_heads=heads, scale=width**-0.5,
            )[0]  # fmt: skip
        else:
            shape = g.integers(0, 0, heads, width)
            split = [g.node("Transpose", g.node("Reshape", part, shape), perm=[0, 2, 1, 3]) for part in (q, k, v)]
            keys, values = (g.node("Concat", past[i][j], split[1 + j], outputs=[present[j]], axis=2) for j in range(2))
            scaled = g.node("Mul", split[0], g.weight("scale", width**-0.5))
            scores = g.node("Add", g.node("MatMul", scaled, g.node("Transpose", keys, perm=[0, 1, 3, 2])), masks[mask])
            mixed = g.node("MatMul", g.node("Softmax", scores, axis=-1), values)
            attended = g.node("Reshape", g.node("Transpose", mixed, perm=[0, 2, 1, 3]), g.integers(0, 0, h))
        for name in present:
            g.output(name, g.onnx_type, ["batch", heads, "total", width])
        x = g.node("Add", x, norm(linear(attended, f"{at}.attention.dense"), f"{at}.before_first_addition_layernorm"))
        inner = multiply(norm(x, f"{at}.post_attention_layernorm"), f"{at}.mlp.dense_h_to_4h")
        bias = g.weight(f"{at}.mlp.dense_h_to_4h.bias", get(f"{at}.mlp.dense_h_to_4h.bias"))
        branch = linear(g.node("FastGelu", inner, bias, domain=MICROSOFT), f"{at}.mlp.dense_4h_to_h")
        x = g.node("Add", x, norm(branch, f"{at}.before_second_addition_layernorm"))

    last = g.node("Slice", x, g.integers(-1), g.integers(2**62), g.integers(1))
    last = g.node("Reshape", last, g.integers(0, h))
    normed = norm(norm(last, "transformer.final_layernorm"), "to_logits.0")
    first = len(get("to_logits.1.bias")) - config["imageVocabulary"]
    logits = linear(normed, "to_logits.1", slice(first, first + classes))
    g.node("Cast" if kind == "f16" else "Identity", logits, outputs=["logits"], **({"to": TensorProto.FLOAT} if kind == "f16" else {}))
    g.outputs.insert(0, helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes]))
    g.save(path)


def decoder(vqgan: dict, weights, kind: str, path: Path) -> None:
    """codes [B, side · side] int32 -> image [B, 3, 8 · side, 8 · side] f32 in 0…1. GroupNorm as torch's exporter writes it."""
    g = Graph(kind)
    random = isinstance(weights, RandomDecoder)
    widths = [vqgan["channels"] * m for m in vqgan["multipliers"]]

    def conv(x: str, name: str, out: int, inputs: int, size: int) -> str:
        values = weights.conv(name, out, inputs, size) if random else weights[f"{name}.weight"]
        bias = np.zeros(out) if random else weights[f"{name}.bias"]
        pad = size // 2
        return g.node("Conv", x, g.weight(f"{name}.weight", values), g.weight(f"{name}.bias", bias), kernel_shape=[size, size], pads=[pad] * 4)

    def group_norm(x: str, name: str, width: int) -> str:
        gain, bias = (np.ones(width), np.zeros(width)) if random else (weights[f"{name}.weight"], weights[f"{name}.bias"])
        groups = g.node("Reshape", x, g.integers(0, 32, -1))
        ones, zeros = g.weight("ones", np.ones(32)), g.weight("zeros", np.zeros(32))
        normed = g.node("Reshape", g.node("InstanceNormalization", groups, ones, zeros, epsilon=1e-6), g.node("Shape", x))
        scaled = g.node("Mul", normed, g.weight(f"{name}.weight", np.reshape(gain, (width, 1, 1))))
        return g.node("Add", scaled, g.weight(f"{name}.bias", np.reshape(bias, (width, 1, 1))))

    def swish(x: str) -> str:
        return g.node("Mul", x, g.node("Sigmoid", x))

    def block(x: str, name: str, inputs: int, out: int) -> str:
        h = conv(swish(group_norm(x, f"{name}.norm1", inputs)), f"{name}.conv1", out, inputs, 3)
        h = conv(swish(group_norm(h, f"{name}.norm2", out)), f"{name}.conv2", out, out, 3)
        return g.node("Add", x if inputs == out else conv(x, f"{name}.nin_shortcut", out, inputs, 1), h)

    def attend(x: str, name: str, width: int) -> str:
        normed = group_norm(x, f"{name}.norm", width)
        flat = g.integers(0, 0, -1)
        q, k, v = (g.node("Reshape", conv(normed, f"{name}.{part}", width, width, 1), flat) for part in "qkv")
        scaled = g.node("Mul", g.node("Transpose", q, perm=[0, 2, 1]), g.weight(f"scale {width}", width**-0.5))
        shares = g.node("Softmax", g.node("MatMul", scaled, k), axis=-1)
        mixed = g.node("MatMul", v, g.node("Transpose", shares, perm=[0, 2, 1]))
        return g.node("Add", x, conv(g.node("Reshape", mixed, g.node("Shape", x)), f"{name}.proj_out", width, width, 1))

    codes = g.input("codes", TensorProto.INT32, ["batch", "tokens"])
    side = vqgan["side"]
    table = weights.random.matrix("quantize.embed.weight", (vqgan["codes"], vqgan["embeddingSize"])) if random else weights["quantize.embed.weight"]
    z = g.node("Transpose", g.node("Gather", g.weight("codebook", table), codes), perm=[0, 2, 1])
    x = g.node("Reshape", z, g.integers(0, vqgan["embeddingSize"], side, side))
    x = conv(x, "post_quant_conv", vqgan["zChannels"], vqgan["embeddingSize"], 1)
    width = widths[-1]
    x = conv(x, "decoder.conv_in", width, vqgan["zChannels"], 3)
    x = block(x, "decoder.mid.block_1", width, width)
    x = attend(x, "decoder.mid.attn_1", width)
    x = block(x, "decoder.mid.block_2", width, width)
    for level in reversed(range(len(widths))):
        for i in range(vqgan["residualBlocks"] + 1):
            x = block(x, f"decoder.up.{level}.block.{i}", width, widths[level])
            width = widths[level]
            if level in vqgan["attentionLevels"]:
                x = attend(x, f"decoder.up.{level}.attn.{i}", width)
        if level > 0:
            scales = g.constant("scales", np.array([1, 1, 2, 2], np.float32))
            x = g.node("Resize", x, "", scales, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
            x = conv(x, f"decoder.up.{level}.upsample.conv", width, width, 3)
    x = conv(swish(group_norm(x, "decoder.norm_out", width)), "decoder.conv_out", vqgan["imageChannels"], width, 3)
    half = g.weight("half", 0.5)
    x = g.node("Clip", g.node("Add", g.node("Mul", x, half), half), g.weight("zero", 0), g.weight("one", 1))
    g.node("Cast" if kind == "f16" else "Identity", x, outputs=["image"], **({"to": TensorProto.FLOAT} if kind == "f16" else {}))
    g.output("image", TensorProto.FLOAT, ["batch", 3, 8 * side, 8 * side])
    g.save(path)


# ------------------------------------------------------------------------------------------------------------------------------------


def layer_masks(layers: int) -> list[str]:
    kinds = {"row": "row", "col": "column", "conv": "conv", "last_conv": "lastConv"}
    from training.rudolph import mask_kinds

    return [kinds[kind] for kind in mask_kinds(layers)]


def preset_config(name: str) -> dict:
    layers, hidden, heads, (left, side, right), text, image, (conv, last) = PRESETS[name]
    return {
        "layers": layers, "hidden": hidden, "heads": heads, "leftLength": left, "imageSide": side, "rightLength": right,
        "textVocabulary": 16384 + text + left, "textSpecialTokens": text, "imageVocabulary": 8192 + image, "imageSpecialTokens": image,
        "convKernel": conv, "lastConvKernel": last, "layerMasks": layer_masks(layers),
    }  # fmt: skip


def shipped(folder: Path, checkpoints: Path | None) -> tuple[dict, dict, dict]:
    """-> manifest, transformer weights, image tokenizer weights of a web model"""
    import torch

    manifest = json.loads((folder / "rudolph.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as temporary:
        if checkpoints is None:
            checkpoints = Path(temporary)
            call = [sys.executable, "-m", "training.from_bundle", str(folder.resolve()), "--out", str(checkpoints)]
            subprocess.run(call, cwd=ROOT, check=True, stdout=sys.stderr)
        load = lambda name, key: torch.load(checkpoints / name, map_location="cpu", weights_only=True)[key]  # noqa: E731
        return manifest, load("rudolph.pt", "average"), load("vqgan.ckpt", "state_dict")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=ROOT / "public" / "models" / "embedded", help="folder of a web model")
    parser.add_argument("--checkpoints", type=Path, help="what training.from_bundle wrote, instead of calling it")
    parser.add_argument("--source-hash", help="written into peer.json: which edition of the model this is")
    parser.add_argument("--preset", choices=PRESETS, help="random weights of these shapes instead of --model")
    parser.add_argument("--types", default="f32,f16")
    parser.add_argument("--attention", choices=["fused", "plain"], default="plain")
    arguments = parser.parse_args()
    if arguments.preset:
        config, vqgan = preset_config(arguments.preset), dict(PRESET_VQGAN)
        weights, image_weights = random_transformer(config), RandomDecoder()
    else:
        manifest, weights, image_weights = shipped(arguments.model, arguments.checkpoints)
        config, vqgan = manifest["config"], manifest["imageTokenizer"]
        if config["masks"]["form"] != "standard":
            sys.exit("only models with standard masks can be exported")
    vqgan["side"] = config["imageSide"]
    arguments.out.mkdir(parents=True, exist_ok=True)
    for kind in arguments.types.split(","):
        transformer(config, weights, kind, arguments.attention, arguments.out / f"step-{kind}.onnx")
        decoder(vqgan, image_weights, kind, arguments.out / f"decoder-{kind}.onnx")
    description = {"attention": arguments.attention, "types": arguments.types.split(","), "config": config, "source": arguments.source_hash}
    (arguments.out / "peer.json").write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
    print(f"{config['layers']} layers of {config['hidden']} → {arguments.out}")


if __name__ == "__main__":
    main()
