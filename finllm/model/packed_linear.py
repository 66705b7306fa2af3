"""Linear layers with weights packed in the memory order of the processor's matrix units.

A product of few rows is limited by the time to read its weight from memory, and without packing
oneDNN reorders the weight in each call, which takes half the time at 32 rows of bfloat16. The
operation after a product (a residual, the gate of the other product) is applied to its sums in
float32, before they are rounded.
"""

from __future__ import annotations

import torch
from torch.nn.functional import silu

N_ROWS = 64  # number of rows the weights are packed for; others are possible


def packable(dtype: torch.dtype) -> bool:
    """Return whether PyTorch's oneDNN has packed products of a dtype for this processor."""
    if not torch.backends.mkldnn.is_available():
        return False
    return dtype == torch.float32 or torch.ops.mkldnn._is_mkldnn_bf16_supported()


class PackedLinear:
    """Linear layer x @ weight.T for a weight (d_out, d_in), with a packed copy in its dtype.

    If the processor has no packed products, the weight is used as it is.
    """

    def __init__(self, weight: torch.Tensor) -> None:
        weight = weight.detach()
        self.packs = packable(weight.dtype)
        if self.packs:
            weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), N_ROWS)
        self.weight = weight

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply x (n, d_in) by the weight, giving (n, d_out)."""
        if self.packs:
            return torch.ops.mkldnn._linear_pointwise(x, self.weight, None, "none", [], "")
        return x @ self.weight.T

    def plus(self, x: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """Return the product plus a residual (n, d_out)."""
        if self.packs:
            linear = torch.ops.mkldnn._linear_pointwise.binary
            return linear(x, residual, self.weight, None, "add")
        return torch.addmm(residual, x, self.weight.T)

    def opened_by(self, gate: PackedLinear, x: torch.Tensor) -> torch.Tensor:
        """Return SiLU(gate(x)) * self(x)."""
        if self.packs:
            opened = torch.ops.mkldnn._linear_pointwise(x, gate.weight, None, "swish", [], "")
            return torch.ops.mkldnn._linear_pointwise.binary(x, opened, self.weight, None, "mul")
        return silu(gate(x)) * self(x)
