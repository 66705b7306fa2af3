"""Causal attention of a fused layer, forward and backward, over concatenated examples.

An example may continue the prompt of an earlier one, as the second answer to a prompt does: its
queries attend to the rows of that prompt and to its own, but not to the rows in between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from finllm.model import kernels
from finllm.model.kernels import bits

QUERY_BLOCK = 256  # query tokens in one product


def causal_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    offsets: Sequence[int],
    prompts: Sequence[slice],
    *,
    empty: Callable[..., torch.Tensor],
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Compute attention within each example.

    q is (kv, n, group, dim) and scaled already; k and v are (kv, n, dim). The result is zero in
    rows after the last example, that is, from ``offsets[-1]`` on.

    Parameters
    ----------
    prompts
        The rows that each example attends to before its own; an empty slice from 0 for none.
    empty
        Function that creates a tensor of a given shape which the backward pass will read.

    Returns
    -------
    tuple
        The attended values, in the shape of q, and the weights of each block of queries.
    """
    kv, _, group, dim = q.shape
    attended = torch.empty_like(q)
    attended[:, offsets[-1] :] = 0  # rows outside any example
    weights = []
    for block, seen in _blocks(offsets, prompts):
        queries, keys = q[:, block].reshape(kv, -1, dim), _rows(k, seen)
        scores = empty(kv, queries.shape[1], keys.shape[1])
        torch.bmm(queries, keys.transpose(1, 2), out=scores)
        kernels.softmax_(bits(scores), group, keys.shape[1] - (block.stop - block.start))
        attended[:, block] = torch.bmm(scores, _rows(v, seen)).view(kv, -1, group, dim)
        weights.append(scores)
    return attended, weights


def attention_backward(
    grad: torch.Tensor,
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    weights: Sequence[torch.Tensor],
    offsets: Sequence[int],
    prompts: Sequence[slice],
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Compute the gradients of q, k and v from that of the attended values."""
    kv, _, group, dim = q.shape
    grad_q, grad_k, grad_v = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
    grad_q[:, offsets[-1] :] = 0
    for (block, seen), p in zip(_blocks(offsets, prompts), weights, strict=True):
        rows = grad[:, block].reshape(kv, -1, dim)
        queries = q[:, block].reshape(kv, -1, dim)
        _add_rows(grad_v, seen, torch.bmm(p.transpose(1, 2), rows))
        grad_scores = torch.bmm(rows, _rows(v, seen).transpose(1, 2))
        n_before = p.shape[2] - (block.stop - block.start)
        kernels.softmax_backward_(bits(grad_scores), bits(p), group, n_before)
        grad_q[:, block] = torch.bmm(grad_scores, _rows(k, seen)).view(kv, -1, group, dim)
        _add_rows(grad_k, seen, torch.bmm(grad_scores.transpose(1, 2), queries))
    return grad_q, grad_k, grad_v


def _blocks(
    offsets: Sequence[int], prompts: Sequence[slice]
) -> list[tuple[slice, tuple[slice, ...]]]:
    """Return blocks of queries, each with the rows that its last query attends to, in order."""
    found = []
    for start, stop, prompt in zip(offsets, offsets[1:], prompts, strict=False):
        before = (prompt,) if prompt.stop else ()
        for at in range(start, stop, QUERY_BLOCK):
            end = min(at + QUERY_BLOCK, stop)
            found.append((slice(at, end), (*before, slice(start, end))))
    return found


def _rows(x: torch.Tensor, seen: Sequence[slice]) -> torch.Tensor:
    """Return some rows of x (kv, n, dim), copied only if there are several slices."""
    parts = [x[:, rows] for rows in seen]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def _add_rows(total: torch.Tensor, seen: Sequence[slice], more: torch.Tensor) -> None:
    """Add to the rows of ``total`` that ``_rows`` would return."""
    sizes = [rows.stop - rows.start for rows in seen]
    for rows, part in zip(seen, more.split(sizes, dim=1), strict=True):
        total[:, rows] += part
