"""Greedy decoding of a Llama on a CPU, with packed weights and continuous batching.

Every thread is a worker. The workers share the weights and a queue of prompts, and each has its own
rows of the cache. A worker reads one prompt at a time, then decodes a token per row in each step; a
finished row takes the next prompt at once. So no thread waits for another, and each product is
computed by one thread, since oneDNN rounds differently with another number of threads. Keys and
values are written directly to their place in the cache, in the order in which a step reads them.

Answers quote their prompt and repeat themselves, and a step mostly costs the reading of weights and
cache, so a row decodes several tokens per step when it can guess them. The draft is the text that
followed the last earlier occurrence of its last three tokens in prompt or answer, and each drafted
token that is also the model's choice is accepted (speculative decoding: Leviathan et al. 2023,
arXiv 2211.17192; drafts by look-up: Saxena 2023, prompt lookup decoding). The result of a row
depends neither on the other rows, nor on drafts, nor on the number of threads.

In float32 products of many rows cost more than reading the weights, so drafts are limited to
``DRAFTED_ROWS`` tokens per step.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event

import numpy as np
import torch
from transformers import PreTrainedModel
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaForCausalLM

from finllm.model import decode_kernels
from finllm.model.kernels import bits
from finllm.model.packed_linear import PackedLinear

N_ASKED = 4  # tokens of an answer per step: the last one and a draft of three
N_ALIKE = 3  # tokens that must match an earlier occurrence for a draft
ANSWERS_A_STEP = 64  # of N_ASKED tokens each; products of up to 320 rows round alike
# Rows of a product: with fewer it may round differently, and costs as much in bfloat16.
LEAST_ROWS = {torch.bfloat16: 64, torch.float32: 16}
DRAFTED_ROWS = 32  # in float32; measured, docs/experiments.md
CACHE_BYTES = 3 * 10**9  # limit for keys and values; answers beyond it wait, with the same result

Logits = Callable[[], np.ndarray]  # returns the logits of the whole vocabulary, in float32
# Arguments: the prompt's index, the answer's ids so far, the most probable next id, and ``Logits``.
# Result: the new ids of the answer, which are a prefix of the ids so far and at most one more.
Write = Callable[[int, Sequence[int], int, Logits], list[int]]


def can_decode(model: PreTrainedModel) -> bool:
    """Return whether the model is a plain, unquantized Llama on a CPU, of one dtype, no biases."""
    return (
        type(model) is LlamaForCausalLM
        and model.device.type == "cpu"
        and model.dtype in LEAST_ROWS
        and all(parameter.dtype == model.dtype for parameter in model.parameters())
        and model.config.hidden_act == "silu"
        and model.config.head_dim % decode_kernels.LANES == 0
        and not model.config.attention_bias
        and not model.config.mlp_bias
    )


@dataclass(frozen=True)
class Chosen:
    """Most probable token after each row of a product; rows after those asked for are padding."""

    tokens: np.ndarray  # (rows,)
    logits: torch.Tensor  # (rows, vocabulary)

    def logits_of(self, row: int) -> np.ndarray:
        """Return the logits of a row, in float32."""
        return self.logits[row].float().numpy()


@dataclass(frozen=True)
class _Layer:
    """Weights of a decoder layer."""

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


class FusedDecoder:
    """Layers of a model, with a cache for ``n_rows`` answers at a time.

    Parameters
    ----------
    model
        A model for which ``can_decode`` is true. Its weights are copied in packed form.
    n_rows
        Number of answers decoded at the same time.
    n_slots
        Length of the longest prompt and answer together, in tokens.
    """

    def __init__(self, model: PreTrainedModel, *, n_rows: int, n_slots: int) -> None:
        config = model.config
        self.eps = np.float32(config.rms_norm_eps)
        self.kv, self.dim = config.num_key_value_heads, config.head_dim
        self.group = config.num_attention_heads // self.kv
        self.scale = np.float32(self.dim**-0.5)
        self.embed, self.norm = model.model.embed_tokens, model.model.norm
        self.layers = [_Layer.of(layer) for layer in model.model.layers]
        self.head = PackedLinear(model.lm_head.weight)
        self.queries = (0,) * self.group
        self.least_rows = LEAST_ROWS[model.dtype]
        self.keys, self.values = decode_kernels.empty_cache(
            len(self.layers), n_rows, self.kv, n_slots, self.dim, dtype=model.dtype
        )
        like = model.model.norm.weight.detach()
        cos, sin = model.model.rotary_emb(like, torch.arange(n_slots)[None])
        self.cos, self.sin = cos[0], sin[0]

    def read(self, prompt: Sequence[int], row: int) -> Chosen:
        """Read a prompt into a row of the cache, and return the token that follows it."""
        x = self.embed(torch.tensor(prompt))
        for i, layer in enumerate(self.layers):
            last = i == len(self.layers) - 1  # after it only the last token is needed
            qkv = layer.qkv(self._normed(x, layer.norm_before))
            past = self.keys[i, row], self.values[i, row]
            x = self._rest(x[-1:] if last else x, self._read(qkv, *past, last=last), layer)
        return self._next(x)

    def step(self, tokens: np.ndarray, rows: np.ndarray, lengths: np.ndarray) -> Chosen:
        """Add one or several tokens to each row, and return the token that follows each of them.

        ``rows`` are the cache rows of the tokens, with the tokens of a row in order; ``lengths``
        are the numbers of tokens before each in its row. Products have at least ``least_rows``
        rows, since those of fewer may round differently.
        """
        n = len(rows)
        at = torch.from_numpy(lengths)
        cos, sin = bits(self.cos[at]), bits(self.sin[at])
        x = self.norm.weight.new_zeros(max(n, self.least_rows), len(self.norm.weight))
        x[:n] = self.embed(torch.from_numpy(tokens))
        for i, layer in enumerate(self.layers):
            qkv = layer.qkv(self._normed(x, layer.norm_before))
            attended = x.new_zeros(len(x), self.kv * self.group * self.dim)
            decode_kernels.attend(
                bits(qkv), cos, sin, self.scale, rows, lengths,
                self.keys[i], self.values[i], bits(attended), self.queries,
            )  # fmt: skip
            x = self._rest(x, attended, layer)
        return self._next(x)

    def n_asked(self, n_answers: int) -> int:
        """Return the number of tokens to decode per step in each of ``n_answers`` answers."""
        if self.norm.weight.dtype == torch.bfloat16:
            return N_ASKED
        return min(N_ASKED, max(1, DRAFTED_ROWS // n_answers))

    def _read(
        self, qkv: torch.Tensor, keys: np.ndarray, values: np.ndarray, *, last: bool
    ) -> torch.Tensor:
        """Compute causal attention of a prompt or its last token, and cache all keys and values."""
        n = len(qkv)
        q = qkv.new_empty(self.kv, n, self.group, self.dim)
        k, v = qkv.new_empty(2, self.kv, n, self.dim)
        turn = bits(self.cos[:n]), bits(self.sin[:n])
        decode_kernels.rotate(bits(qkv), *turn, self.scale, bits(q), bits(k), bits(v))
        decode_kernels.store(bits(k), bits(v), keys, values)
        q = q[:, -1:] if last else q
        scores = torch.bmm(q.reshape(self.kv, -1, self.dim), k.transpose(1, 2))
        decode_kernels.softmax_(bits(scores), self.group, n - q.shape[1])
        mixed = torch.bmm(scores, v).view(q.shape)
        return mixed.transpose(0, 1).reshape(q.shape[1], -1)

    def _rest(self, x: torch.Tensor, attended: torch.Tensor, layer: _Layer) -> torch.Tensor:
        """Compute the rest of a layer after attention."""
        x = layer.out.plus(attended, x)
        gated = layer.up.opened_by(layer.gate, self._normed(x, layer.norm_after))
        return layer.down.plus(gated, x)

    def _normed(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        out = torch.empty_like(x)
        decode_kernels.norm(bits(x), bits(weight), self.eps, bits(out))
        return out

    def _next(self, x: torch.Tensor) -> Chosen:
        """Return the most probable token after each last hidden state (rows, hidden)."""
        tokens = np.empty(len(x), np.int64)
        logits = self.head(self._normed(x, self.norm.weight))
        decode_kernels.choose(bits(logits), tokens)
        return Chosen(tokens, logits)


@dataclass(frozen=True)
class Read:
    """Event: a prompt has been read."""

    index: int
    seconds: float
    n_workers: int  # working at the same time


@dataclass(frozen=True)
class Ended:
    """Event: an answer is complete."""

    index: int
    ids: list[int]  # without the token that stopped it
    hit_limit: bool


class _Answer:
    """An unfinished answer; its row of the cache has all its tokens but the last."""

    def __init__(self, index: int, row: int, prompt: Sequence[int]) -> None:
        self.index, self.row = index, row
        self.ids: list[int] = []
        self._text: list[int] = []
        self._behind: dict[tuple[int, ...], int] = {}  # the position after these tokens
        for token in prompt:
            self._put(token)

    @property
    def n_known(self) -> int:
        """Number of tokens in the cache."""
        return len(self._text) - 1

    def add(self, chosen: Chosen, row: int, write: Write | None) -> bool:
        """Add the chosen token, or apply ``write`` to it; return whether the answer grew."""
        token = int(chosen.tokens[row])
        before = len(self.ids)
        if write:
            ids = write(self.index, self.ids, token, lambda: chosen.logits_of(row))
            n_kept, token = len(ids) - 1, ids[-1]
            del self._text[len(self._text) - before + n_kept :], self.ids[n_kept:]
        self.ids.append(token)
        self._put(token)
        return len(self.ids) > before

    def tokens(self, most: int) -> list[int]:
        """Return the last token and a draft of the tokens after it, up to ``most`` in all."""
        start = self._behind.get(tuple(self._text[-N_ALIKE:]), len(self._text))
        return [self.ids[-1], *self._text[start : start + most - 1]]

    def ended(self, task: _Task) -> bool:
        return self.ids[-1] in task.stops or len(self.ids) == task.max_new_tokens

    def _put(self, token: int) -> None:
        if len(self._text) >= N_ALIKE:
            self._behind[tuple(self._text[-N_ALIKE:])] = len(self._text)
        self._text.append(token)


def decode(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    stop_ids: Sequence[int],
    batch_size: int,
    write: Write | None = None,
) -> Iterator[Read | Ended]:
    """Yield ``Read`` for each prompt that has been read, and ``Ended`` for each greedy answer.

    Prompts are taken longest first, each as soon as one of up to ``batch_size`` rows is free.
    ``write``, if given, is called before each token is added, drafted ones included, by several
    threads at the same time for different prompts.
    """
    if not prompts:
        return
    n_threads = torch.get_num_threads()
    longest_first = sorted(range(len(prompts)), key=lambda i: (-len(prompts[i]), i))
    n_slots = len(prompts[longest_first[0]]) + max_new_tokens
    n_rows = min(batch_size, len(prompts), max(n_threads, _rows_in_memory(model, n_slots)))
    n_workers = min(n_threads, n_rows)
    with torch.inference_mode():
        decoder = FusedDecoder(model, n_rows=n_rows, n_slots=n_slots)
    queue, events, stopped = deque(longest_first), SimpleQueue(), Event()
    task = _Task(decoder, prompts, max_new_tokens, set(stop_ids), queue, n_workers, stopped, write)

    def work(first_row: int) -> None:
        torch.set_num_threads(1)  # for this worker
        try:
            for event in _answer_all(task, range(first_row, n_rows, n_workers)):
                events.put(event)
        except BaseException:
            stopped.set()
            raise
        finally:
            events.put(None)

    with ThreadPoolExecutor(n_workers) as pool:
        try:
            workers = [pool.submit(work, row) for row in range(n_workers)]
            for _ in workers:
                yield from iter(events.get, None)
            for worker in workers:
                worker.result()
        finally:
            stopped.set()
            torch.set_num_threads(n_threads)


def _rows_in_memory(model: PreTrainedModel, n_slots: int) -> int:
    c = model.config
    shape = c.num_hidden_layers, c.num_key_value_heads, n_slots, c.head_dim
    return CACHE_BYTES // decode_kernels.row_bytes(*shape, dtype=model.dtype)


@dataclass(frozen=True)
class _Task:
    """State shared by all workers."""

    decoder: FusedDecoder
    prompts: Sequence[Sequence[int]]
    max_new_tokens: int
    stops: set[int]
    queue: deque[int]  # indices of the prompts not taken yet
    n_workers: int
    stopped: Event  # set when no more answers are wanted
    write: Write | None


@torch.inference_mode()
def _answer_all(task: _Task, rows: Sequence[int]) -> Iterator[Read | Ended]:
    """Answer prompts from the queue in a worker's rows until none is left."""
    free, active = list(rows), []
    while (task.queue or active) and not task.stopped.is_set():
        for answer in [one for one in active if one.ended(task)]:
            active.remove(answer)
            free.append(answer.row)
            hit_limit = answer.ids[-1] not in task.stops
            yield Ended(answer.index, answer.ids if hit_limit else answer.ids[:-1], hit_limit)
        index = _taken(task.queue) if free else None
        if index is None:
            for start in range(0, len(active), ANSWERS_A_STEP):
                _write(task, active[start : start + ANSWERS_A_STEP])
        else:
            prompt, started = task.prompts[index], time.perf_counter()
            answer = _Answer(index, free.pop(), prompt)
            answer.add(task.decoder.read(prompt, answer.row), 0, task.write)
            active.append(answer)
            yield Read(index, time.perf_counter() - started, task.n_workers)


def _write(task: _Task, answers: Sequence[_Answer]) -> None:
    """Run one step: a token for each answer, and those of its draft that are accepted."""
    most = task.decoder.n_asked(len(answers))
    asked = [one.tokens(min(most, task.max_new_tokens - len(one.ids))) for one in answers]
    rows = np.repeat([one.row for one in answers], [len(tokens) for tokens in asked])
    lengths = [
        one.n_known + i
        for one, tokens in zip(answers, asked, strict=True)
        for i in range(len(tokens))
    ]
    chosen = task.decoder.step(np.concatenate(asked), rows, np.array(lengths))
    first = 0  # row of the step
    for answer, tokens in zip(answers, asked, strict=True):
        for row, drafted in enumerate([*tokens[1:], None], first):
            added = answer.add(chosen, row, task.write)
            if not added or answer.ids[-1] != drafted or answer.ended(task):
                break
        first += len(tokens)


def _taken(queue: deque[int]) -> int | None:
    """Return the next prompt of the queue, or None if another worker took the last."""
    try:
        return queue.popleft()
    except IndexError:
        return None
