"""RUDOLPH's transformer: left text (L) | image (I = d*d) | right text (R), with upstream's parameter names."""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Special text ids, counted from the end of the BPE vocabulary: FBC2's 17.
SPECIAL_TOKENS = (
    "LT_UNK", "RT_UNK", "LT_T2I", "LT_I2T", "LT_T2T", "RT_I2T", "LT_TQA", "RT_TQA", "LT_MQA", "RT_MQA", "LT_VQA",
    "RT_VQA", "LT_CAP", "RT_CAP", "LT_GEN", "LT_REC", "RT_REC",
)  # fmt: skip
(LT_UNK, RT_UNK, LT_T2I, LT_I2T, LT_T2T, RT_I2T, LT_TQA, RT_TQA, LT_MQA, RT_MQA, LT_VQA,
 RT_VQA, LT_CAP, RT_CAP, LT_GEN, LT_REC, RT_REC) = range(17)  # fmt: skip


@dataclass(frozen=True)
class Config:
    """Upstream's constructor parameters. `vocab_size` is the BPE vocabulary + l_text_seq_length."""

    num_layers: int
    vocab_size: int
    hidden_size: int
    num_attention_heads: int
    l_text_seq_length: int
    r_text_seq_length: int
    kernel_size: int
    last_kernel_size: int
    image_tokens_per_dim: int
    image_vocab_size: int
    text_special_tokens: int
    image_special_tokens: int

    @property
    def image_length(self) -> int:
        return self.image_tokens_per_dim**2

    @property
    def length(self) -> int:
        return self.l_text_seq_length + self.image_length + self.r_text_seq_length

    @property
    def bpe_vocabulary(self) -> int:
        """Where the special text ids start."""
        return self.vocab_size - self.l_text_seq_length

    @property
    def text_vocabulary(self) -> int:
        """All text classes: BPE, special, then one pad id a left position."""
        return self.vocab_size + self.text_special_tokens

    @property
    def image_vocabulary(self) -> int:
        return self.image_vocab_size + self.image_special_tokens

    def to_dict(self) -> dict:
        return asdict(self)


def mask_kinds(layers: int) -> list[str]:
    """The mask of every layer. The order of the tests matters where layers is no multiple of 4."""
    kinds = []
    for i in range(layers):
        if (i - 1) % 4 == 0:
            kinds.append("col")
        elif i == layers - 1:
            kinds.append("last_conv")
        else:
            kinds.append("conv" if (i - 3) % 4 == 0 else "row")
    return kinds


def build_masks(config: Config) -> dict[str, Tensor]:
    """Kind -> [S, S] bool: row i may attend to column j. All are causal and differ among image tokens only."""
    d, left = config.image_tokens_per_dim, config.l_text_seq_length
    token = torch.arange(config.image_length)
    behind = token[:, None] - token[None, :]  # how many tokens j lies before i
    row, col = token // d, token % d
    rows_up, cols_off = row[:, None] - row[None, :], (col[:, None] - col[None, :]).abs()

    def box(kernel: int) -> Tensor:
        return (rows_up <= kernel // 2) & (cols_off <= kernel // 2)

    within = {
        "row": behind <= d,
        "col": cols_off == 0,
        "conv": box(config.kernel_size),
        "last_conv": box(config.last_kernel_size),
    }
    masks = {}
    image = slice(left, left + config.image_length)
    for kind, allowed in within.items():
        mask = torch.ones(config.length, config.length, dtype=torch.bool).tril()
        mask[image, image] &= allowed
        masks[kind] = mask
    return masks


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Attention of [B, heads, S, c] under mask [Sq, Sk] or [B, Sq, Sk]. In bfloat16 on a CPU its backward pass takes
    half the time of torch's fused one."""
    bias = torch.zeros(mask.shape, dtype=q.dtype).masked_fill_(~mask, -1e4)
    if bias.dim() == 3:
        bias = bias.repeat_interleave(q.shape[1], 0)
    scores = torch.baddbmm(bias, (q * q.shape[-1] ** -0.5).flatten(0, 1), k.flatten(0, 1).transpose(1, 2))
    return torch.bmm(scores.softmax(-1).to(v.dtype), v.flatten(0, 1)).unflatten(0, q.shape[:2])


class Attention(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        hidden = config.hidden_size
        self.heads = config.num_attention_heads
        self.query_key_value, self.dense = nn.Linear(hidden, 3 * hidden), nn.Linear(hidden, hidden)

    def forward(self, x: Tensor, mask: Tensor, last: int | None) -> Tensor:
        q, k, v = self.query_key_value(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # [B, h, S, c]
        if last is not None:
            q, mask = q[:, :, -last:], mask[..., -last:, :]
        out = attend(q, k, v, mask)
        return self.dense(out.transpose(1, 2).flatten(2)).clamp(-65504, 65504)


class MLP(nn.Module):
    def __init__(self, hidden: int):
        super().__init__()
        self.dense_h_to_4h, self.dense_4h_to_h = nn.Linear(hidden, 4 * hidden), nn.Linear(4 * hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        return self.dense_4h_to_h(F.gelu(self.dense_h_to_4h(x), approximate="tanh"))


class Layer(nn.Module):
    """CogView's sandwich: a LayerNorm before and after each of attention and MLP."""

    def __init__(self, config: Config):
        super().__init__()
        hidden = config.hidden_size
        self.input_layernorm = nn.LayerNorm(hidden)
        self.attention = Attention(config)
        self.before_first_addition_layernorm = nn.LayerNorm(hidden)
        self.post_attention_layernorm = nn.LayerNorm(hidden)
        self.mlp = MLP(hidden)
        self.before_second_addition_layernorm = nn.LayerNorm(hidden)

    def forward(self, x: Tensor, mask: Tensor, last: int | None = None) -> Tensor:
        """`last`: compute the last so many positions only (what comes out of the final layer and is not needed)."""
        attended = self.attention(self.input_layernorm(x), mask, last)
        x = x if last is None else x[:, -last:]
        x = x + self.before_first_addition_layernorm(attended)
        return x + self.before_second_addition_layernorm(self.mlp(self.post_attention_layernorm(x)))


class Transformer(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_layers))
        self.kinds = mask_kinds(config.num_layers)
        self.final_layernorm = nn.LayerNorm(config.hidden_size)
        for kind, mask in build_masks(config).items():
            self.register_buffer(f"{kind}_mask", mask)

    def forward(self, x: Tensor, last: int | None = None, kept: Tensor | None = None) -> Tensor:
        """x [B, S, hidden]. `kept` [B, S]: which positions of the whole sequence x holds, where not the first S."""
        length, masks = x.shape[1], {}
        for kind in set(self.kinds):
            mask = getattr(self, f"{kind}_mask")
            masks[kind] = mask[:length, :length] if kept is None else mask[kept[:, :, None], kept[:, None, :]]
        for i, (layer, kind) in enumerate(zip(self.layers, self.kinds)):
            mask = masks[kind]
            x = layer(x, mask, last if i == len(self.layers) - 1 else None)
        return self.final_layernorm(x)


class Rudolph(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        hidden, d = config.hidden_size, config.image_tokens_per_dim
        self.text_embeddings = nn.Embedding(config.text_vocabulary, hidden)
        self.image_embeddings = nn.Embedding(config.image_vocabulary, hidden)
        self.l_text_pos_embeddings = nn.Embedding(config.l_text_seq_length + 1, hidden)  # upstream's spare row
        self.r_text_pos_embeddings = nn.Embedding(config.r_text_seq_length + 1, hidden)
        self.image_row_embeddings = nn.Embedding(d, hidden)
        self.image_col_embeddings = nn.Embedding(d, hidden)
        classes = config.text_vocabulary + config.image_vocabulary
        self.to_logits = nn.Sequential(nn.LayerNorm(hidden), nn.Linear(hidden, classes))
        self.transformer = Transformer(config)

    def initialise(self) -> None:
        """Large embeddings and small sandwich gains.

        The second and fourth LayerNorm bring every branch to unit variance, however small its weights. Beside that,
        embeddings of the usual 0.02 vanish from the residual stream: later layers would not know which token they see.
        """
        for name, weight in self.named_parameters():
            if "embeddings" in name:
                nn.init.normal_(weight, std=0.25 if "image_row" in name or "image_col" in name else 0.35)
            elif name == "to_logits.1.weight":
                nn.init.normal_(weight, std=0.02)
            elif weight.dim() == 2:
                nn.init.normal_(weight, std=weight.shape[1] ** -0.5)
            elif name.endswith("addition_layernorm.weight"):
                nn.init.constant_(weight, 0.2)
            elif name.endswith("bias"):
                nn.init.zeros_(weight)

    def embed(
        self, left: Tensor, image: Tensor | None = None, right: Tensor | None = None, seen: Tensor | None = None
    ) -> Tensor:
        """left [B, L], image [B, <= I], right [B, <= R] ids -> [B, S, hidden]. In training, image tokens outside
        `seen` [B, <= I] keep only their position."""
        config = self.config
        position = torch.arange(left.shape[1], device=left.device)
        pads = config.text_vocabulary - config.l_text_seq_length + position
        parts = [self.text_embeddings(torch.where(left == 0, pads, left)) + self.l_text_pos_embeddings(position)]
        if image is not None:
            token = torch.arange(image.shape[1], device=left.device)
            row, col = token // config.image_tokens_per_dim, token % config.image_tokens_per_dim
            place = self.image_row_embeddings(row) + self.image_col_embeddings(col)
            tokens = self.image_embeddings(image)
            parts.append((tokens if seen is None else tokens * seen.unsqueeze(-1)) + place)
        if right is not None:
            position = torch.arange(right.shape[1], device=left.device)
            parts.append(self.text_embeddings(right) + self.r_text_pos_embeddings(position))
        return torch.cat(parts, 1)

    def hidden(
        self, *streams: Tensor, last: int | None = None, seen: Tensor | None = None, tokens: Tensor | None = None
    ) -> Tensor:
        """-> [B, S or last, hidden], behind the final LayerNorm. In training, `tokens` [B, K], ascending, leaves only
        these of the image's tokens in the sequence."""
        x = self.embed(*streams, seen=seen)
        if tokens is None:
            return self.transformer(x, last)
        left, length = self.config.l_text_seq_length, x.shape[1]
        ends = torch.arange(length)
        text_left, text_right = ends[:left], ends[left + streams[1].shape[1] :]
        kept = torch.cat([part.expand(len(x), -1) for part in (text_left, text_right)] + [tokens + left], 1).sort(1).values
        return self.transformer(x.gather(1, kept.unsqueeze(-1).expand(-1, -1, x.shape[-1])), last, kept)

    def forward(self, *streams: Tensor) -> Tensor:
        """-> logits [B, S, text classes, then image classes]"""
        return self.to_logits(self.hidden(*streams))

    def logits(self, hidden: Tensor, first: int, end: int) -> Tensor:
        """The classes first ... end-1 only."""
        norm, linear = self.to_logits
        return F.linear(norm(hidden), linear.weight[first:end], linear.bias[first:end])

    def image_logits(self, hidden: Tensor) -> Tensor:
        first = self.config.text_vocabulary
        return self.logits(hidden, first, first + self.config.image_vocab_size)

    def text_logits(self, hidden: Tensor) -> Tensor:
        """Without the pads' classes."""
        return self.logits(hidden, 0, self.config.text_vocabulary - self.config.l_text_seq_length)


def prompt(config: Config, special: int, ids: list[int], length: int, close: bool = True) -> list[int]:
    """[2] + special id + ids + [3], zero-padded to `length`, cut at the end without restoring the 3."""
    whole = [2, config.bpe_vocabulary + special, *ids] + [3] * close
    return (whole + [0] * length)[:length]
