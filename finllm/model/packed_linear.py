"""Linear layers with weights packed in the memory order of the processor's matrix units.

A product of few rows is as fast as its weight comes from memory, and without packing oneDNN sorts
the weight anew in each call: half the time at 32 rows of bfloat16. What follows a product (a
residual, the gate of the other product) is done to its sums in float32, before they are rounded.
"""

from __future__ import annotations

import torch
from torch.nn.functional import silu

N_ROWS = 64  # for which the weights are packed; other numbers of rows are possible


def packable(dtype: torch.dtype) -> bool:
    """Whether PyTorch's oneDNN has packed products of a type for this processor."""
    if not torch.backends.mkldnn.is_available():
        return False
    return dtype == torch.float32 or torch.ops.mkldnn._is_mkldnn_bf16_supported()


class PackedLinear:
    """x @ weight.T for a weight (d_out, d_in), of which a copy is kept, in the weight's type.

    Where the processor has no such products the weight stays as it is.
    """

    def __init__(self, weight: torch.Tensor) -> None:
        weight = weight.detach()
        self.packs = packable(weight.dtype)
        if self.packs:
            weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), N_ROWS)
        self.weight = weight

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(n, d_in) to (n, d_out)."""
        if self.packs:
            return torch.ops.mkldnn._linear_pointwise(x, self.weight, None, "none", [], "")
        return x @ self.weight.T

    def plus(self, x: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """The product plus a residual (n, d_out)."""
        if self.packs:
            linear = torch.ops.mkldnn._linear_pointwise.binary
            return linear(x, residual, self.weight, None, "add")
        return torch.addmm(residual, x, self.weight.T)

    def opened_by(self, gate: PackedLinear, x: torch.Tensor) -> torch.Tensor:
        """SiLU(gate(x)) * self(x)."""
        if self.packs:
            opened = torch.ops.mkldnn._linear_pointwise(x, gate.weight, None, "swish", [], "")
            return torch.ops.mkldnn._linear_pointwise.binary(x, opened, self.weight, None, "mul")
        return silu(gate(x)) * self(x)
