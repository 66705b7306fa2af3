"""Greedy decoding of a bfloat16 Llama on a CPU: fused layers, one cache, rows that come and go.

Prompts lie end to end and are read without padding; then every row takes a token a step. A row
that ends gives its place to the next prompt at once, so that the batch stays full. Keys and values
are written where they stay. What a row computes does not depend on its neighbours, except where the
library's matrix product rounds differently for another number of rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from transformers import PreTrainedModel
from transformers.models.llama.modeling_llama import LlamaForCausalLM

from finllm.model import kernels
from finllm.model.fused_layer import causal_attention
from finllm.model.kernels import bits

_SEED, _NEVER = np.uint32(0), np.uint32(0)  # no dropout


def can_decode(model: PreTrainedModel) -> bool:
    """Whether the model is a plain Llama in bfloat16 on a CPU, without biases or 4-bit weights."""
    return (
        type(model) is LlamaForCausalLM
        and model.device.type == "cpu"
        and all(parameter.dtype == torch.bfloat16 for parameter in model.parameters())
        and model.config.hidden_act == "silu"
        and not model.config.attention_bias
        and not model.config.mlp_bias
    )


class FusedDecoder:
    """A model's layers and a cache for ``n_rows`` answers at a time.

    Parameters
    ----------
    model
        A model for which ``can_decode`` is true.
    n_rows
        Answers that are written together.
    n_slots
        The longest prompt and answer together, in tokens.
    """

    def __init__(self, model: PreTrainedModel, *, n_rows: int, n_slots: int) -> None:
        config = model.config
        self.model = model
        self.eps = np.float32(config.rms_norm_eps)
        self.kv, self.dim = config.num_key_value_heads, config.head_dim
        self.group = config.num_attention_heads // self.kv
        self.layers = [
            (
                layer,
                torch.cat([getattr(layer.self_attn, f"{x}_proj").weight for x in "qkv"]),
                torch.cat([layer.mlp.gate_proj.weight, layer.mlp.up_proj.weight]),
            )
            for layer in model.model.layers
        ]
        like = model.model.norm.weight.detach()
        shape = (len(self.layers), n_rows, self.kv)
        self.keys = like.new_empty(*shape, self.dim, n_slots)
        self.values = like.new_empty(*shape, n_slots, self.dim)
        positions = torch.arange(n_slots)[None]
        cos, sin = model.model.rotary_emb(like, positions)
        self.cos, self.sin = cos[0], sin[0]

    def read(self, prompts: Sequence[Sequence[int]], rows: Sequence[int]) -> torch.Tensor:
        """Read prompts into rows of the cache; the last hidden states (prompts, hidden)."""
        lengths = [len(prompt) for prompt in prompts]
        offsets = np.cumsum([0, *lengths]).tolist()
        ids = torch.tensor([token for prompt in prompts for token in prompt])
        positions = torch.cat([torch.arange(length) for length in lengths])
        cos, sin = self.cos[positions], self.sin[positions]
        ends = torch.tensor(offsets[1:]) - 1
        x = self.model.model.embed_tokens(ids)
        for i, (layer, qkv_weight, gate_up_weight) in enumerate(self.layers):
            qkv = self._normed(x, layer.input_layernorm) @ qkv_weight.T
            q = x.new_empty(self.kv, len(x), self.group, self.dim)
            k, v = x.new_empty(2, self.kv, len(x), self.dim)
            scale = np.float32(self.dim**-0.5)
            kernels.rotate(bits(qkv), bits(cos), bits(sin), scale, bits(q), bits(k), bits(v))
            for row, start, stop in zip(rows, offsets, offsets[1:], strict=False):
                self.keys[i, row, :, :, : stop - start] = k[:, start:stop].transpose(1, 2)
                self.values[i, row, :, : stop - start] = v[:, start:stop]
            attended, _ = causal_attention(q, k, v, offsets)
            rows_of_heads = attended.transpose(0, 1).reshape(len(x), -1)
            if i == len(self.layers) - 1:  # behind it only the last tokens are asked for
                x, rows_of_heads = x[ends], rows_of_heads[ends]
            x = self._rest(x, rows_of_heads, layer, gate_up_weight)
        return self.model.model.norm(x)

    def step(self, tokens: torch.Tensor, rows: np.ndarray, lengths: np.ndarray) -> torch.Tensor:
        """Take a token a row; the hidden states (rows, hidden) from which the next one is chosen.

        ``rows`` are the rows of the cache and ``lengths`` how many of their tokens are in it.
        """
        at = torch.from_numpy(lengths)
        cos, sin = self.cos[at], self.sin[at]
        x = self.model.model.embed_tokens(tokens)
        scale = np.float32(self.dim**-0.5)
        for i, (layer, qkv_weight, gate_up_weight) in enumerate(self.layers):
            qkv = self._normed(x, layer.input_layernorm) @ qkv_weight.T
            attended = x.new_empty(len(x), self.kv * self.group * self.dim)
            kernels.attend_one(
                bits(qkv),
                bits(cos),
                bits(sin),
                scale,
                rows,
                lengths,
                bits(self.keys[i]),
                bits(self.values[i]),
                bits(attended),
            )
            x = self._rest(x, attended, layer, gate_up_weight)
        return self.model.model.norm(x)

    def _rest(
        self,
        x: torch.Tensor,
        attended: torch.Tensor,
        layer: torch.nn.Module,
        gate_up_weight: torch.Tensor,
    ) -> torch.Tensor:
        """What follows attention in a layer."""
        x = torch.addmm(x, attended, layer.self_attn.o_proj.weight.T)
        gate_up = self._normed(x, layer.post_attention_layernorm) @ gate_up_weight.T
        gated = x.new_empty(len(x), gate_up.shape[1] // 2)
        kernels.gate(bits(gate_up), _SEED, _NEVER, bits(gated), bits(gated))
        return torch.addmm(x, gated, layer.mlp.down_proj.weight.T)

    def _normed(self, x: torch.Tensor, norm: torch.nn.Module) -> torch.Tensor:
        out = torch.empty_like(x)
        kernels.norm(bits(x), bits(norm.weight), self.eps, _SEED, _NEVER, bits(out), bits(out))
        return out


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

    Prompts are taken longest first, and half a batch waits for a quarter of its rows to be free, so
    that reading is done for several prompts together. ``on_read`` is told after each reading which
    prompts were read and in how many seconds.
    """
    stops = set(stop_ids)
    queue = sorted(range(len(prompts)), key=lambda i: (len(prompts[i]), -i))  # taken from its end
    n_slots = max(map(len, prompts), default=0) + max_new_tokens
    n_rows = min(batch_size, len(prompts))
    decoder = FusedDecoder(model, n_rows=n_rows, n_slots=n_slots)
    free = list(range(n_rows))
    index = np.empty(0, np.int64)  # the prompt of each active row
    rows, lengths, tokens = index, index, index
    written: dict[int, list[int]] = {}
    while queue or len(index):
        if queue and len(free) >= max(1, n_rows // 4):
            new = [queue.pop() for _ in range(min(len(free), len(queue)))]
            places = [free.pop() for _ in new]
            started = time.perf_counter()
            last = decoder.read([prompts[i] for i in new], places)
            if on_read:
                on_read(new, time.perf_counter() - started)
            index, rows = np.append(index, new), np.append(rows, places)
            lengths = np.append(lengths, [len(prompts[i]) for i in new])
            tokens = np.append(tokens, model.lm_head(last).argmax(-1).numpy())
        else:
            last = decoder.step(torch.from_numpy(tokens), rows, lengths)
            lengths = lengths + 1
            tokens = model.lm_head(last).argmax(-1).numpy()
            new = index.tolist()
        going = np.ones(len(index), bool)
        for at in range(len(index) - len(new), len(index)):
            i, token = int(index[at]), int(tokens[at])
            ids = written.setdefault(i, [])
            if token not in stops:
                ids.append(token)
            if token in stops or len(ids) == max_new_tokens:
                yield i, written.pop(i), token not in stops
                going[at] = False
                free.append(int(rows[at]))
        index, rows, lengths, tokens = index[going], rows[going], lengths[going], tokens[going]
