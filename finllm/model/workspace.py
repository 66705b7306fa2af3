"""Reusable memory for the activations that the backward pass needs.

On the heap, batches of varying sizes cause fragmentation. The tensors that a pass keeps are
allocated between small blocks that stay (oneDNN's cached code for every new shape), so freed space
is not merged again, and the next, slightly larger batch does not fit into it. Here memory grows
once to the needs of the largest batch, and each batch starts again at its beginning. The
measurements are in docs/experiments.md.
"""

from __future__ import annotations

import math

import torch

CHUNK = 64 << 20  # bytes; too large for glibc's heap, and not resident until written
ALIGNED = 64  # bytes, as for PyTorch's own tensors


class Workspace:
    """Memory for tensors of one dtype that are valid until the next pass begins."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self._chunks: list[torch.Tensor] = []
        self._chunk = self._at = 0
        self._pass = 0

    def begin(self) -> int:
        """Reuse all memory for a new pass, and return its number for ``check``."""
        self._chunk = self._at = 0
        self._pass += 1
        return self._pass

    def check(self, number: int) -> None:
        """Raise an error if a later pass has begun and overwritten the tensors of this one.

        Raises
        ------
        RuntimeError
            If a second forward pass began before the backward pass of this one.
        """
        if number != self._pass:
            raise RuntimeError(
                "fused layers keep one forward pass at a time: run its backward pass first"
            )

    def take(self, *shape: int) -> torch.Tensor:
        """Return an uninitialised tensor of a shape."""
        n = self.dtype.itemsize * math.prod(shape)
        while self._chunk < len(self._chunks) and self._at + n > len(self._chunks[self._chunk]):
            self._chunk, self._at = self._chunk + 1, 0
        if self._chunk == len(self._chunks):
            self._chunks.append(torch.empty(max(n, CHUNK), dtype=torch.uint8))
        rows = self._chunks[self._chunk][self._at : self._at + n]
        self._at += -(-n // ALIGNED) * ALIGNED
        # .data: a separate tensor for autograd, which would otherwise see each write as one to all
        return rows.view(self.dtype).view(shape).data

    @property
    def n_bytes(self) -> int:
        """Bytes reserved: the need of the largest pass, plus less than one tensor per chunk."""
        return sum(len(chunk) for chunk in self._chunks)
