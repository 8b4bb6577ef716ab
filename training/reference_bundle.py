"""Makes a small random bundle for `rudolph-web parity`: python -m training.reference_bundle TINY_A OUT

For shapes that upstream's own bundle TINY_A does not have: 3 heads of 40, a number of layers that is no multiple of 4, no
special tokens, fp16 masks of the time when right text did not see left text (350M_v1). The numbers come from this
folder's implementation, which `training.check_reference` compares with upstream's. Tokenizer and image tokenizer are TINY_A's.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from .bpe import BPE
from .rudolph import Config, Rudolph

CONFIG = Config(
    num_layers=6,  # the last layer is a column one: that test comes before "is it the last"
    vocab_size=400 + 12,
    hidden_size=120,
    num_attention_heads=3,
    l_text_seq_length=12,
    r_text_seq_length=20,
    kernel_size=3,
    last_kernel_size=5,
    image_tokens_per_dim=5,
    image_vocab_size=64,
    text_special_tokens=0,
    image_special_tokens=0,
)
SHARED = ("bpe.model", "vqgan.ckpt", "tokenizer_cases.json")
PROMPT = "красный круг"


def random_model(config: Config) -> Rudolph:
    """Weights large enough to matter, exactly representable in fp16; right text does not see left text."""
    model = Rudolph(config).eval()
    for name, weight in model.named_parameters():
        gain = "norm" in name and name.endswith("weight")
        weight.normal_(1.0 if gain else 0.0, 0.2 if weight.dim() == 1 else 0.15 if "layers" in name else 0.5)
        weight.copy_(weight.half().float())
    left, image = config.l_text_seq_length, config.image_length
    for mask in model.transformer.buffers():
        mask[left + image :, :left] = False
    return model


def outputs(model: Rudolph, streams: list[Tensor]) -> dict[str, Tensor]:
    """ids [B, S], logits [B, S, classes], hidden [layers, B, S, hidden]"""
    x, states = model.embed(*streams), []
    length = x.shape[1]
    for layer, kind in zip(model.transformer.layers, model.transformer.kinds):
        x = layer(x, getattr(model.transformer, f"{kind}_mask")[:length, :length])
        states.append(x)
    return {"ids": torch.cat(streams, 1).int(), "logits": model(*streams), "hidden": torch.stack(states)}


def greedy_picture(model: Rudolph, left: list[int]) -> list[int]:
    first = model.config.text_vocabulary
    tokens: list[int] = []
    for _ in range(model.config.image_length):
        streams = [torch.tensor([left])] + ([torch.tensor([tokens])] if tokens else [])
        tokens.append(int(model(*streams)[0, -1, first : first + model.config.image_vocab_size].argmax()))
    return tokens


@torch.inference_mode()
def main() -> None:
    tiny_a, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(3)
    config = CONFIG
    model = random_model(config)

    text = lambda length: torch.randint(1, config.bpe_vocabulary, (2, length))
    left, right = text(config.l_text_seq_length), text(config.r_text_seq_length)
    left[:, 8:] = 0
    image = torch.randint(0, config.image_vocab_size, (2, config.image_length))
    tensors = {f"mask.{name}": mask.to(torch.uint8) for name, mask in model.transformer.named_buffers()}
    for case, streams in {"left": [left], "full": [left, image, right]}.items():
        tensors |= {f"forward.{case}.{name}": value for name, value in outputs(model, streams).items()}
    ids = [2, *BPE.load(tiny_a / "bpe.model").encode(PROMPT), 3]
    tensors["greedy.t2i.0.codebook"] = torch.tensor(greedy_picture(model, ids + [0] * (config.l_text_seq_length - len(ids)))).int()
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, out / "cases.safetensors")

    torch.save({name: tensor.half() for name, tensor in model.state_dict().items()}, out / "pytorch_model.bin")
    vqgan = json.loads((tiny_a / "config.json").read_text())["vqgan"]
    write = lambda name, value: (out / name).write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n")
    write("config.json", {"rudolph": config.to_dict(), "vqgan": vqgan, "special_tokens": None})
    greedy = {"task": "text_to_image", "text": PROMPT, "special_token": None, "codebook": "greedy.t2i.0.codebook"}
    write("cases.json", {"special_tokens": None, "greedy": [greedy]})
    for name in SHARED:
        link = out / name
        link.unlink(missing_ok=True)
        link.symlink_to(Path("..") / tiny_a.name / name)


if __name__ == "__main__":
    main()
