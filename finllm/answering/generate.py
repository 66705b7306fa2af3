"""Greedy answers, with fused layers if the model allows it, else batched over a key-value cache.

``answers`` chooses. In a batch every prompt starts at slot 0 of its row, so that its answer does
not depend on padding, and completed answers leave the batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from finllm.answering.rules import Rules
from finllm.model.fused_decoder import Ended, Write, can_decode, decode

OnRead = Callable[[list[int], float, int], None]


@dataclass(frozen=True)
class Answer:
    """Token ids of a model's answer to one prompt, without the token that ended it."""

    index: int  # of the prompt in the given sequence
    ids: list[int]
    hit_limit: bool  # whether the length limit ended it, and not the model


class RowCache:
    """Cache of keys and values for a batch of rows of different lengths.

    Parameters
    ----------
    n_layers, n_rows, n_kv_heads, n_slots, head_dim
        The shape, per layer (n_rows, n_kv_heads, n_slots, head_dim) for keys and for values.
    like
        A tensor with the dtype and device to use.
    """

    def __init__(
        self,
        n_layers: int,
        n_rows: int,
        n_kv_heads: int,
        n_slots: int,
        head_dim: int,
        *,
        like: torch.Tensor,
    ) -> None:
        shape = (n_layers, n_rows, n_kv_heads, n_slots, head_dim)
        self.keys = like.new_zeros(shape)
        self.values = like.new_zeros(shape)
        self.rows = torch.arange(n_rows, device=like.device)
        self.slots = torch.zeros(n_rows, dtype=torch.long, device=like.device)
        self.n_used = 0  # slots that any row has filled

    def update(
        self, key: torch.Tensor, value: torch.Tensor, layer: int, *_: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Store new keys and values: a whole prompt from slot 0, or one token per row at ``slots``.

        Return the keys and values to attend to.
        """
        if key.shape[2] > 1:
            self.keys[layer, :, :, : key.shape[2]] = key
            self.values[layer, :, :, : key.shape[2]] = value
            return key, value
        self.keys[layer, self.rows, :, self.slots] = key[:, :, 0]
        self.values[layer, self.rows, :, self.slots] = value[:, :, 0]
        return self.keys[layer, :, :, : self.n_used], self.values[layer, :, :, : self.n_used]

    def keep(self, rows: torch.Tensor) -> None:
        """Keep only these rows and drop all others."""
        self.keys = self.keys[:, rows]
        self.values = self.values[:, rows]
        self.slots = self.slots[rows]
        self.rows = torch.arange(len(rows), device=rows.device)


def answers(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    stop_ids: Sequence[int],
    pad_id: int,
    batch_size: int,
    done: Collection[int] = (),
    on_read: OnRead | None = None,
    rules: Rules | None = None,
    parts: Sequence[str] = (),
) -> Iterator[Answer]:
    """Yield the greedy answer to each prompt that is not ``done``, in the order of completion.

    With ``rules`` for these prompts, each token is the most probable one that the rules allow, and
    a forbidden end of the answer is removed.

    Batches are planned over all prompts and answered as a whole, so that a resumed run gives the
    same answers. No batch has prompts of two ``parts`` (one name per prompt), so that the answers
    of one part do not depend on another. Fused layers give the same answer in any batch, and
    decode all parts together. After each reading ``on_read`` gets the indexes of the prompts, the
    seconds and the number of workers that read at the same time.

    Raises
    ------
    ValueError
        If a prompt is empty.
    """
    for i, prompt in enumerate(prompts):
        if not prompt:
            raise ValueError(f"prompt {i} is empty; there is no token to continue from")
    write = rules.writer() if rules else None

    def ended(index: int, ids: list[int], hit_limit: bool) -> Answer:
        kept = rules.finished(index, ids, hit_limit=hit_limit) if rules else ids
        return Answer(index, kept, hit_limit)

    if can_decode(model):
        left = [i for i in range(len(prompts)) if i not in done]
        events = decode(
            model,
            [prompts[i] for i in left],
            max_new_tokens=max_new_tokens,
            stop_ids=stop_ids,
            batch_size=batch_size,
            write=_write_in_batch(left, write),
        )
        for event in events:
            if isinstance(event, Ended):
                yield ended(left[event.index], event.ids, event.hit_limit)
            elif on_read:
                on_read([left[event.index]], event.seconds, event.n_workers)
        return
    for batch in plan_batches([len(prompt) for prompt in prompts], batch_size, parts):
        if all(i in done for i in batch):
            continue
        found = greedy_batch(
            model,
            [prompts[i] for i in batch],
            max_new_tokens=max_new_tokens,
            stop_ids=stop_ids,
            pad_id=pad_id,
            on_read=_in_batch(batch, on_read),
            write=_write_in_batch(batch, write),
        )
        for answer in found:
            if batch[answer.index] not in done:
                yield ended(batch[answer.index], answer.ids, answer.hit_limit)


def _in_batch(batch: Sequence[int], on_read: OnRead | None) -> OnRead | None:
    """Return ``on_read`` for indexes within a batch instead of indexes of all prompts."""
    if on_read is None:
        return None
    return lambda indexes, *cost: on_read([batch[i] for i in indexes], *cost)


def _write_in_batch(batch: Sequence[int], write: Write | None) -> Write | None:
    """Return ``write`` for an index within a batch instead of an index of all prompts."""
    if write is None:
        return None
    return lambda index, *so_far: write(batch[index], *so_far)


def plan_batches(
    lengths: Sequence[int], batch_size: int, parts: Sequence[str] = ()
) -> list[list[int]]:
    """Return the prompt indexes of each batch, sorted by length so that there is little padding.

    A batch has prompts of one of the ``parts``, which are in the order of their first prompts.
    """
    by_part: dict[str, list[int]] = {}
    for i in range(len(lengths)):
        by_part.setdefault(parts[i] if parts else "", []).append(i)
    batches = []
    for members in by_part.values():
        order = sorted(members, key=lambda i: (lengths[i], i))
        batches += [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    return batches


@torch.inference_mode()
def greedy_batch(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    stop_ids: Sequence[int],
    pad_id: int,
    on_read: OnRead | None = None,
    write: Write | None = None,
) -> Iterator[Answer]:
    """Yield the greedy continuation of each prompt, in the order of completion.

    Parameters
    ----------
    model
        A Llama-family model loaded with the ``matmul`` attention.
    prompts
        Token ids, one list per prompt; none may be empty.
    max_new_tokens
        Longest answer, in tokens.
    stop_ids
        Ids that end an answer.
    pad_id
        Any id; the padding after a prompt is never attended to.
    on_read
        Called with the indexes of the prompts, the seconds of reading, and 1.
    write
        Called before each token (``finllm.model.fused_decoder.Write``).
    """
    started = time.perf_counter()
    config = model.config
    lengths = torch.tensor([len(prompt) for prompt in prompts], device=model.device)
    n_longest = int(lengths.max())
    ids = torch.full((len(prompts), n_longest), pad_id, device=model.device)
    for row, prompt in enumerate(prompts):
        ids[row, : len(prompt)] = torch.tensor(prompt)
    cache = RowCache(
        config.num_hidden_layers,
        len(prompts),
        config.num_key_value_heads,
        n_longest + max_new_tokens,
        config.head_dim,
        like=model.model.norm.weight,
    )
    cache.n_used = n_longest
    positions = torch.arange(n_longest, device=model.device)[None]
    hidden = model.model(input_ids=ids, position_ids=positions, past_key_values=cache)[0]
    last = hidden[torch.arange(len(prompts), device=model.device), lengths - 1]
    if on_read:
        if model.device.type == "cuda":
            torch.cuda.synchronize()  # CUDA calls return before the work is done
        on_read(list(range(len(prompts))), time.perf_counter() - started, 1)
    yield from _decode(model, cache, last, lengths, max_new_tokens, set(stop_ids), write)


def _decode(
    model: PreTrainedModel,
    cache: RowCache,
    last: torch.Tensor,
    lengths: torch.Tensor,
    max_new_tokens: int,
    stop_ids: set[int],
    write: Write | None,
) -> Iterator[Answer]:
    """Decode a token per row in each step, from the prompts' last hidden states (rows, hidden)."""
    waiting = list(range(len(lengths)))  # the prompt of each row of the batch
    written: list[list[int]] = [[] for _ in waiting]
    n_prompt = lengths.tolist()
    while True:
        logits = model.lm_head(last)
        going = []
        for row, (index, token) in enumerate(zip(waiting, logits.argmax(-1).tolist(), strict=True)):
            written[index] = _with_next(written[index], index, token, logits[row], write)
            stopped = written[index][-1] in stop_ids
            if stopped or len(written[index]) == max_new_tokens:
                yield Answer(index, written[index][:-1] if stopped else written[index], not stopped)
            else:
                going.append(row)
        if not going:
            return
        if len(going) < len(waiting):
            cache.keep(torch.tensor(going, device=last.device))
            waiting = [waiting[row] for row in going]
        slots = [n_prompt[index] + len(written[index]) - 1 for index in waiting]
        cache.slots = torch.tensor(slots, device=last.device)
        cache.n_used = max(slots) + 1
        bias = torch.zeros(len(waiting), 1, 1, cache.n_used, dtype=last.dtype, device=last.device)
        used = torch.arange(cache.n_used, device=last.device)
        bias.masked_fill_((used > cache.slots[:, None])[:, None, None], float("-inf"))
        last = model.model(
            input_ids=torch.tensor([[written[index][-1]] for index in waiting], device=last.device),
            attention_mask=bias,
            position_ids=cache.slots[:, None],
            past_key_values=cache,
        )[0][:, 0]


def _with_next(
    ids: list[int], index: int, token: int, logits: torch.Tensor, write: Write | None
) -> list[int]:
    """Return the ids with the most probable token, or the result of ``write`` if it is given."""
    if write is None:
        return [*ids, token]
    return write(index, ids, token, lambda: logits.float().cpu().numpy())
