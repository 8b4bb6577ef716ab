"""Trains the image tokenizer's decoder on: python -m training.train_decoder --vqgan vqgan.ckpt --to better.ckpt

Encoder and codebook stay as they are, and with them every code: this can run beside the transformer's training. Codes
come from whole scenes; at first only a crop around a sprite is decoded, since the rest is plain background.
"""

import argparse
import random
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from .budget import Clock, Log, half_precision, learning_rate, save
from .fit_tokenizer import Projection
from .lettering import CELL
from .scenes import PLATES, SIDE, Scene, random_scene, render_all
from .train_vqgan import CONFIG, gradient_loss, psnr
from .vqgan import VQGAN, load_state

CROP = 64


@torch.no_grad()
def quantised(model: VQGAN, projection: Projection, images: Tensor) -> Tensor:
    """images [B, 3, SIDE, SIDE] -> their codes' rows [B, embed_dim, SIDE / 8, SIDE / 8]"""
    return model.quantize.embed(projection.encode(images)).transpose(1, 2).unflatten(2, (SIDE // 8, -1))


def crops(rng: random.Random, scenes: list[Scene], rows: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
    """The same random crop around a sprite or the plate of each scene, from its rows and its picture."""
    cut_rows, cut_images = [], []
    for scene, row, image in zip(scenes, rows, images):
        middles = [(body.x + body.size // 2, body.y + body.size // 2) for body in scene.sprites]
        if scene.text:
            middles.append((SIDE // 2, PLATES[scene.place] + CELL[1] // 2))
        x, y = (
            round(min(max(middle - CROP // 2 + rng.randint(-20, 20), 0), SIDE - CROP) / 8) for middle in rng.choice(middles)
        )
        cut_rows.append(row[:, y : y + CROP // 8, x : x + CROP // 8])
        cut_images.append(image[:, 8 * y : 8 * y + CROP, 8 * x : 8 * x + CROP])
    return torch.stack(cut_rows), torch.stack(cut_images)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    runs = Path(__file__).with_name("runs")
    parser.add_argument("--vqgan", type=Path, default=runs / "vqgan.ckpt")
    parser.add_argument("--to", type=Path, default=runs / "vqgan_decoder.ckpt")
    parser.add_argument("--out", type=Path, default=runs / "decoder")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--rate", type=float, default=6e-4)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(arguments.threads)
    rng = random.Random(2)

    model = VQGAN(CONFIG).to(memory_format=torch.channels_last)  # a fifth faster on a CPU
    model.load_state_dict(load_state(arguments.vqgan))
    model.requires_grad_(False)
    projection = Projection(model)
    weights = [*model.decoder.requires_grad_(True).parameters(), *model.post_quant_conv.requires_grad_(True).parameters()]
    optimiser = torch.optim.AdamW(weights, lr=arguments.rate, betas=(0.9, 0.98), weight_decay=1e-4, fused=True)
    step, spent, path = 0, 0.0, arguments.out / "last.pt"
    if path.exists():
        state = torch.load(path, weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        step, spent = state["step"], state["spent"]
        rng = random.Random(step)
    clock, log = Clock(arguments.minutes, spent), Log(arguments.out / "log.jsonl")
    saved = clock.seconds
    fixed_rng = random.Random(12345)
    fixed = render_all(random_scene(fixed_rng) for _ in range(64))

    while clock.share < 1:
        share = clock.share
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(share, arguments.rate)
        whole = share > 0.6
        scenes = [random_scene(rng, free=rng.random() < 0.2) for _ in range(3 if whole else 8)]
        images = render_all(scenes)
        rows = quantised(model, projection, images)
        if not whole:
            rows, images = crops(rng, scenes, rows, images)
        with half_precision():
            decoded = model.reconstruct(rows)
        decoded = decoded.float()
        error = F.mse_loss(decoded, images)
        loss = (decoded - images).abs().mean() + 2 * error + gradient_loss(decoded, images)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        step += 1
        if step % 50 == 0:
            log.write(step=step, seconds=clock.seconds, loss=loss.item(), psnr=-10 * error.log10().item())
        if clock.seconds - saved > 180 or clock.share == 1:
            saved = clock.seconds
            with torch.no_grad(), half_precision():
                quality = psnr(model.reconstruct(quantised(model, projection, fixed)).float().clamp(0, 1), fixed)
            log.write(step=step, seconds=clock.seconds, val_psnr=quality)
            save(path, model=model.state_dict(), optimiser=optimiser.state_dict(), step=step, spent=clock.seconds)
            halves = {key: value.half().contiguous() for key, value in model.state_dict().items()}
            torch.save({"state_dict": halves, "global_step": step}, arguments.to)


if __name__ == "__main__":
    main()
