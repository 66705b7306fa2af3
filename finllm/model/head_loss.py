"""The language model's head and its loss, at labelled positions only and in chunks.

With a vocabulary of 49,152, logits are the largest tensor of a training step. Here the loss and the
gradient are computed together for one chunk of rows at a time, so that only one chunk of logits is
in memory and the backward pass only has to scale the gradient.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.autograd.function import FunctionCtx, once_differentiable

CHUNK = 128  # rows of logits at a time


class HeadLoss(torch.autograd.Function):
    """Sum of -log softmax(W h)[label] over rows, in nats; W is frozen."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        """Compute the loss; hidden (n, d), weight (vocabulary, d), labels (n,), none ignored."""
        grad = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        total = hidden.new_zeros((), dtype=torch.float32)
        for losses in _by_chunk(hidden, weight, labels, grad):
            total += losses.sum()
        ctx.save_for_backward(grad)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Compute the gradient of hidden."""
        (found,) = ctx.saved_tensors
        return found * grad.to(found.dtype), None, None


class HeadLosses(torch.autograd.Function):
    """-log softmax(W h)[label] of each row, in nats; W is frozen."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        """Compute losses (n,) in float32; hidden (n, d), weight (vocabulary, d), labels (n,)."""
        grad = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        losses = torch.cat(list(_by_chunk(hidden, weight, labels, grad)))
        ctx.save_for_backward(grad)
        return losses

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Compute the gradient of hidden."""
        (found,) = ctx.saved_tensors
        return found * grad.to(found.dtype)[:, None], None, None


def _by_chunk(
    hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor, grad: torch.Tensor | None
) -> Iterator[torch.Tensor]:
    """Yield the losses of each chunk of rows, and write their gradients to ``grad``."""
    for at in range(0, len(hidden), CHUNK):
        rows = slice(at, at + CHUNK)
        logits = (hidden[rows] @ weight.T).float()
        chosen = labels[rows, None]
        log_total = torch.logsumexp(logits, dim=-1, keepdim=True)
        losses = (log_total - logits.gather(1, chosen))[:, 0]
        if grad is not None:
            slope = logits.sub_(log_total).exp_()
            slope.scatter_add_(1, chosen, slope.new_full(chosen.shape, -1.0))
            grad[rows] = slope.to(hidden.dtype) @ weight
        yield losses
