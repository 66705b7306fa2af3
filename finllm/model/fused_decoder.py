"""Greedy decoding of a bfloat16 Llama on a CPU: packed weights, one cache, rows that come and go.

A prompt is read alone; then every row takes a token a step. A row that ends gives its place to the
next prompt at once, so that the batch stays full. Keys and values are written where they stay, in
the order in which a step reads them. What a row computes does not depend on its neighbours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import PreTrainedModel
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaForCausalLM

from finllm.model import decode_kernels, kernels
from finllm.model.kernels import bits
from finllm.model.packed_linear import N_ROWS, PackedLinear

_SEED, _NEVER = np.uint32(0), np.uint32(0)  # no dropout
_ONE = np.float32(1)


def can_decode(model: PreTrainedModel) -> bool:
    """Whether the model is a plain Llama in bfloat16 on a CPU, without biases or 4-bit weights."""
    return (
        type(model) is LlamaForCausalLM
        and model.device.type == "cpu"
        and all(parameter.dtype == torch.bfloat16 for parameter in model.parameters())
        and model.config.hidden_act == "silu"
        and model.config.head_dim % decode_kernels.LANES == 0
        and not model.config.attention_bias
        and not model.config.mlp_bias
    )


class FusedDecoder:
    """A model's layers and a cache for ``n_rows`` answers at a time.

    Parameters
    ----------
    model
        A model for which ``can_decode`` is true. Its weights are copied, packed.
    n_rows
        Answers that are written together.
    n_slots
        The longest prompt and answer together, in tokens.
    """

    def __init__(self, model: PreTrainedModel, *, n_rows: int, n_slots: int) -> None:
        config = model.config
        self.eps = np.float32(config.rms_norm_eps)
        self.kv, self.dim = config.num_key_value_heads, config.head_dim
        self.group = config.num_attention_heads // self.kv
        self.embed, self.norm = model.model.embed_tokens, model.model.norm
        self.layers = [_Layer.of(layer) for layer in model.model.layers]
        self.head = PackedLinear(model.lm_head.weight)
        self.attend = decode_kernels.attention(self.group)
        self.keys, self.values = decode_kernels.empty_cache(
            len(self.layers), n_rows, self.kv, n_slots, self.dim
        )
        like = model.model.norm.weight.detach()
        cos, sin = model.model.rotary_emb(like, torch.arange(n_slots)[None])
        self.cos, self.sin = cos[0], sin[0]

    def read(self, prompt: Sequence[int], row: int) -> int:
        """Read a prompt into a row of the cache; the token that follows it."""
        x = self.embed(torch.tensor(prompt))
        n = len(x)
        cos, sin = self.cos[:n], self.sin[:n]
        for i, layer in enumerate(self.layers):
            qkv = layer.qkv(self._normed(x, layer.norm_before))
            q = x.new_empty(self.kv, n, self.group, self.dim)
            k, v = x.new_empty(2, self.kv, n, self.dim)
            kernels.rotate(bits(qkv), bits(cos), bits(sin), _ONE, bits(q), bits(k), bits(v))
            decode_kernels.store(bits(k), bits(v), self.keys[i, row], self.values[i, row])
            if i == len(self.layers) - 1:  # behind it only the last token is asked for
                x, q = x[-1:], q[:, -1:]
            shared = (self.kv, self.group, n, self.dim)  # a key of several queries
            attended = scaled_dot_product_attention(
                q.transpose(1, 2),
                k[:, None].expand(shared),
                v[:, None].expand(shared),
                is_causal=len(x) > 1,
            )
            x = self._rest(x, attended.permute(2, 0, 1, 3).reshape(len(x), -1), layer)
        return int(self._next(x)[0])

    def step(self, tokens: np.ndarray, rows: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Take a token a row; the tokens that follow.

        ``rows`` are the rows of the cache and ``lengths`` how many of their tokens are in it. The
        products are taken of whole blocks of rows, since another number may be rounded differently.
        """
        n = len(rows)
        at = torch.from_numpy(lengths)
        cos, sin = bits(self.cos[at]), bits(self.sin[at])
        x = self.norm.weight.new_zeros(-(-n // N_ROWS) * N_ROWS, len(self.norm.weight))
        x[:n] = self.embed(torch.from_numpy(tokens))
        scale = np.float32(self.dim**-0.5)
        for i, layer in enumerate(self.layers):
            qkv = layer.qkv(self._normed(x, layer.norm_before))
            attended = x.new_zeros(len(x), self.kv * self.group * self.dim)
            past = self.keys[i], self.values[i]
            self.attend(bits(qkv), cos, sin, scale, rows, lengths, *past, bits(attended))
            x = self._rest(x, attended, layer)
        return self._next(x)[:n]

    def _rest(self, x: torch.Tensor, attended: torch.Tensor, layer: _Layer) -> torch.Tensor:
        """What follows attention in a layer."""
        x = layer.out.plus(attended, x)
        gated = layer.up.opened_by(layer.gate, self._normed(x, layer.norm_after))
        return layer.down.plus(gated, x)

    def _normed(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        out = torch.empty_like(x)
        kernels.norm(bits(x), bits(weight), self.eps, _SEED, _NEVER, bits(out), bits(out))
        return out

    def _next(self, x: torch.Tensor) -> np.ndarray:
        """The most probable token after each last hidden state (rows, hidden)."""
        chosen = np.empty(len(x), np.int64)
        decode_kernels.choose(bits(self.head(self._normed(x, self.norm.weight))), chosen)
        return chosen


@dataclass(frozen=True)
class _Layer:
    """A decoder layer's weights."""

    norm_before: torch.Tensor
    qkv: PackedLinear
    out: PackedLinear
    norm_after: torch.Tensor
    gate: PackedLinear
    up: PackedLinear
    down: PackedLinear

    @classmethod
    def of(cls, layer: LlamaDecoderLayer) -> _Layer:
        attention, mlp = layer.self_attn, layer.mlp
        projections = (attention.q_proj, attention.k_proj, attention.v_proj)
        return cls(
            layer.input_layernorm.weight,
            PackedLinear(torch.cat([projection.weight for projection in projections])),
            PackedLinear(attention.o_proj.weight),
            layer.post_attention_layernorm.weight,
            PackedLinear(mlp.gate_proj.weight),
            PackedLinear(mlp.up_proj.weight),
            PackedLinear(mlp.down_proj.weight),
        )


@dataclass(frozen=True)
class _Answer:
    """What is being written: the prompt's index, its row, the tokens of it that the cache has."""

    index: int
    row: int
    n_prompt: int
    ids: list[int]

    def ended(self, stops: set[int], limit: int) -> bool:
        return self.ids[-1] in stops or len(self.ids) == limit


@torch.inference_mode()
def decode(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    stop_ids: Sequence[int],
    batch_size: int,
    on_read: Callable[[list[int], float], None] | None = None,
) -> Iterator[tuple[int, list[int], bool]]:
    """The greedy answer to each prompt as it ends: its index, its ids, whether the limit ended it.

    Prompts are taken longest first, each as soon as a row is free. ``on_read`` is told after each
    reading which prompts were read and in how many seconds.
    """
    if not prompts:
        return
    stops = set(stop_ids)
    queue = sorted(range(len(prompts)), key=lambda i: (len(prompts[i]), -i))  # taken from its end
    free = list(range(min(batch_size, len(prompts))))
    n_slots = len(prompts[queue[-1]]) + max_new_tokens
    decoder = FusedDecoder(model, n_rows=len(free), n_slots=n_slots)
    active: list[_Answer] = []
    while queue or active:
        for answer in [answer for answer in active if answer.ended(stops, max_new_tokens)]:
            active.remove(answer)
            free.append(answer.row)
            stopped = answer.ids[-1] in stops
            yield answer.index, answer.ids[:-1] if stopped else answer.ids, not stopped
        if queue and free:
            index, row = queue.pop(), free.pop()
            started = time.perf_counter()
            first = decoder.read(prompts[index], row)
            if on_read:
                on_read([index], time.perf_counter() - started)
            active.append(_Answer(index, row, len(prompts[index]), [first]))
        elif active:
            tokens = np.array([answer.ids[-1] for answer in active])
            rows = np.array([answer.row for answer in active])
            lengths = np.array([answer.n_prompt + len(answer.ids) - 1 for answer in active])
            for answer, token in zip(active, decoder.step(tokens, rows, lengths), strict=True):
                answer.ids.append(int(token))
