"""The Gumbel VQGAN's architecture (taming-transformers' Encoder and Decoder, f8), with upstream's parameter names.

Training uses nearest-neighbour vector quantisation; `to_gumbel` stores the same codebook in Gumbel form, where
argmax(2 E z - |E|^2) is the nearest neighbour again.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, channels, eps=1e-6)


class ResnetBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.norm1, self.conv1 = norm(inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2, self.conv2 = norm(outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.nin_shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        return self.nin_shortcut(x) + h


class AttnBlock(nn.Module):
    """Self-attention over all pixels, one head as wide as the channels."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = norm(channels)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x)
        q, k, v = (conv(h).flatten(2).transpose(1, 2) for conv in (self.q, self.k, self.v))  # [B, HW, C]
        out = F.scaled_dot_product_attention(q.unsqueeze(1), k.unsqueeze(1), v.unsqueeze(1)).squeeze(1)
        return x + self.proj_out(out.transpose(1, 2).reshape(x.shape))


class Downsample(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Level(nn.Module):
    """Residual blocks of one resolution, each followed by attention where there is any, then a change of resolution."""

    def __init__(self, inputs: int, outputs: int, blocks: int, attention: bool):
        super().__init__()
        self.block = nn.ModuleList(ResnetBlock(inputs if i == 0 else outputs, outputs) for i in range(blocks))
        self.attn = nn.ModuleList(AttnBlock(outputs) for _ in range(blocks if attention else 0))

    def forward(self, x: Tensor) -> Tensor:
        for i, block in enumerate(self.block):
            x = block(x)
            if len(self.attn):
                x = self.attn[i](x)
        for resample in ("downsample", "upsample"):
            if hasattr(self, resample):
                x = getattr(self, resample)(x)
        return x


class Middle(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.block_1, self.attn_1, self.block_2 = ResnetBlock(channels, channels), AttnBlock(channels), ResnetBlock(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.block_2(self.attn_1(self.block_1(x)))


class Encoder(nn.Module):
    def __init__(self, config: dict):
        super().__init__()
        widths = [config["ch"] * m for m in config["ch_mult"]]
        last = len(widths) - 1
        self.conv_in = nn.Conv2d(config["in_channels"], config["ch"], 3, padding=1)
        self.down = nn.ModuleList()
        for i, width in enumerate(widths):
            level = Level(config["ch"] if i == 0 else widths[i - 1], width, config["num_res_blocks"], i == last)
            if i < last:
                level.downsample = Downsample(width)
            self.down.append(level)
        self.mid = Middle(widths[-1])
        self.norm_out, self.conv_out = norm(widths[-1]), nn.Conv2d(widths[-1], config["z_channels"], 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for level in self.down:
            x = level(x)
        return self.conv_out(F.silu(self.norm_out(self.mid(x))))


class Decoder(nn.Module):
    def __init__(self, config: dict):
        super().__init__()
        widths = [config["ch"] * m for m in config["ch_mult"]]
        last = len(widths) - 1
        self.conv_in = nn.Conv2d(config["z_channels"], widths[-1], 3, padding=1)
        self.mid = Middle(widths[-1])
        self.up = nn.ModuleList()
        for i, width in enumerate(widths):
            level = Level(widths[min(i + 1, last)], width, config["num_res_blocks"] + 1, i == last)
            if i > 0:
                level.upsample = Upsample(width)
            self.up.append(level)
        self.norm_out, self.conv_out = norm(widths[0]), nn.Conv2d(widths[0], config["out_ch"], 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        x = self.mid(self.conv_in(z))
        for level in reversed(self.up):
            x = level(x)
        return self.conv_out(F.silu(self.norm_out(x)))


class GumbelQuantize(nn.Module):
    def __init__(self, config: dict):
        super().__init__()
        self.proj = nn.Conv2d(config["embed_dim"], config["n_embed"], 1)
        self.embed = nn.Embedding(config["n_embed"], config["embed_dim"])


class VQGAN(nn.Module):
    """`config` is upstream's ddconfig plus `n_embed` and `embed_dim`."""

    def __init__(self, config: dict):
        super().__init__()
        self.config = config
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        self.quantize = GumbelQuantize(config)
        self.quant_conv = nn.Conv2d(config["z_channels"], config["embed_dim"], 1)
        self.post_quant_conv = nn.Conv2d(config["embed_dim"], config["z_channels"], 1)

    @torch.no_grad()
    def initialise(self) -> None:
        """Starts near a linear autoencoder of local means, which has the colours right within a few hundred steps.

        Residual branches start at zero, downsampling as a mean, upsampling as a copy, the rest keeps its variance.
        """
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
                nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, ResnetBlock):
                module.conv2.weight.zero_()
            elif isinstance(module, AttnBlock):
                module.proj_out.weight.zero_()
            elif isinstance(module, Downsample):
                module.conv.weight.mul_(0.1)
                module.conv.weight.diagonal().add_(1 / 9)
            elif isinstance(module, Upsample):
                module.conv.weight.mul_(0.1)
                module.conv.weight[:, :, 1, 1].diagonal().add_(1)

    def latents(self, images: Tensor) -> Tensor:
        """images [B, 3, H, W], 0..1 -> [B, embed_dim, H/8, W/8]"""
        return self.quant_conv(self.encoder(images * 2 - 1))

    def code_logits(self, images: Tensor) -> Tensor:
        """-> [B, n_embed, H/8, W/8]"""
        return self.quantize.proj(self.latents(images))

    def encode(self, images: Tensor) -> Tensor:
        """-> codes [B, H/8 * W/8]"""
        return self.code_logits(images).argmax(1).flatten(1)

    def reconstruct(self, quantised: Tensor) -> Tensor:
        """[B, embed_dim, h, w] -> images [B, 3, 8h, 8w], about 0..1, not clamped"""
        return (self.decoder(self.post_quant_conv(quantised)) + 1) / 2

    def decode(self, codes: Tensor) -> Tensor:
        """codes [B, d * d] -> images [B, 3, 8d, 8d], 0..1"""
        side = round(codes.shape[1] ** 0.5)
        quantised = self.quantize.embed(codes).transpose(1, 2).unflatten(2, (side, side))
        return self.reconstruct(quantised).clamp(0, 1)

    @torch.no_grad()
    def to_gumbel(self) -> None:
        """Makes the projection choose the nearest row of the codebook."""
        codebook = self.quantize.embed.weight
        self.quantize.proj.weight.copy_(2 * codebook[:, :, None, None])
        self.quantize.proj.bias.copy_(-codebook.square().sum(1))


def load_state(path: str) -> dict[str, Tensor]:
    """A Lightning checkpoint's weights in float32, without the training loss's own."""
    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    return {key: value.float() for key, value in state.items() if not key.startswith("loss.")}
