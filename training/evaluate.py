"""A quick look at a training run, in PyTorch, on the held-out set: python -m training.evaluate --rudolph last.pt --vqgan … --bpe …
[--every 4] [--sheet sheet.png]

What counts is the engine's own evaluation of the web model: npm run eval.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from .bpe import BPE
from .captions import without_yo
from .generate import continue_texts, describe, draw, respond
from .heldout import FILE, load
from .matcher import judge_caption, judge_drawing
from .rudolph import LT_MQA, LT_REC, LT_TQA, LT_VQA, RT_MQA, RT_REC, RT_TQA, RT_VQA, Rudolph
from .samples import ASK_PICTURE, ASK_TEXT, READ
from .scenes import Scene, render_all
from .train_rudolph import make_config
from .train_vqgan import CONFIG as VQGAN_CONFIG
from .vqgan import VQGAN, load_state


def in_parts(function, tensor: Tensor, size: int = 20) -> Tensor:
    return torch.cat([function(part) for part in tensor.split(size)])


def sheet(images: Tensor, columns: int) -> Image.Image:
    images = images[: max(len(images) // columns, 1) * columns]
    rows = [torch.cat(list(row), 2) for row in images.split(columns)]
    return Image.fromarray((torch.cat(rows, 1).permute(1, 2, 0) * 255 + 0.5).byte().numpy())


class Scores:
    def __init__(self):
        self.found = defaultdict(list)

    def add(self, name: str, right: bool) -> None:
        self.found[name].append(bool(right))

    def lines(self) -> list[str]:
        return [f"{name:32} {100 * sum(list_) / len(list_):5.1f} %  of {len(list_)}" for name, list_ in self.found.items()]


def same(text: str, answers: list[str]) -> bool:
    return without_yo(text) in map(without_yo, answers)


def describe_and_answer(
    model: Rudolph, bpe: BPE, everything: dict, entries: list[dict], scenes: tuple[Scene, ...], codes: Tensor, every: int, scores: Scores
) -> None:
    """Captions, questions, readings and sums; prints what is wrong of captions and readings."""
    for part, parts in zip(codes.split(40), range(0, len(scenes), 40)):
        for text, scene, entry in zip(describe(model, bpe, part), scenes[parts:], entries[parts:]):
            verdict = judge_caption(text, scene)
            scores.add(f"caption, {entry['layout']}", verdict["all"])
            if not verdict["all"]:
                print(f"✗ {entry['caption']} → {text}")
    asked = [(i, q) for i, entry in enumerate(entries) for q in entry["questions"]]
    for first in range(0, len(asked), 80):
        some = asked[first : first + 80]
        lefts = [(LT_VQA, f"{ASK_PICTURE} {q['question']}") for _, q in some]
        for text, (i, q) in zip(respond(model, bpe, lefts, codes[[i for i, _ in some]], RT_VQA), some):
            scores.add(f"question, {q['topic']}", same(text, q["answers"]))
    texts = [i for i, scene in enumerate(scenes) if scene.text]
    for text, i in zip(respond(model, bpe, [(LT_REC, READ)] * len(texts), codes[texts], RT_REC), texts):
        scores.add("reading, exact", same(text, [scenes[i].text]))
        if text != scenes[i].text:
            print(f"✗ {scenes[i].text} → {text}")
    asked = everything["texts"][:: every]
    empty = torch.zeros(len(asked), codes.shape[1], dtype=torch.long)
    for text, q in zip(respond(model, bpe, [(LT_TQA, f"{ASK_TEXT} {q['question']}") for q in asked], empty, RT_TQA), asked):
        scores.add("text question", same(text, q["answers"]))
    sums = everything["sums"][:: every]
    empty = torch.zeros(len(sums), codes.shape[1], dtype=torch.long)
    answers = respond(model, bpe, [(LT_MQA, entry["question"]) for entry in sums], empty, RT_MQA)
    for entry, text, line in zip(sums, answers, continue_texts(model, bpe, [entry["begin"] for entry in sums])):
        known = "seen" if entry["seen"] else "unseen"
        scores.add(f"maths question, {known}", text == entry["answer"])
        scores.add(f"sum, {known}", line.split("|")[0] == entry["result"])


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    runs = Path(__file__).with_name("runs")
    parser.add_argument("--rudolph", type=Path, default=runs / "rudolph" / "last.pt")
    parser.add_argument("--vqgan", type=Path, default=runs / "vqgan_decoder.ckpt")
    parser.add_argument("--bpe", type=Path, default=runs / "bpe.model")
    parser.add_argument("--sheet", type=Path, help="PNG of drawings, 8 a row, the true scene above each")
    parser.add_argument("--every", type=int, default=1, help="take every n-th entry only")
    parser.add_argument("--only-drawing", action="store_true")
    parser.add_argument("--no-drawing", action="store_true")
    parser.add_argument("--top-k", type=int, default=768)
    parser.add_argument("--top-p", type=float, default=0.99)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    bpe = BPE.load(arguments.bpe)
    model, vqgan = Rudolph(make_config(bpe)).eval(), VQGAN(VQGAN_CONFIG).eval()
    model.load_state_dict(torch.load(arguments.rudolph, weights_only=True)["average"], strict=False)
    vqgan.load_state_dict(load_state(arguments.vqgan))
    model.requires_grad_(False), vqgan.requires_grad_(False)

    everything, scores = json.loads(FILE.read_text(encoding="utf-8")), Scores()
    entries = everything["scenes"][:: arguments.every]
    captions, scenes = zip(*load()[:: arguments.every])
    truth = render_all(scenes)
    codes = in_parts(vqgan.encode, truth)

    if not arguments.only_drawing:
        describe_and_answer(model, bpe, everything, entries, scenes, codes, arguments.every, scores)
    if not arguments.no_drawing:
        settings = {"top_k": arguments.top_k, "top_p": arguments.top_p, "temperature": arguments.temperature}
        drawn = torch.cat([draw(model, bpe, captions[i : i + 40], i, **settings) for i in range(0, len(captions), 40)])
        images = in_parts(vqgan.decode, drawn)
        for picture, scene, entry in zip(images, scenes, entries):
            verdict = judge_drawing(picture, scene)
            scores.add(f"drawing, {entry['layout']}", verdict["all"])
            scores.add(f"drawing's sprites, {entry['layout']}", verdict["sprites"])
        if arguments.sheet:
            sheet(torch.cat([torch.stack([a, b]).unsqueeze(0).permute(0, 2, 1, 3, 4).flatten(2, 3) for a, b in zip(truth, images)]), 8).save(arguments.sheet)
    print("\n".join(scores.lines()))


if __name__ == "__main__":
    main()
