"""Trains the transformer: python -m training.train_rudolph --vqgan vqgan.ckpt --bpe bpe.model --out DIR --minutes 75

Every step takes a batch of each direction: text to image (loss on the image and, lightly, on the text), image to text
(loss on the right text), and a few plain texts. Image positions are scored over image classes only and text positions
over text classes without the pads, as upstream does; unlike there, the first image token is trained too.

Each worker is a process of one thread with its own samples; gradients are averaged every step. On a busy machine this
beats threads, which wait for each other thousands of times a step.
"""

import argparse
import json
import os
import random
from pathlib import Path

import torch
import torch.distributed as distributed
import torch.multiprocessing as multiprocessing
import torch.nn.functional as F
from torch import Tensor

from .budget import Clock, Log, learning_rate, save
from .bpe import BPE
from .rudolph import Config, Rudolph
from .samples import Pool, Sampler, encode
from .scenes import random_pair, random_single
from .train_vqgan import CONFIG as VQGAN_CONFIG
from .vqgan import VQGAN, load_state


def make_config(bpe: BPE) -> Config:
    return Config(
        num_layers=5,
        vocab_size=bpe.vocabulary + 32,
        hidden_size=256,
        num_attention_heads=8,
        l_text_seq_length=32,
        r_text_seq_length=32,
        kernel_size=7,
        last_kernel_size=9,
        image_tokens_per_dim=VQGAN_CONFIG["resolution"] // 8,
        image_vocab_size=VQGAN_CONFIG["n_embed"],
        text_special_tokens=32,
        image_special_tokens=0,
    )


def text_loss(model: Rudolph, hidden: Tensor, ids: Tensor) -> Tensor:
    """hidden [B, T, h] of the text's own positions, ids [B, T]: each position predicts the next id; pads do not count."""
    labels = ids[:, 1:]
    rows = (labels != 0).nonzero(as_tuple=True)
    return F.cross_entropy(model.text_logits(hidden[:, :-1][rows]).float(), labels[rows])


def text_to_image_losses(model: Rudolph, left: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
    """-> image loss, left text loss. The last image token predicts nothing, so it is left out."""
    hidden = model.hidden(left, image[:, :-1])
    length = left.shape[1]
    logits = model.image_logits(hidden[:, length - 1 :]).float()
    return F.cross_entropy(logits.flatten(0, 1), image.flatten()), text_loss(model, hidden[:, :length], left)


def image_to_text_loss(model: Rudolph, left: Tensor, image: Tensor, right: Tensor) -> Tensor:
    return text_loss(model, model.hidden(left, image, right, last=right.shape[1]), right)


@torch.no_grad()
def validate(model: Rudolph, vqgan: VQGAN, bpe: BPE) -> dict[str, float]:
    """Losses on fixed held-out scenes."""
    rng = random.Random(777)
    scenes = [make(rng, held_out=True) for make in (random_single, random_pair) for _ in range(24)]
    sampler, codes = Sampler(model.config, bpe, rng), encode(vqgan, scenes).clone()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        image, _ = text_to_image_losses(model, sampler.text_to_image(scenes), codes)
        left, right = sampler.image_to_text(scenes)
        return {"val_image": image.item(), "val_right": image_to_text_loss(model, left, codes, right).item()}


def average_gradients(weights: list[Tensor], share: float, rank: int) -> float:
    """All workers' mean gradients, in place. Returns the first worker's clock, so that all keep the same one."""
    flat = torch.cat([*(w.grad.flatten() for w in weights), torch.tensor([share if rank == 0 else 0.0])])
    distributed.all_reduce(flat)
    start, workers = 0, distributed.get_world_size()
    for w in weights:
        w.grad.copy_(flat[start : start + w.numel()].view_as(w)).div_(workers)
        start += w.numel()
    return flat[-1].item()


def losses(model: Rudolph, sampler: Sampler, pool: Pool, arguments: argparse.Namespace) -> dict[str, Tensor]:
    """Runs both directions forward and backward; returns their losses."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scenes, codes = pool.draw(sampler.rng, arguments.draw, gridded=True)
        image, left = text_to_image_losses(model, sampler.text_to_image(scenes), codes)
        plain = sampler.text_to_text(scenes[:2])
        left = left + 0.3 * text_loss(model, model.hidden(plain), plain)
    (image + 0.05 * left).backward()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scenes, codes = pool.draw(sampler.rng, arguments.describe, gridded=False)
        prefix, texts = sampler.image_to_text(scenes)
        right = image_to_text_loss(model, prefix, codes, texts)
    (0.5 * right).backward()
    return {"image": image, "left": left, "right": right}


def train(rank: int, arguments: argparse.Namespace) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(arguments.port)}
    distributed.init_process_group("gloo", rank=rank, world_size=arguments.workers)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)  # the same weights everywhere

    bpe = BPE.load(arguments.bpe)
    vqgan = VQGAN(VQGAN_CONFIG).eval().requires_grad_(False)
    vqgan.load_state_dict(load_state(arguments.vqgan))
    config = make_config(bpe)
    model = Rudolph(config)
    model.initialise()
    weights = list(model.parameters())
    average = [w.detach().clone() for w in weights]  # exponential moving average: what is exported
    optimiser = torch.optim.AdamW(weights, lr=arguments.rate, betas=(0.9, 0.97), weight_decay=0.01, fused=True)
    pool = Pool(vqgan, arguments.pool, config.image_length, first=rank * arguments.pool)
    step, spent = 0, 0.0
    path, pool_path = arguments.out / "last.pt", arguments.out / f"pool{rank}.pt"
    if path.exists():
        state = torch.load(path, weights_only=True)
        model.load_state_dict(state["model"])
        average = [state["average"][name] for name, _ in model.named_parameters()]
        optimiser.load_state_dict(state["optimiser"])
        step, spent = state["step"], state["spent"]
        pool.restore(torch.load(pool_path, weights_only=True))
    sampler = Sampler(config, bpe, random.Random(1000 * step + rank))
    clock = Clock(arguments.minutes, spent)
    log = Log(arguments.out / "log.jsonl") if rank == 0 else None
    share, saved = clock.share, clock.seconds
    while pool.size < min(1000, arguments.pool):
        pool.grow(50)

    while share < 1:
        pool.grow(arguments.fresh)
        optimiser.zero_grad()
        found = losses(model, sampler, pool, arguments)
        share = average_gradients(weights, clock.share, rank)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(share, arguments.rate)
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        step += 1
        torch._foreach_lerp_(average, [w.detach() for w in weights], 1 - min(0.998, (step + 1) / (step + 10)))
        if rank == 0 and step % 25 == 0:
            numbers = {name: loss.item() for name, loss in found.items()}
            log.write(step=step, seconds=clock.seconds, **numbers, pool=pool.size * arguments.workers)
        if (share * arguments.minutes * 60 - saved) > 180 or share >= 1:  # by the common clock
            saved = share * arguments.minutes * 60
            torch.save(pool.codes[: pool.size].clone(), pool_path)
            if rank == 0:
                log.write(step=step, seconds=clock.seconds, **validate(model, vqgan, bpe))
                names = [name for name, _ in model.named_parameters()]
                save(path, model=model.state_dict(), average=dict(zip(names, average)),
                     optimiser=optimiser.state_dict(), step=step, spent=clock.seconds)  # fmt: skip
    distributed.destroy_process_group()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    runs = Path(__file__).with_name("runs")
    parser.add_argument("--vqgan", type=Path, default=runs / "vqgan.ckpt")
    parser.add_argument("--bpe", type=Path, default=runs / "bpe.model")
    parser.add_argument("--out", type=Path, default=runs / "rudolph")
    parser.add_argument("--minutes", type=float, default=75)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--draw", type=int, default=6, help="text-to-image samples a step and worker")
    parser.add_argument("--describe", type=int, default=3, help="image-to-text samples a step and worker")
    parser.add_argument("--fresh", type=int, default=2, help="new scenes a step and worker")
    parser.add_argument("--pool", type=int, default=60000, help="most scenes a worker")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1, help="a worker")
    parser.add_argument("--rank", type=int, help="be this worker only; the others are started by hand")
    parser.add_argument("--port", type=int, default=29511)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.rank is None:
        multiprocessing.spawn(train, (arguments,), arguments.workers)
    else:
        train(arguments.rank, arguments)


if __name__ == "__main__":
    main()
