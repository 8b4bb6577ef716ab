"""Carries a transformer over to another tokenizer and codebook: python -m training.carry_over --rudolph rudolph.pt --from old.ckpt
--from-bpe old.model --to new.ckpt --bpe new.model --out start.pt

Positions and layers stay. A new token's embedding and logit weights are those of the old token with the same characters, or the mean of
those that spelt it. A new code's are those of the old codes that stood at the same places of the same scenes, averaged.
What never occurred starts at random. `train_rudolph --start` goes on from it.
"""

import argparse
import random
from pathlib import Path

import torch
from torch import Tensor

from .bpe import BPE, UNK
from .fit_tokenizer import Projection
from .rudolph import Rudolph
from .scenes import random_scene, render_all
from .train_rudolph import make_config
from .train_vqgan import CONFIG
from .vqgan import VQGAN, load_state


@torch.no_grad()
def code_shares(old: VQGAN, new: VQGAN, scenes: int) -> Tensor:
    """[new codes, old codes]: how often each old code stood where the new one stands; rows add up to 1, or are 0."""
    count = torch.zeros(new.config["n_embed"], old.config["n_embed"])
    rng, projections = random.Random(8), (Projection(old), Projection(new))
    for _ in range(scenes // 16):
        images = render_all(random_scene(rng) for _ in range(16))
        before, after = (projection.encode(images).flatten() for projection in projections)
        count.index_put_((after, before), torch.ones(len(before)), accumulate=True)
    return count / count.sum(1, keepdim=True).clamp(min=1)


def token_shares(old: BPE, new: BPE, old_classes: int, new_classes: int) -> Tensor:
    """[new text classes, old text classes]; behind the tokens come special ids and pads, which stay in order."""
    share = torch.zeros(new_classes, old_classes)
    share[range(4), range(4)] = 1
    for i, piece in new.pieces.items():
        if i < 4:
            continue
        spelt = [token for token in old.encode_word(piece) if token != UNK]
        for token in spelt:
            share[i, token] += 1 / len(spelt)
    rest = min(new_classes - new.vocabulary, old_classes - old.vocabulary)
    share[range(new.vocabulary, new.vocabulary + rest), range(old.vocabulary, old.vocabulary + rest)] = 1
    return share


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    runs = Path(__file__).with_name("runs")
    parser.add_argument("--rudolph", type=Path, required=True, help="last.pt, or what from_bundle wrote")
    parser.add_argument("--from", type=Path, required=True, dest="old", help="the old image tokenizer")
    parser.add_argument("--from-bpe", type=Path, required=True, help="the old tokenizer")
    parser.add_argument("--to", type=Path, default=runs / "vqgan.ckpt", help="the new one, from fit_tokenizer")
    parser.add_argument("--bpe", type=Path, default=runs / "bpe.model")
    parser.add_argument("--out", type=Path, default=runs / "start.pt")
    parser.add_argument("--scenes", type=int, default=768)
    arguments = parser.parse_args()
    old_state, new_state = load_state(arguments.old), load_state(arguments.to)
    old, new = (VQGAN({**CONFIG, "n_embed": len(state["quantize.embed.weight"])}) for state in (old_state, new_state))
    old.load_state_dict(old_state)
    new.load_state_dict(new_state)

    torch.manual_seed(0)
    old_bpe, new_bpe = BPE.load(arguments.from_bpe), BPE.load(arguments.bpe)
    before, old_config, config = torch.load(arguments.rudolph, weights_only=True)["average"], make_config(old_bpe), make_config(new_bpe)
    model = Rudolph(config)
    model.initialise()
    weights = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    shares = {
        "image": code_shares(old, new, arguments.scenes),
        "text": token_shares(old_bpe, new_bpe, old_config.text_vocabulary, config.text_vocabulary),
    }
    for kind, share in shares.items():
        print(f"{100 * (share.sum(1) > 0).float().mean():.0f} % of the {kind} ids have a past")

    def carry(kind: str, past: Tensor, fresh: Tensor) -> Tensor:
        share = shares[kind]
        known = share.sum(1) > 0
        fresh[known] = (share @ past)[known] + (0.1 * fresh[known] if fresh.dim() == 2 else 0)
        return fresh

    texts, old_texts = config.text_vocabulary, old_config.text_vocabulary
    for name, weight in weights.items():
        if name == "image_embeddings.weight":
            carry("image", before[name], weight)
        elif name == "text_embeddings.weight":
            carry("text", before[name], weight)
        elif name.startswith("to_logits.1."):
            carry("text", before[name][:old_texts], weight[:texts])
            carry("image", before[name][old_texts:], weight[texts:])
        else:
            weight.copy_(before[name])
    torch.save({"average": weights}, arguments.out)


if __name__ == "__main__":
    main()
