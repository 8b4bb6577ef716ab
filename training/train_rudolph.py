"""Trains the transformer: python -m training.train_rudolph --vqgan vqgan.ckpt --bpe bpe.model --out DIR --minutes 60

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
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as distributed
import torch.multiprocessing as multiprocessing
import torch.nn.functional as F
from torch import Tensor

from .budget import Clock, Log, learning_rate, save
from .bpe import BPE
from .fit_tokenizer import Projection
from .kinds import KINDS
from .rudolph import Config, Rudolph
from .samples import Pool, Sampler, encode
from .scenes import SIDE, TOKEN, Scene, random_pair, random_single
from .train_vqgan import CONFIG as VQGAN_CONFIG
from .vqgan import VQGAN, load_state


@dataclass(frozen=True)
class Stage:
    """What the samples are like from a share of the time on."""

    until: float
    kinds: int  # only so many kinds occur, evenly spread over the list
    pairs: float  # how often a pair is taken when one comes up
    everyday: float  # how often a sprite goes by its everyday name for sure
    tokens: int | None  # so many image tokens of each are looked at
    blind: float  # share of the drawings whose earlier tokens are hidden, each with a chance of its own


# The caption decides only the first few tokens of a sprite: the others can be told from those. Hiding earlier tokens,
# and few names at first, make the caption worth reading.
STAGES = (
    Stage(until=0.10, kinds=12, pairs=0.1, everyday=1.0, tokens=128, blind=0.6),
    Stage(until=0.18, kinds=24, pairs=0.3, everyday=1.0, tokens=128, blind=0.6),
    Stage(until=0.40, kinds=72, pairs=0.5, everyday=0.8, tokens=128, blind=0.5),
    Stage(until=0.67, kinds=72, pairs=0.7, everyday=0.6, tokens=128, blind=0.15),
    Stage(until=1.0, kinds=72, pairs=1.0, everyday=0.3, tokens=None, blind=0.05),
)


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


def text_to_image_losses(
    model: Rudolph, left: Tensor, image: Tensor, seen: Tensor | None = None, tokens: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """-> image loss, left text loss. The last image token predicts nothing; `tokens` leaves others out too."""
    if tokens is None:
        tokens = torch.arange(image.shape[1] - 1).expand(len(image), -1)
    hidden = model.hidden(left, image, seen=seen, tokens=tokens)
    length = left.shape[1]
    logits = model.image_logits(hidden[:, length - 1 :]).float()
    labels = torch.cat([image[:, :1], image.gather(1, tokens + 1)], 1)
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten()), text_loss(model, hidden[:, :length], left)


def image_to_text_loss(
    model: Rudolph, left: Tensor, image: Tensor, right: Tensor, tokens: Tensor | None = None
) -> Tensor:
    return text_loss(model, model.hidden(left, image, right, last=right.shape[1], tokens=tokens), right)


def around_sprites(scenes: list[Scene], count: int) -> Tensor:
    """`count` image tokens of each scene [B, count], ascending: its sprites' with a row above and a column to the left
    (which predict them), then any others. Most of a scene is background that teaches nothing new."""
    side = SIDE // TOKEN
    wanted = torch.rand(len(scenes), side, side)
    for i, scene in enumerate(scenes):
        for b in scene.sprites:
            rows = slice(max(b.y // TOKEN - 1, 0), -(-(b.y + b.size) // TOKEN))
            columns = slice(max(b.x // TOKEN - 1, 0), -(-(b.x + b.size) // TOKEN))
            wanted[i, rows, columns] += 1
    wanted = wanted.flatten(1)[:, :-1]  # the last predicts nothing
    return wanted.topk(count, 1).indices.sort(1).values


@torch.no_grad()
def validate(model: Rudolph, projection: Projection, bpe: BPE) -> dict[str, float]:
    """Losses on fixed held-out scenes."""
    rng = random.Random(777)
    scenes = [make(rng, held_out=True) for make in (random_single, random_pair) for _ in range(24)]
    sampler, codes = Sampler(model.config, bpe, rng), encode(projection, scenes)
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


def losses(
    model: Rudolph, sampler: Sampler, pool: Pool, arguments: argparse.Namespace, stage: Stage
) -> dict[str, Tensor]:
    """Runs both directions forward and backward; returns their losses."""
    rng, sampler.everyday = sampler.rng, stage.everyday

    def wanted(scene: Scene) -> bool:
        known = all(body.kind % (len(KINDS) // stage.kinds) == 0 for body in scene.sprites)
        return known and (scene.size == "large" or rng.random() < (stage.pairs if scene.size == "pair" else arguments.smaller))

    with torch.autocast("cpu", dtype=torch.bfloat16):
        scenes, codes = pool.draw(rng, arguments.draw, True, wanted)
        hide = torch.tensor([rng.random() if rng.random() < stage.blind else 0.0 for _ in scenes])
        seen = torch.rand(codes.shape) >= hide.unsqueeze(1)
        tokens = around_sprites(scenes, stage.tokens) if stage.tokens else None
        image, left = text_to_image_losses(model, sampler.text_to_image(scenes), codes, seen, tokens)
        plain = sampler.text_to_text(scenes[:1])
        left = left + 0.3 * text_loss(model, model.hidden(plain), plain)
    (image + 0.05 * left).backward()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scenes, codes = pool.draw(rng, arguments.describe, False, wanted)
        prefix, texts = sampler.image_to_text(scenes)
        tokens = around_sprites(scenes, stage.tokens) if stage.tokens else None
        right = image_to_text_loss(model, prefix, codes, texts, tokens)
    right.backward()
    return {"image": image, "left": left, "right": right}


def train(rank: int, arguments: argparse.Namespace) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(arguments.port)}
    distributed.init_process_group("gloo", rank=rank, world_size=arguments.workers)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)  # the same weights everywhere

    bpe = BPE.load(arguments.bpe)
    vqgan = VQGAN(VQGAN_CONFIG).requires_grad_(False)
    vqgan.load_state_dict(load_state(arguments.vqgan))
    projection = Projection(vqgan)
    config = make_config(bpe)
    model = Rudolph(config)
    model.initialise()
    if arguments.start:
        model.load_state_dict(torch.load(arguments.start, weights_only=True)["average"], strict=False)
    weights = list(model.parameters())
    average = [w.detach().clone() for w in weights]  # exponential moving average: what is exported
    optimiser = torch.optim.AdamW(weights, lr=arguments.rate, betas=(0.9, 0.985), weight_decay=0.01, fused=True)
    pool = Pool(projection, arguments.pool, config.image_length, first=rank * arguments.pool)
    step, spent = 0, 0.0
    path, pool_path = arguments.out / "last.pt", arguments.out / f"pool{rank}.pt"
    if path.exists():
        state = torch.load(path, weights_only=True)
        model.load_state_dict(state["model"])
        average = [state["average"][name] for name, _ in model.named_parameters()]
        optimiser.load_state_dict(state["optimiser"])
        step, spent = state["step"], state["spent"]
    if pool_path.exists():
        pool.restore(torch.load(pool_path, weights_only=True))
    sampler = Sampler(config, bpe, random.Random(1000 * step + rank))
    clock = Clock(arguments.minutes, spent)
    log = Log(arguments.out / "log.jsonl") if rank == 0 else None
    share, saved = clock.share, clock.seconds
    while pool.size < min(arguments.ready, arguments.pool):
        pool.grow(50)

    while share < 1:
        pool.grow(arguments.fresh)
        optimiser.zero_grad()
        reached = arguments.begin + share * (1 - arguments.begin)
        found = losses(model, sampler, pool, arguments, next(stage for stage in STAGES if reached <= stage.until))
        share = average_gradients(weights, clock.share, rank)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(share, arguments.rate, hold=0.55)
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        step += 1
        torch._foreach_lerp_(average, [w.detach() for w in weights], 1 - min(0.998, (step + 1) / (step + 10)))
        if rank == 0 and step % 50 == 0:
            numbers = {name: loss.item() for name, loss in found.items()}
            log.write(step=step, seconds=clock.seconds, **numbers, pool=pool.size * arguments.workers)
        if (share * arguments.minutes * 60 - saved) > 180 or share >= 1:  # by the common clock
            saved = share * arguments.minutes * 60
            torch.save(pool.codes[: pool.size].clone(), pool_path)
            if rank == 0:
                log.write(step=step, seconds=clock.seconds, **validate(model, projection, bpe))
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
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--start", type=Path, help="an earlier run's last.pt, to go on from its averaged weights")
    parser.add_argument("--begin", type=float, default=0, help="share of STAGES to leave out, in a run with --start")
    parser.add_argument("--rate", type=float, default=1.2e-3)
    parser.add_argument("--draw", type=int, default=8, help="text-to-image samples a step and worker")
    parser.add_argument("--describe", type=int, default=3, help="image-to-text samples a step and worker")
    parser.add_argument(
        "--smaller", type=float, default=1, help="how often a single scene that is not large is taken when one comes up"
    )
    parser.add_argument("--ready", type=int, default=5000, help="scenes a worker begins with")
    parser.add_argument("--fresh", type=int, default=12, help="new scenes a step and worker; few are soon known by heart")
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
