"""Fits the image tokenizer's encoder and codebook, without gradients: python -m training.fit_tokenizer --to vqgan.ckpt

A token should mean what its own 8x8 pixels show and nothing else. A trained VQGAN encoder does not care: its GroupNorms
and attention see the whole picture, so the same sprite gets other codes on another background or beside another
sprite (of 11 backgrounds nine different codes at one place, measured), and a transformer has to learn each combination.

Here the encoder is a projection of each patch onto principal components and the codebook is k-means over these,
written into the VQGAN's own architecture exactly:
- the convolutions copy pixels into channels (3, 12, 48), the last downsampling projects them; residual branches and
  attention are zero;
- the last GroupNorm's groups hold (x, -x, K, -K): their mean is zero and their variance K^2/2, whatever the picture;
- swish(x) - swish(-x) = x, so the last convolution undoes the activation.
The decoder is free to look around and is trained afterwards: python -m training.train_decoder.
"""

import argparse
import random
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from .budget import half_precision
from .scenes import BACKGROUNDS, TOKEN, Scene, random_scene, render, render_all
from .sprites import WHITE
from .train_vqgan import CONFIG
from .vqgan import VQGAN, load_state

LARGE = 256.0  # K: far above any component
FREE = 0.1  # share of the scenes off the token grid
OUTLINES = 72  # curves that a sticker's outline may make in a patch


def patches(images: Tensor) -> Tensor:
    """images [B, 3, H, W], 0..1 -> [B, H/8 * W/8, 3 * 8 * 8], -1..1"""
    cut = (images * 2 - 1).unfold(2, TOKEN, TOKEN).unfold(3, TOKEN, TOKEN)  # [B, 3, h, w, 8, 8]
    return cut.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)


def on_ground(scene: Scene, colour: tuple[int, int, int]) -> Tensor:
    """Patches [I, 192] of a scene on one plain colour."""
    image = render(replace(scene, background="white", shade=colour))
    return patches(torch.from_numpy(image).permute(2, 0, 1).unsqueeze(0))[0]


def sample_patches(scenes: int, seed: int) -> tuple[Tensor, Tensor]:
    """-> what stickers and plates show inside of their outlines [N, 192]; outlines [M, 64]: which share of each pixel is
    white, the rest being background. Patches that the outline crosses and that show more than white belong to neither."""
    rng, inside, outlines = random.Random(seed), [], []
    for _ in range(scenes):
        scene = random_scene(rng, free=rng.random() < FREE)
        white, black = on_ground(scene, (252, 252, 252)), on_ground(scene, (0, 0, 0))
        cover = 1 - (white - black).view(-1, 3, TOKEN * TOKEN).mean(1) / (2 * WHITE)  # 1 where no background shows
        inside.append(white[cover.amin(1) > 0.98])
        # Hardly a corner of it is plain background: a code too near to that one could be taken for it.
        crossed = ((cover.mean(1) - 0.5).abs() < 0.47) & ((white - (2 * WHITE - 1)).abs().amax(1) < 0.04)
        outlines.append(cover[crossed])
    return torch.cat(inside), torch.cat(outlines)


def laid_on(outlines: Tensor) -> Tensor:
    """Outlines [K, 64] in white on every background but white: patches [10 K, 192]"""
    colours = torch.tensor([rgb for name, rgb in BACKGROUNDS.items() if name != "white"]) / 255
    mixed = outlines[None, :, None] * WHITE + (1 - outlines)[None, :, None] * colours[:, None, :, None]
    return (mixed * 2 - 1).flatten(2).flatten(0, 1)


def plain_patches() -> Tensor:
    """All backgrounds [11, 192]"""
    colours = torch.tensor(list(BACKGROUNDS.values())) / 255
    return (colours * 2 - 1).repeat_interleave(TOKEN * TOKEN, 1)


def principal_components(x: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """-> mean [192], components [count, 192], the strongest first"""
    mean = x.mean(0)
    values, vectors = torch.linalg.eigh((x - mean).T @ (x - mean) / len(x))
    kept = values[-count:].sum() / values.sum()
    print(f"{count} components hold {100 * kept:.1f} % of the variance")
    return mean, vectors[:, -count:].flip(1).T.contiguous()


def nearest(x: Tensor, codebook: Tensor) -> Tensor:
    bias = codebook.square().sum(1)
    return torch.cat([(2 * part @ codebook.T - bias).argmax(1) for part in x.split(65536)])


def k_means(x: Tensor, count: int, rounds: int, kept: Tensor) -> Tensor:
    """Lloyd's algorithm from k-means++-like seeds; empty clusters start anew at the worst served points. The first rows are
    `kept` [n, d] and stay."""
    chosen = kept if len(kept) else x[torch.randint(len(x), (64,))]
    pool = x[torch.randperm(len(x))[:60000]]
    while len(chosen) < count:
        distance = torch.cdist(pool, chosen).min(1).values.square()
        chosen = torch.cat([chosen, pool[torch.multinomial(distance + 1e-9, min(256, count - len(chosen)))]])
    for number in range(rounds):
        codes = nearest(x, chosen)
        sums = torch.zeros_like(chosen).index_add_(0, codes, x)
        sizes = torch.bincount(codes, minlength=count)
        error = (x - chosen[codes]).square().sum(1)
        chosen = torch.where((sizes > 0).unsqueeze(1), sums / sizes.clamp(min=1).unsqueeze(1), chosen)
        chosen[: len(kept)] = kept
        empty = (sizes < 2).nonzero()[:, 0]
        empty = empty[empty >= len(kept)]
        if len(empty) and number < rounds - 3:
            chosen[empty] = x[torch.multinomial(error[: 2**23], len(empty))]
    print(f"k-means: mean square error {error.mean() / x.shape[1]:.5f} a component, {len(empty)} empty")
    return chosen


@torch.no_grad()
def write_encoder(model: VQGAN, mean: Tensor, components: Tensor, codebook: Tensor) -> None:
    """Puts projection and codebook into the encoder; the decoder stays."""
    encoder = model.encoder
    for weight in [*encoder.parameters(), *model.quant_conv.parameters()]:
        weight.zero_()
    for module in encoder.modules():
        if isinstance(module, torch.nn.GroupNorm):
            module.weight.fill_(1)
    encoder.conv_in.weight[range(3), range(3), 1, 1] = 1
    encoder.down[0].block[0].nin_shortcut.weight[range(3), range(3), 0, 0] = 1
    # Channel c * side * side + y * side + x holds pixel (y, x) of channel c in a block of side x side.
    for level, side in ((0, 1), (1, 2)):
        for c in range(3):
            for y in range(2 * side):
                for x in range(2 * side):
                    source = c * side * side + (y % side) * side + x % side
                    target = c * 4 * side * side + y * 2 * side + x
                    encoder.down[level].downsample.conv.weight[target, source, y // side, x // side] = 1
    count = len(components)
    taps = components.view(count, 3, TOKEN, TOKEN)
    for y in range(TOKEN):
        for x in range(TOKEN):
            for c in range(3):
                source = c * 16 + (y % 4) * 4 + x % 4
                encoder.down[2].downsample.conv.weight[:count, source, y // 4, x // 4] = taps[:, c, y, x]
    encoder.down[2].downsample.conv.bias[:count] = -(components @ mean)
    shortcut = encoder.down[3].block[0].nin_shortcut
    part = torch.arange(count)
    shortcut.weight[4 * part, part, 0, 0], shortcut.weight[4 * part + 1, part, 0, 0] = 1.0, -1.0
    shortcut.bias[4 * part + 2], shortcut.bias[4 * part + 3] = LARGE, -LARGE
    encoder.norm_out.weight.fill_(LARGE / 2**0.5)
    encoder.conv_out.weight[part, 4 * part, 1, 1], encoder.conv_out.weight[part, 4 * part + 1, 1, 1] = 1.0, -1.0
    model.quant_conv.weight[part, part, 0, 0] = 1
    model.quantize.embed.weight.copy_(codebook)
    model.to_gumbel()


class Projection:
    """The codes of a tokenizer whose encoder `write_encoder` wrote, without running its network."""

    def __init__(self, model: VQGAN):
        conv, count = model.encoder.down[2].downsample.conv, CONFIG["embed_dim"]
        taps = conv.weight[:count, :48, :2, :2].detach().unflatten(1, (3, 4, 4))  # [count, 3, y % 4, x % 4, y // 4, x // 4]
        self.components = taps.permute(0, 1, 4, 2, 5, 3).flatten(1).contiguous()
        self.offset = conv.bias[:count].detach()
        self.rows, self.bias = model.quantize.proj.weight[:, :, 0, 0].detach(), model.quantize.proj.bias.detach()

    def encode(self, images: Tensor) -> Tensor:
        """images [B, 3, H, W], 0..1 -> codes [B, H/8 * W/8]"""
        return ((patches(images) @ self.components.T + self.offset) @ self.rows.T + self.bias).argmax(2)


@torch.no_grad()
def fit_decoder_input(model: VQGAN, old: VQGAN, images: Tensor) -> None:
    """Starts the decoder from another tokenizer's: its latents as a linear function of the new codes' rows."""
    model.decoder.load_state_dict(old.decoder.state_dict())
    rows = model.quantize.embed(model.encode(images)).flatten(0, 1)
    with half_precision():
        latents = old.latents(images)
    wanted = old.quantize.embed(old.quantize.proj(latents.float()).argmax(1)).flatten(0, 2)
    wanted = wanted @ old.post_quant_conv.weight[:, :, 0, 0].T + old.post_quant_conv.bias
    padded = torch.cat([rows, torch.ones(len(rows), 1)], 1)
    solution = torch.linalg.lstsq(padded, wanted).solution  # [embed_dim + 1, z_channels]
    left = (padded @ solution - wanted).square().mean() / wanted.var(0).mean()
    print(f"the old decoder's input: {100 * (1 - left):.0f} % of its variance explained")
    model.post_quant_conv.weight.copy_(solution[:-1].T[:, :, None, None])
    model.post_quant_conv.bias.copy_(solution[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    runs = Path(__file__).with_name("runs")
    parser.add_argument("--to", type=Path, default=runs / "vqgan.ckpt")
    parser.add_argument("--decoder", type=Path, help="a tokenizer of the same architecture whose decoder is a start")
    parser.add_argument(
        "--keep", type=Path, help="a tokenizer from here whose components and decoder stay; only the codes are fitted anew"
    )
    parser.add_argument("--scenes", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=25)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    inside, outlines = sample_patches(arguments.scenes, seed=4)
    print(f"{len(inside):,} patches inside of outlines, {len(outlines):,} across")
    shapes = k_means(outlines, OUTLINES, arguments.rounds, torch.empty(0, TOKEN * TOKEN))
    fixed = torch.cat([plain_patches(), laid_on(shapes)])
    x = torch.cat([inside, laid_on(outlines[torch.randperm(len(outlines))[: len(inside) // 30]])])
    if arguments.keep:
        state = load_state(arguments.keep)
        keep = VQGAN({**CONFIG, "n_embed": len(state["quantize.embed.weight"])})
        keep.load_state_dict(state)
        projection = Projection(keep)
        components, mean = projection.components, x.mean(0)
        mean = mean - (mean @ components.T + projection.offset) @ components
    else:
        mean, components = principal_components(x, CONFIG["embed_dim"])
    mean, components = mean.half().float(), components.half().float()
    kept = (fixed - mean) @ components.T
    codebook = k_means((inside - mean) @ components.T, CONFIG["n_embed"], arguments.rounds, kept).half().float()
    error = (codebook[nearest((x - mean) @ components.T, codebook)] @ components + mean - x).square().mean() / 4
    print(f"patches without a decoder: {-10 * error.log10():.2f} dB")

    model = VQGAN(CONFIG)
    model.initialise()
    write_encoder(model, mean, components, codebook)
    rng = random.Random(5)
    images = render_all(random_scene(rng) for _ in range(64))
    with torch.no_grad():
        same = (model.encode(images[:8]) == Projection(model).encode(images[:8])).float().mean()
    print(f"{100 * same:.2f} % of the codes of the network are those of the projection")
    assert same > 0.995
    if arguments.keep:
        model.decoder.load_state_dict(keep.decoder.state_dict())
        model.post_quant_conv.load_state_dict(keep.post_quant_conv.state_dict())
    elif arguments.decoder:
        old_state = torch.load(arguments.decoder, map_location="cpu", weights_only=True)["state_dict"]
        old = VQGAN({**CONFIG, "n_embed": len(old_state["quantize.embed.weight"])})
        old.load_state_dict({key: value.float() for key, value in old_state.items() if not key.startswith("loss.")})
        fit_decoder_input(model, old, images)
    weights = {key: value.half().contiguous() for key, value in model.state_dict().items()}
    assert all(value.isfinite().all() for value in weights.values())
    arguments.to.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": weights, "global_step": 0}, arguments.to)


if __name__ == "__main__":
    main()
