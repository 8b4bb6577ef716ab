"""Trains the transformer: python -m training.train_rudolph --vqgan vqgan.ckpt --bpe bpe.model --out DIR --minutes 60

Every step takes a batch of each direction: text to image (loss on the image and, lightly, on the text), image to text
(captions, answers and readings: loss on the right text), questions without a picture, and plain texts. Image positions
are scored over image classes only and text positions over text classes without the pads, as upstream does; unlike
there, the first image token is trained too.

Each worker is a process of one thread with its own samples and optimiser; every minute their weights are averaged, by how many
steps each has taken (local SGD, Stich 2019). So a worker on a busy core holds no other up: where gradients are averaged
every step, two cores of which one is shared are no faster than the other alone.
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

from .budget import Clock, Log, half_precision, learning_rate, save
from .bpe import BPE
from .fit_tokenizer import Projection
from .kinds import KINDS
from .muon import Muon
from .rudolph import Config, Rudolph
from .samples import Interest, Pool, Sampler, encode
from .lettering import CELL
from .scenes import MAKERS, PLATES, SIDE, TOKEN, Scene, random_pair, random_row
from .train_vqgan import CONFIG as VQGAN_CONFIG
from .vqgan import VQGAN, load_state


@dataclass(frozen=True)
class Stage:
    """What the samples are like from a share of the time on."""

    until: float
    kinds: int  # only so many kinds occur, evenly spread over the list
    everyday: float  # how often a sprite goes by its everyday name for sure
    blind: float  # share of the drawings whose earlier tokens are hidden, each with a chance of its own
    whole: float  # share of the steps with whole pictures: in the others most of the plain background is left out


# The caption decides only the first few tokens of a sprite: the others can be told from those. Hiding earlier tokens,
# and few names at first, make the caption worth reading.
STAGES = (
    Stage(until=0.06, kinds=11, everyday=1.0, blind=0.6, whole=0.1),
    Stage(until=0.12, kinds=36, everyday=1.0, blind=0.5, whole=0.1),
    Stage(until=0.40, kinds=len(KINDS), everyday=0.7, blind=0.35, whole=0.2),
    Stage(until=0.70, kinds=len(KINDS), everyday=0.5, blind=0.15, whole=0.3),
    Stage(until=1.0, kinds=len(KINDS), everyday=0.3, blind=0.05, whole=0.5),
)
# How often a scene is taken when one of its layout comes up. A drawing of a large sprite takes learning four times the tokens of a
# small one, and each comes with one sprite only.
DRAWN = {"small": 0.35, "pair": 0.45, "count": 0.3, "row": 0.35, "text": 0.25}
DESCRIBED = dict.fromkeys(("text", "count"), 1) | dict.fromkeys(("large", "small", "pair", "row"), 0.7)
# Where a run begins with a lesson (--lesson): until which share of it how many kinds are asked for. Matching a name with its sprite is
# learned with a few, or not at all.
LESSON = ((0.35, 11), (0.6, 36), (1.0, len(KINDS)))
MEETING, SAVED = 60, 4  # seconds between two averages of all workers; how many of them between two checkpoints
SOME_TOKENS, WHOLE_FROM = 12, 0.75  # a text question's empty picture is mostly left out; until that share of the time always


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
    """-> image loss, left text loss. Of the image only `tokens` [B, K] are in the sequence, where given; each predicts the
    next one, there or not. The last one predicts nothing, the first one is predicted by the text's last position."""
    length = left.shape[1]
    hidden = model.hidden(left, image, seen=seen, tokens=tokens)
    if tokens is None:
        predicting, labels = hidden[:, length - 1 : -1].flatten(0, 1), image.flatten()
    else:
        after = (tokens + 1).clamp(max=image.shape[1] - 1)
        rows = (tokens + 1 < image.shape[1]).flatten()
        predicting = torch.cat([hidden[:, length - 1], hidden[:, length:].flatten(0, 1)[rows]])
        labels = torch.cat([image[:, 0], image.gather(1, after).flatten()[rows]])
    logits = model.image_logits(predicting).float()
    return F.cross_entropy(logits, labels), text_loss(model, hidden[:, :length], left)


def right_text_loss(model: Rudolph, left: Tensor, image: Tensor, right: Tensor, tokens: Tensor | None = None) -> Tensor:
    return text_loss(model, model.hidden(left, image, right, last=right.shape[1], tokens=tokens), right)


@torch.no_grad()
def validate(model: Rudolph, projection: Projection, bpe: BPE) -> dict[str, float]:
    """Losses on fixed held-out scenes: of drawing each layout, of describing, of questions without a picture."""
    rng, found = random.Random(777), {}
    sampler = Sampler(model.config, bpe, rng)
    with half_precision():
        everything = []
        for name, make in MAKERS.items():
            scenes = [make(rng, held_out=True) for _ in range(12)]
            codes = encode(projection, scenes)
            everything.append((scenes, codes))
            image, _ = text_to_image_losses(model, sampler.text_to_image(scenes), codes)
            found[f"val_{name}"] = image.item()
        scenes, codes = [scene for part, _ in everything for scene in part], torch.cat([part for _, part in everything])
        left, right = sampler.image_to_text(scenes)
        found["val_right"] = right_text_loss(model, left, codes, right).item()
        left, right = sampler.text_questions(24)
        found["val_ask"] = right_text_loss(model, left, codes[:24] * 0, right).item()
    return found


@torch.no_grad()
def average_weights(tensors: list[Tensor], steps: int) -> int:
    """All workers' mean, in place, weighted by the steps that each has taken since the last time. Returns the sum of these."""
    flat = torch.cat([*(tensor.flatten() for tensor in tensors), torch.ones(1)]) * steps
    distributed.all_reduce(flat)
    total, start = flat[-1].item(), 0
    for tensor in tensors:
        tensor.copy_(flat[start : start + tensor.numel()].view_as(tensor)).div_(total)
        start += tensor.numel()
    return round(total)


def losses(
    model: Rudolph, pointer: "Pointer", sampler: Sampler, pool: Pool, interest: Interest, arguments: argparse.Namespace,
    share: float, progress: float,
) -> dict[str, Tensor]:  # fmt: skip
    """Runs every kind of batch forward and backward; returns their losses. `share`: where in STAGES; `progress`: of this run, 0..1."""
    if progress < arguments.lesson:
        kinds = next(kinds for until, kinds in LESSON if progress <= until * arguments.lesson)
        with half_precision():
            where, pointed = pointer.ask(model, sampler, pool.projection, random_several(sampler.rng, 64, kinds))
        (where + pointed).backward()
        return {"where": where, "pointed": pointed}
    rng, stage = sampler.rng, next(stage for stage in STAGES if share <= stage.until)
    sampler.everyday = stage.everyday
    whole = rng.random() < stage.whole

    def wanted(scene: Scene, shares: dict[str, float]) -> bool:
        known = all(body.kind % (len(KINDS) // stage.kinds) == 0 for body in scene.sprites)
        return known and rng.random() < shares.get(scene.size, 1)

    drawn, all_codes = pool.draw(rng, arguments.draw, True, lambda scene: wanted(scene, DRAWN))
    # Crowded scenes apart from others, so that few sequences are longer than they need to be.
    order = torch.isin(all_codes, interest.plain).sum(1).argsort()
    image = left = 0.0
    for part in order.chunk(1 if whole else 3):
        with half_precision():
            scenes, codes = [drawn[i] for i in part], all_codes[part]
            hide = torch.tensor([rng.random() if rng.random() < stage.blind else 0.0 for _ in scenes])
            seen = torch.rand(codes.shape) >= hide.unsqueeze(1)
            found = text_to_image_losses(model, sampler.text_to_image(scenes), codes, seen, None if whole else interest.tokens(codes))
        weight = len(part) / len(order)
        ((found[0] + 0.05 * found[1]) * weight).backward()
        image, left = image + weight * found[0].detach(), left + weight * found[1].detach()
    with half_precision():
        plain = sampler.text_to_text(drawn[:3], arguments.sums)
        plain = text_loss(model, model.hidden(plain), plain)
    plain.backward()
    with half_precision():
        scenes, codes = pool.draw(rng, arguments.describe, False, lambda scene: wanted(scene, DESCRIBED))
        tokens = None if whole else interest.tokens(codes)
        right = right_text_loss(model, *insert(sampler.image_to_text(scenes), codes), tokens)
    right.backward()
    with half_precision():
        scenes, codes = pool.draw(rng, arguments.read, False, lambda scene: bool(scene.text) and wanted(scene, {}))
        read = right_text_loss(model, *insert(sampler.readings(scenes), codes), plates(scenes))
        where, pointed = pointer.ask(model, sampler, pool.projection, random_several(rng, arguments.where, len(KINDS)))
        # All of a question's empty picture only now and then, and never before the end: it costs much and says nothing.
        empty = share >= WHOLE_FROM and rng.random() < 0.3
        batch = sampler.text_questions(1 if empty else arguments.ask)
        codes = torch.zeros(len(batch[0]), model.config.image_length, dtype=torch.long)
        tokens = None if empty else torch.rand(codes.shape).topk(SOME_TOKENS, 1).indices.sort(1).values
        ask = right_text_loss(model, *insert(batch, codes), tokens)
    (0.5 * read + where + pointed + ask).backward()
    return {"image": image, "left": left, "plain": plain, "right": right, "read": read, "where": where, "pointed": pointed, "ask": ask}


def random_several(rng: random.Random, count: int, kinds: int) -> list[Scene]:
    """Pairs, and where all kinds occur rows too. `kinds`: only so many, evenly spread over the list."""
    scenes: list[Scene] = []
    while len(scenes) < count:
        scene = (random_row if kinds == len(KINDS) and rng.random() < 0.4 else random_pair)(rng)
        if all(body.kind % (len(KINDS) // kinds) == 0 for body in scene.sprites):
            scenes.append(scene)
    return scenes


class Pointer(torch.nn.Module):
    """A help of the training, not exported: where a question asks for one of several sprites, the image tokens must know behind
    one of the layers whether they belong to it. An answer alone is one bit, too little to find out that names matter."""

    LAYER, SHOWN = 3, 32  # behind which layer; of the sprites' tokens so many are in the sequence

    def __init__(self, model: Rudolph):
        super().__init__()
        self.read = torch.nn.Linear(model.config.hidden_size, 1)

    def ask(self, model: Rudolph, sampler: Sampler, projection: Projection, scenes: list[Scene]) -> tuple[Tensor, Tensor]:
        """Where something is in scenes on the token grid. -> loss of the right text, binary cross-entropy of the tokens"""
        left, right, asked = sampler.places(scenes)
        codes = encode(projection, scenes)
        width = model.config.image_tokens_per_dim
        owners = torch.full((len(scenes), width, width), -1)  # which sprite each token shows
        for owner, scene in zip(owners, scenes):
            for i, body in enumerate(scene.sprites):
                end_y, end_x = ((edge + body.size) // TOKEN for edge in (body.y, body.x))
                owner[max(body.y, 0) // TOKEN : end_y, max(body.x, 0) // TOKEN : end_x] = i
        owners = owners.flatten(1)
        tokens = ((owners >= 0) + torch.rand(owners.shape)).topk(self.SHOWN, 1).indices.sort(1).values
        outputs: list[Tensor] = []
        hook = model.transformer.layers[self.LAYER].register_forward_hook(lambda _layer, _inputs, output: outputs.append(output))
        text = right_text_loss(model, left, codes, right, tokens)
        hook.remove()
        found = self.read(outputs[0][:, left.shape[1] : left.shape[1] + self.SHOWN]).squeeze(-1).float()
        belongs = (owners.gather(1, tokens) == asked[:, None]).float()
        return text, F.binary_cross_entropy_with_logits(found, belongs)


def plates(scenes: list[Scene]) -> Tensor:
    """The image tokens of the rows with a plate [B, 64]: all that a reading needs."""
    width, rows = SIDE // TOKEN, CELL[1] // TOKEN
    tops = torch.tensor([PLATES[scene.place] // TOKEN for scene in scenes])
    return tops[:, None] * width + torch.arange(rows * width)


def insert(texts: tuple[Tensor, Tensor], codes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    left, right = texts
    return left, codes, right


def train(rank: int, arguments: argparse.Namespace) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(arguments.port)}
    distributed.init_process_group("gloo", rank=rank, world_size=arguments.workers)
    torch.set_num_threads(arguments.threads)
    if arguments.cores:
        os.sched_setaffinity(0, {arguments.cores[rank]})
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
    pointer = Pointer(model)
    weights = list(model.parameters())
    average = [w.detach().clone() for w in weights]  # exponential moving average: what is exported
    matrices = [w for w in model.transformer.layers.parameters() if w.dim() == 2]
    others = [w for w in weights if all(w is not matrix for matrix in matrices)]
    optimisers = [
        Muon(matrices, lr=arguments.rate, weight_decay=0.02),
        torch.optim.AdamW([*others, *pointer.parameters()], lr=arguments.rate, betas=(0.9, 0.985), weight_decay=0.01, fused=True),
    ]
    step, spent, scenes = 0, 0.0, 0  # steps are all workers' together, scenes the first one's
    path = arguments.out / "last.pt"
    if path.exists():
        state = torch.load(path, weights_only=True)
        model.load_state_dict(state["model"])
        pointer.load_state_dict(state["pointer"])
        average = [state["average"][name] for name, _ in model.named_parameters()]
        for optimiser, saved in zip(optimisers, state["optimisers"]):
            optimiser.load_state_dict(saved)
        step, spent, scenes = state["step"], state["spent"], state["scenes"]
    pool = Pool(projection, arguments.pool, config.image_length, first=rank * 10**9 + scenes)
    interest = Interest(projection)
    sampler = Sampler(config, bpe, random.Random(1000 * step + rank))
    while pool.size < min(arguments.ready, arguments.pool):
        pool.grow(50)
    log = Log(arguments.out / "log.jsonl") if rank == 0 else None
    distributed.barrier()
    clock, taken, parent = Clock(arguments.minutes, spent), 0, os.getppid()
    meeting = clock.seconds + MEETING  # the same for all workers, give or take what a barrier does

    while os.getppid() == parent:  # a killed parent does not take its workers with it
        pool.grow(arguments.fresh)
        for optimiser in optimisers:
            optimiser.zero_grad()
        reached = arguments.begin + clock.share * (1 - arguments.begin)
        found = losses(model, pointer, sampler, pool, interest, arguments, reached, clock.share)
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(clock.share, arguments.rate, hold=0.4)
            optimiser.step()
        taken += 1
        torch._foreach_lerp_(average, [w.detach() for w in weights], 1 - min(0.998, (step + taken + 1) / (step + taken + 10)))
        if clock.seconds < min(meeting, clock.total):
            continue
        step, meeting, ended = step + average_weights([*weights, *average, *pointer.parameters()], taken), meeting + MEETING, meeting >= clock.total
        taken = 0
        if rank == 0:
            numbers = {name: loss.item() for name, loss in found.items()}
            log.write(step=step, seconds=clock.seconds, **numbers, scenes=scenes + pool.grown)
            if ended or round(meeting / MEETING) % SAVED == 0:
                log.write(step=step, seconds=clock.seconds, **validate(model, projection, bpe))
                names = [name for name, _ in model.named_parameters()]
                save(path, model=model.state_dict(), average=dict(zip(names, average)), pointer=pointer.state_dict(),
                     optimisers=[optimiser.state_dict() for optimiser in optimisers], step=step, spent=clock.seconds,
                     scenes=scenes + pool.grown)  # fmt: skip
        if ended:
            break
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
    parser.add_argument("--read", type=int, default=6, help="readings of plates alone a step and worker")
    parser.add_argument("--where", type=int, default=6, help="questions where something is a step and worker")
    parser.add_argument("--lesson", type=float, default=0, help="share of the run that begins it with questions where something is, alone")
    parser.add_argument("--sums", type=int, default=8, help="lines of sums a step and worker")
    parser.add_argument("--ask", type=int, default=6, help="questions without a picture a step and worker")
    parser.add_argument("--ready", type=int, default=5000, help="scenes a worker begins with")
    parser.add_argument("--cores", type=int, nargs="*", default=[], help="a core for each worker, to stay on")
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
