"""Evaluates an export on the held-out scenes: python -m training.evaluate DIR [--sheet sheet.png]"""

import argparse
import json
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from .bpe import BPE
from .generate import describe, draw
from .heldout import load
from .matcher import judge_caption, judge_drawing
from .rudolph import Config, Rudolph
from .scenes import Scene, render_all
from .vqgan import VQGAN, load_state


def load_export(folder: Path) -> tuple[Rudolph, VQGAN, BPE]:
    config = json.loads((folder / "config.json").read_text())
    model, vqgan = Rudolph(Config(**config["rudolph"])).eval(), VQGAN(config["vqgan"]).eval()
    model.load_state_dict(torch.load(folder / "pytorch_model.bin", weights_only=True))
    vqgan.load_state_dict(load_state(folder / "vqgan.ckpt"))
    return model.requires_grad_(False), vqgan.requires_grad_(False), BPE.load(folder / "bpe.model")


def in_parts(function, tensor: Tensor, size: int = 20) -> Tensor:
    return torch.cat([function(part) for part in tensor.split(size)])


def summary(name: str, judged: list[dict[str, bool]], scenes: list[Scene]) -> dict[str, float]:
    """Share of each verdict, over singles, pairs and all."""
    result = {}
    for group, wanted in (("singles", False), ("pairs", True), ("all", None)):
        chosen = [j for j, s in zip(judged, scenes) if wanted is None or (s.size == "pair") == wanted]
        for verdict in judged[0]:
            result[f"{name} {verdict}, {group}"] = round(sum(j[verdict] for j in chosen) / len(chosen), 4)
    return result


def sheet(images: Tensor, columns: int) -> Image.Image:
    images = images[: max(len(images) // columns, 1) * columns]
    rows = [torch.cat(list(row), 2) for row in images.split(columns)]
    return Image.fromarray((torch.cat(rows, 1).permute(1, 2, 0) * 255 + 0.5).byte().numpy())


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).with_name("out"))
    parser.add_argument("--sheet", type=Path, help="PNG of the first drawings, 8 a row, the true scene above each")
    parser.add_argument("--top-k", type=int, default=768)
    parser.add_argument("--top-p", type=float, default=0.99)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--every", type=int, default=1, help="take every n-th scene only")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model, vqgan, bpe = load_export(arguments.folder)
    captions, scenes = zip(*load()[:: arguments.every])
    truth = render_all(scenes)
    codes = in_parts(vqgan.encode, truth)
    decoded = in_parts(vqgan.decode, codes)
    result = {"PSNR": round(float(-10 * (decoded - truth).square().mean((1, 2, 3)).log10().mean()), 2)}
    texts = [text for part in codes.split(50) for text in describe(model, bpe, part)]
    result |= summary("caption", [judge_caption(t, s) for t, s in zip(texts, scenes)], scenes)
    settings = {"top_k": arguments.top_k, "top_p": arguments.top_p, "temperature": arguments.temperature}
    drawn = torch.cat([draw(model, bpe, captions[i : i + 50], i, **settings) for i in range(0, len(captions), 50)])
    images = in_parts(vqgan.decode, drawn)
    result |= summary("drawing", [judge_drawing(p, s) for p, s in zip(images, scenes)], scenes)
    # What the matcher says of the tokenizer's own pictures bounds what it can say of drawings.
    result |= summary("decoded", [judge_drawing(p, s) for p, s in zip(decoded, scenes)], scenes)
    print(json.dumps(result, indent=1))
    if arguments.sheet:
        half = len(scenes) // 2
        shown = [*range(min(24, half)), *range(half, half + min(24, half))]
        rows = [torch.cat([truth[i : i + 1], images[i : i + 1]], 2) for i in shown]
        sheet(torch.cat(rows), 8).save(arguments.sheet)
        for i in shown:
            print(f"{captions[i]} → {texts[i]}")


if __name__ == "__main__":
    main()
