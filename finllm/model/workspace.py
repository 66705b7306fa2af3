"""Reusable memory for the activations that the backward pass needs.

On the heap, batches of ever other sizes leave holes. What a pass keeps is allocated beside small
blocks that stay (what oneDNN compiles and caches for every new shape), so that freed space does not
grow together again, and the next batch, a little larger, does not fit into it. Here memory grows to
what the largest batch needs, once, and the next batch begins again at its start. The figures are in
docs/experiments.md.
"""

from __future__ import annotations

import math

import torch

CHUNK = 64 << 20  # bytes; above what glibc keeps on its heap, and not resident before it is written
ALIGNED = 64  # bytes, as PyTorch's own tensors


class Workspace:
    """Tensors of one type that live until the next pass begins."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self._chunks: list[torch.Tensor] = []
        self._chunk = self._at = 0
        self._pass = 0

    def begin(self) -> int:
        """Give all memory to a new pass; its number, by which ``check`` knows it."""
        self._chunk = self._at = 0
        self._pass += 1
        return self._pass

    def check(self, number: int) -> None:
        """Raise where a later pass has begun, and has overwritten what this one kept.

        Raises
        ------
        RuntimeError
            If two forward passes came before a backward pass.
        """
        if number != self._pass:
            raise RuntimeError(
                "fused layers keep one forward pass at a time: run its backward pass first"
            )

    def take(self, *shape: int) -> torch.Tensor:
        """A tensor of that shape, its values undefined."""
        n = self.dtype.itemsize * math.prod(shape)
        while self._chunk < len(self._chunks) and self._at + n > len(self._chunks[self._chunk]):
            self._chunk, self._at = self._chunk + 1, 0
        if self._chunk == len(self._chunks):
            self._chunks.append(torch.empty(max(n, CHUNK), dtype=torch.uint8))
        rows = self._chunks[self._chunk][self._at : self._at + n]
        self._at += -(-n // ALIGNED) * ALIGNED
        # .data: a tensor of its own to autograd, which would else see every write as one to all
        return rows.view(self.dtype).view(shape).data

    @property
    def n_bytes(self) -> int:
        """What is reserved: what the largest pass needed, and less than a tensor more a chunk."""
        return sum(len(chunk) for chunk in self._chunks)
