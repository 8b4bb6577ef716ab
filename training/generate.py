"""Drawing and describing with a key/value cache."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .bpe import BPE, EOS
from .rudolph import LT_I2T, LT_T2I, LT_T2T, RT_I2T, Rudolph, prompt
from .samples import TEMPLATE


class Decoder:
    """Feeds positions in order and keeps every layer's keys and values [B, heads, S, c]."""

    def __init__(self, model: Rudolph, batch: int):
        config = model.config
        shape = (config.num_layers, 2, batch, config.num_attention_heads, config.length, config.hidden_size // config.num_attention_heads)
        self.model, self.cache, self.position = model, torch.zeros(shape), 0

    def feed(self, x: Tensor) -> Tensor:
        """Embeddings [B, n, hidden] of the next n positions -> hidden states [B, n, hidden]"""
        transformer, start = self.model.transformer, self.position
        end = self.position = start + x.shape[1]
        for layer, kind, cache in zip(transformer.layers, transformer.kinds, self.cache):
            attention = layer.attention
            qkv = attention.query_key_value(layer.input_layernorm(x))
            q, k, v = qkv.unflatten(-1, (3, attention.heads, -1)).permute(2, 0, 3, 1, 4)
            cache[0, :, :, start:end], cache[1, :, :, start:end] = k, v
            mask = getattr(transformer, f"{kind}_mask")[start:end, :end]
            out = F.scaled_dot_product_attention(q, cache[0, :, :, :end], cache[1, :, :, :end], attn_mask=mask)
            x = x + layer.before_first_addition_layernorm(attention.dense(out.transpose(1, 2).flatten(2)))
            x = x + layer.before_second_addition_layernorm(layer.mlp(layer.post_attention_layernorm(x)))
        return transformer.final_layernorm(x)


def sample(logits: Tensor, top_k: int, top_p: float, temperature: float, generator: torch.Generator) -> Tensor:
    """logits [B, n] -> ids [B]: temperature, then the k best, then the smallest set of them that holds top_p."""
    logits, ids = (logits.float() / temperature).topk(min(top_k, logits.shape[-1]))
    chances = logits.softmax(-1)
    chances = chances.masked_fill(chances.cumsum(-1) - chances >= top_p, 0)
    return ids.gather(1, torch.multinomial(chances, 1, generator=generator)).squeeze(1)


@torch.inference_mode()
def draw(model: Rudolph, bpe: BPE, captions: list[str], seed: int = 0, top_k: int = 768, top_p: float = 0.99,
         temperature: float = 1.0) -> Tensor:  # fmt: skip
    """-> codes [B, I]"""
    config, generator = model.config, torch.Generator().manual_seed(seed)
    left = torch.tensor([prompt(config, LT_T2I, bpe.encode(text), config.l_text_seq_length) for text in captions])
    decoder = Decoder(model, len(captions))
    hidden, codes = decoder.feed(model.embed(left))[:, -1], []
    d = config.image_tokens_per_dim
    for token in range(config.image_length):
        codes.append(sample(model.image_logits(hidden), top_k, top_p, temperature, generator))
        place = model.image_row_embeddings.weight[token // d] + model.image_col_embeddings.weight[token % d]
        hidden = decoder.feed((model.image_embeddings(codes[-1]) + place)[:, None])[:, -1]
    return torch.stack(codes, 1)


@torch.inference_mode()
def respond(model: Rudolph, bpe: BPE, lefts: list[tuple[int, str]], codes: Tensor, special: int, begin: str = "") -> list[str]:
    """Greedy right texts to left texts (special id, words) and codes [B, I], behind `begin`."""
    config = model.config
    batch = len(codes)
    left = torch.tensor([prompt(config, kind, bpe.encode(text), config.l_text_seq_length) for kind, text in lefts])
    start = [2, config.bpe_vocabulary + special, *bpe.encode(begin)]
    right = torch.tensor([start]).expand(batch, -1)
    decoder = Decoder(model, batch)
    hidden = decoder.feed(model.embed(left, codes, right))[:, -1]
    texts = torch.empty(batch, 0, dtype=torch.long)
    for position in range(len(start), config.r_text_seq_length):
        token = model.text_logits(hidden).argmax(-1)
        texts = torch.cat([texts, token[:, None]], 1)
        if (texts == EOS).any(1).all():
            break
        x = model.text_embeddings(token) + model.r_text_pos_embeddings.weight[position]
        hidden = decoder.feed(x[:, None])[:, -1]
    return _texts(model, bpe, texts)


def describe(model: Rudolph, bpe: BPE, codes: Tensor) -> list[str]:
    """Greedy captions of codes [B, I], without the template."""
    return respond(model, bpe, [(LT_I2T, "")] * len(codes), codes, RT_I2T, TEMPLATE)


@torch.inference_mode()
def continue_texts(model: Rudolph, bpe: BPE, begins: list[str]) -> list[str]:
    """Greedy continuations inside the left text, what follows each beginning."""
    config, found = model.config, []
    for begin in begins:
        decoder = Decoder(model, 1)
        start = torch.tensor([[2, config.bpe_vocabulary + LT_T2T, *bpe.encode(begin)]])
        hidden, ids = decoder.feed(model.embed(start))[:, -1], []
        for position in range(start.shape[1], config.l_text_seq_length):
            ids.append(int(model.text_logits(hidden).argmax(-1)))
            if ids[-1] == EOS:
                break
            x = model.text_embeddings.weight[ids[-1]] + model.l_text_pos_embeddings.weight[position]
            hidden = decoder.feed(x[None, None])[:, -1]
        found += _texts(model, bpe, torch.tensor([ids]))
    return found


def _texts(model: Rudolph, bpe: BPE, ids: Tensor) -> list[str]:
    rows = [row[: row.index(EOS)] if EOS in row else row for row in ids.tolist()]
    return [bpe.decode([i for i in row if i < model.config.bpe_vocabulary]) for row in rows]
