"""Carries a transformer over to another image tokenizer: python -m training.carry_over --rudolph last.pt --from old.ckpt --to new.ckpt --out start.pt

Text, positions and layers stay. A new code's embedding and logit weights are those of the old codes that stood at the same
places of the same scenes, averaged; codes that never occurred start at random. `train_rudolph --start` goes on from it.
"""

import argparse
import random
from pathlib import Path

import torch
from torch import Tensor

from .bpe import BPE
from .fit_tokenizer import Projection
from .rudolph import Rudolph
from .scenes import random_scene, render_all
from .train_rudolph import make_config
from .train_vqgan import CONFIG
from .vqgan import VQGAN, load_state


@torch.no_grad()
def shares(old: VQGAN, new: VQGAN, scenes: int) -> Tensor:
    """[new codes, old codes]: how often each old code stood where the new one stands; rows add up to 1, or are 0."""
    count = torch.zeros(new.config["n_embed"], old.config["n_embed"])
    rng, projection = random.Random(8), Projection(new)
    for _ in range(scenes // 16):
        images = render_all(random_scene(rng) for _ in range(16))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            latents = old.latents(images)
        before = old.quantize.proj(latents.float()).argmax(1).flatten()
        after = projection.encode(images).flatten()
        count.index_put_((after, before), torch.ones(len(before)), accumulate=True)
    return count / count.sum(1, keepdim=True).clamp(min=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    runs = Path(__file__).with_name("runs")
    parser.add_argument("--rudolph", type=Path, required=True, help="last.pt of a transformer on the old tokenizer")
    parser.add_argument("--from", type=Path, required=True, dest="old", help="the old tokenizer")
    parser.add_argument("--to", type=Path, default=runs / "vqgan.ckpt", help="the new one, from fit_tokenizer")
    parser.add_argument("--bpe", type=Path, default=runs / "bpe.model")
    parser.add_argument("--out", type=Path, default=runs / "start.pt")
    parser.add_argument("--scenes", type=int, default=384)
    arguments = parser.parse_args()
    old_state, new_state = load_state(arguments.old), load_state(arguments.to)
    old, new = (VQGAN({**CONFIG, "n_embed": len(state["quantize.embed.weight"])}) for state in (old_state, new_state))
    old.load_state_dict(old_state)
    new.load_state_dict(new_state)
    share = shares(old, new, arguments.scenes)
    seen = share.sum(1) > 0
    print(f"{100 * seen.float().mean():.0f} % of the new codes occurred")

    torch.manual_seed(0)
    config = make_config(BPE.load(arguments.bpe))
    model = Rudolph(config)
    model.initialise()
    weights = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    before, texts = torch.load(arguments.rudolph, weights_only=True)["average"], config.text_vocabulary
    for name, weight in weights.items():
        if name == "image_embeddings.weight":
            weight[seen] = (share @ before[name])[seen] + 0.1 * weight[seen]
        elif name.startswith("to_logits.1."):
            weight[:texts] = before[name][:texts]
            weight[texts:][seen] = (share @ before[name][texts:])[seen]
        else:
            weight.copy_(before[name])
    torch.save({"average": weights}, arguments.out)


if __name__ == "__main__":
    main()
