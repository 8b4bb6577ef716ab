"""Thins the logs and draws the curves: python -m training.plot --decoder log.jsonl --rudolph log.jsonl [the log of a run from its end on …]"""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

HERE = Path(__file__).parent


def thin(sources: list[Path], target: Path, every: int) -> list[dict]:
    """Keeps every n-th training line and every validation line; drops what was lost to a resume from before it. Runs follow one another."""
    kept: list[dict] = []
    for source in sources:
        lines: list[dict] = []
        for line in reversed([json.loads(line) for line in source.read_text().splitlines()]):
            if not lines or line["seconds"] < lines[-1]["seconds"]:
                lines.append(line)
        lines.reverse()
        chosen = [line for i, line in enumerate(lines) if i % every == 0 or any(key.startswith("val") for key in line)]
        seconds, step = (kept[-1]["seconds"], kept[-1]["step"]) if kept else (0, 0)
        kept += [line | {"seconds": line["seconds"] + seconds, "step": line["step"] + step} for line in chosen]
    target.parent.mkdir(exist_ok=True)
    target.write_text("".join(json.dumps(line) + "\n" for line in kept))
    return kept


def curve(axes, lines: list[dict], key: str, label: str, style: str = "-") -> None:
    points = [(line["seconds"] / 60, line[key]) for line in lines if key in line]
    axes.plot(*zip(*points), style, label=label)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decoder", type=Path, default=HERE / "runs" / "decoder" / "log.jsonl")
    parser.add_argument("--rudolph", type=Path, nargs="+", default=[HERE / "runs" / "rudolph" / "log.jsonl"])
    parser.add_argument("--every", type=int, default=2)
    arguments = parser.parse_args()
    decoder = thin([arguments.decoder], HERE / "logs" / "decoder.jsonl", arguments.every)
    rudolph = thin(arguments.rudolph, HERE / "logs" / "rudolph.jsonl", arguments.every)
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 3.6), layout="constrained")
    curve(left, decoder, "psnr", "training batches (crops at first)", "-")
    curve(left, decoder, "val_psnr", "64 fixed scenes", "o-")
    left.set(title="Image tokenizer's decoder", ylabel="PSNR, dB")
    curve(middle, rudolph, "image", "training batches")
    for layout in ("single", "pair", "row"):
        curve(middle, rudolph, f"val_{layout}", f"held-out, {layout}", "o-")
    middle.set(title="Text to image", ylabel="cross-entropy an image token, nats")
    curve(right, rudolph, "right", "training batches")
    curve(right, rudolph, "val_right", "held-out scenes", "o-")
    right.set(title="Image to text", ylabel="cross-entropy a text token, nats", yscale="log")
    for axes in (left, middle, right):
        axes.set_xlabel("minutes")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(HERE / "curves.png", dpi=90)


if __name__ == "__main__":
    main()
