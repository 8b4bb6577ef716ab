"""Trains the image tokenizer: python -m training.train_vqgan --out DIR --minutes 30

A plain autoencoder for the first few percent of the time; then the codebook is drawn from its latents and kept by
exponential moving averages (van den Oord et al. 2017, appendix A.1), rows that fall out of use starting anew from
current latents. Crops around the sprites come first, since most of a scene is plain background; the last part trains
on whole scenes, whose GroupNorm statistics are those of use.
"""

import argparse
import json
import random
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .budget import Clock, Log, half_precision, learning_rate, save
from .scenes import SIDE, random_scene, render
from .vqgan import VQGAN

# 64 channels at full size, not 32: GroupNorm has 32 groups, so with 32 channels the decoder's last one would take each
# channel's mean away, and with it the colour of a plain background.
CONFIG = {
    "double_z": False, "z_channels": 32, "resolution": SIDE, "in_channels": 3, "out_ch": 3, "ch": 32,
    "ch_mult": [2, 2, 2, 4], "num_res_blocks": 1, "attn_resolutions": [SIDE // 8], "dropout": 0.0,
    "n_embed": 2048, "embed_dim": 32,
}  # fmt: skip


def batch(rng: random.Random, count: int, side: int) -> Tensor:
    """Scenes, cropped to side x side pixels around a sprite: [count, 3, side, side], 0..1."""
    pictures = []
    for _ in range(count):
        scene = random_scene(rng, free=rng.random() < 0.5)
        picture = render(scene)
        if side < SIDE:
            boxes = [(body.x, body.y, body.size) for body in scene.sprites] or [(SIDE // 4, SIDE // 4, SIDE // 2)]
            *corners, size = rng.choice(boxes)
            x, y = (
                8 * round(min(max(corner + rng.randint(-side // 3, size - side + side // 3), 0), SIDE - side) / 8)
                for corner in corners
            )
            picture = picture[y : y + side, x : x + side]
        pictures.append(picture)
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()


def rows(z: Tensor) -> Tensor:
    """[B, d, h, w] -> [B * h * w, d]"""
    return z.permute(0, 2, 3, 1).flatten(0, 2)


@torch.no_grad()
def latents(model: VQGAN, images: Tensor) -> Tensor:
    with half_precision():
        return rows(model.latents(images)).float()


class Codebook:
    """Nearest-neighbour vector quantisation with an EMA codebook E [n, d]."""

    def __init__(self, embed: Tensor, decay: float = 0.98):
        self.embed, self.decay = embed, decay
        self.count, self.sum, self.seeded = torch.ones(len(embed)), embed.clone(), False

    def seed(self, latents: Tensor) -> None:
        """Rows drawn from latents [N, d], far ones preferred (as k-means++ does, in a few rounds)."""
        chosen = latents[torch.randint(len(latents), (64,))]
        while len(chosen) < len(self.embed):
            distance = torch.cdist(latents, chosen).min(1).values.square()
            more = torch.multinomial(distance + 1e-9, min(192, len(self.embed) - len(chosen)))
            chosen = torch.cat([chosen, latents[more]])
        self.embed.copy_(chosen)
        self.sum, self.count, self.seeded = chosen.clone(), torch.ones(len(chosen)), True

    def nearest(self, latents: Tensor) -> Tensor:
        return (2 * latents @ self.embed.T - self.embed.square().sum(1)).argmax(1)

    def update(self, latents: Tensor, codes: Tensor, restart: bool) -> None:
        hits = torch.bincount(codes, minlength=len(self.embed)).float()
        sums = torch.zeros_like(self.sum).index_add_(0, codes, latents)
        self.count.mul_(self.decay).add_(hits, alpha=1 - self.decay)
        self.sum.mul_(self.decay).add_(sums, alpha=1 - self.decay)
        if restart:
            dead = (self.count < 0.015).nonzero().squeeze(1)[: len(latents) // 4]
            if len(dead):
                error = (latents - self.embed[codes]).square().sum(1)
                fresh = latents[torch.multinomial(error + 1e-9, len(dead))]
                self.sum[dead], self.count[dead] = fresh * 0.1, torch.full((len(dead),), 0.1)
        self.embed.copy_(self.sum / self.count.clamp(min=1e-4).unsqueeze(1))


def gradient_loss(a: Tensor, b: Tensor) -> Tensor:
    """Difference of the pictures' first derivatives: keeps edges crisp."""
    return sum((torch.diff(a, dim=d) - torch.diff(b, dim=d)).abs().mean() for d in (2, 3))


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * (a - b).square().mean().log10())


@torch.no_grad()
def validate(model: VQGAN) -> tuple[float, float]:
    """PSNR in dB on fixed scenes through the Gumbel form, and the share of the codebook in use."""
    model.to_gumbel()
    images = batch(random.Random(12345), 64, SIDE)
    with half_precision():
        codes = model.encode(images)
        decoded = model.decode(codes).float()
    return psnr(decoded, images), len(codes.unique()) / model.config["n_embed"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("runs") / "vqgan")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=1.2e-3)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    rng = random.Random(0)

    model = VQGAN(CONFIG)
    model.initialise()
    model.quantize.requires_grad_(False)
    codebook = Codebook(model.quantize.embed.weight.data)
    weights = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=arguments.rate, betas=(0.9, 0.98), weight_decay=1e-4, fused=True)
    step, spent, path = 0, 0.0, arguments.out / "last.pt"
    if path.exists():
        state = torch.load(path, weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        codebook.sum, codebook.count, codebook.seeded = state["sum"], state["count"], state["seeded"]
        step, spent = state["step"], state["spent"]
        rng = random.Random(step)
    (arguments.out / "config.json").write_text(json.dumps(CONFIG, indent=1))
    clock, log = Clock(arguments.minutes, spent), Log(arguments.out / "log.jsonl")
    saved = clock.seconds

    while clock.share < 1:
        share = clock.share
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(share, arguments.rate, warmup=0.005)
        whole = share > 0.8
        images = batch(rng, 3 if whole else 8, SIDE if whole else 64)
        with half_precision():
            z = model.latents(images)
        z = z.float()
        loss = torch.zeros(())
        quantised, codes = z, None
        if share > 0.1:
            flat = rows(z.detach())
            if not codebook.seeded:
                codebook.seed(torch.cat([latents(model, batch(rng, 8, 64)) for _ in range(24)]))
            codes = codebook.nearest(flat)
            codebook.update(flat, codes, restart=step % 20 == 0 and share < 0.85)
            hard = codebook.embed[codes].view(len(z), *z.shape[2:], -1).permute(0, 3, 1, 2)
            commitment = F.mse_loss(z, hard)
            loss = loss + 0.25 * commitment
            quantised = z + (hard - z).detach()  # straight through
        with half_precision():
            decoded = model.reconstruct(quantised)
        decoded = decoded.float()
        error = F.mse_loss(decoded, images)
        loss = loss + (decoded - images).abs().mean() + 4 * error + 0.5 * gradient_loss(decoded, images)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        step += 1
        if step % 50 == 0:
            used = len(codes.unique()) if codes is not None else 0
            log.write(step=step, seconds=clock.seconds, loss=loss.item(), psnr=-10 * error.log10().item(), used=used)
        if clock.seconds - saved > 120 or clock.share == 1:
            saved = clock.seconds
            quality, used = validate(model)
            log.write(step=step, seconds=clock.seconds, val_psnr=quality, val_used=used)
            save(path, model=model.state_dict(), optimiser=optimiser.state_dict(), sum=codebook.sum,
                 count=codebook.count, seeded=codebook.seeded, step=step, spent=clock.seconds)  # fmt: skip


if __name__ == "__main__":
    main()
