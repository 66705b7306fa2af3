"""The LoRA update in the compute dtype: one chain of products, one mask, no float32 copies.

PEFT casts the input of every adapted layer to float32, drops out, multiplies and casts back, and
keeps the copies for the backward pass. Here the adapter's float32 weights are rounded to the
input's dtype for the products (their gradients and the optimizer stay in float32), and only the
input, one mask and the rank-r middle are kept. docs/experiments.md reports the gain.
"""

from __future__ import annotations

import torch
from peft import PeftModel
from peft.tuners.lora import Linear
from peft.tuners.lora.bnb import Linear4bit
from torch.autograd.function import FunctionCtx, once_differentiable


def keep_mask(shape: torch.Size, threshold: int, like: torch.Tensor) -> torch.Tensor:
    """Draw a mask of integers as wide as ``like``'s elements, for dropout.

    An integer has no bits set with probability threshold / 256, and otherwise all. One 64-bit draw
    of torch's global generator gives eight values; PyTorch's own Bernoulli mask takes one draw per
    value, on one thread. A bitwise "and" with this mask is vectorised; a masked fill is not.
    """
    n = shape.numel()
    words = torch.empty((n + 7) // 8, dtype=torch.int64, device=like.device).random_(-(2**63), None)
    kept = words.view(torch.uint8)[:n] >= threshold
    return kept.to(_BITS[like.dtype]).neg_().view(shape)


_BITS = {torch.bfloat16: torch.int16, torch.float16: torch.int16, torch.float32: torch.int32}


class LoraUpdate(torch.autograd.Function):
    """Base + scaling * dropout(x) A' B' (Hu et al. 2021, arXiv 2106.09685, equation 3).

    ``x`` is (n, d_in), ``base`` (n, d_out), ``a`` (r, d_in) and ``b`` (d_out, r). The share of
    inputs set to zero is ``threshold / 256``, and the rest is scaled by exactly the inverse of the
    share kept, which is folded into ``scaling``.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        x: torch.Tensor,
        base: torch.Tensor,
        a: torch.Tensor,
        b: torch.Tensor,
        scaling: float,
        threshold: int,
    ) -> torch.Tensor:
        """Compute the adapted layer's output, (n, d_out), in the dtype of ``base``."""
        mask = keep_mask(x.shape, threshold, x) if threshold else None
        ctx.scaling = scaling * 256 / (256 - threshold)
        middle = _masked(x, mask) @ a.to(x.dtype).T
        ctx.save_for_backward(x, mask, middle, a, b)
        return torch.addmm(base, middle, b.to(x.dtype).T, alpha=ctx.scaling)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Compute the gradients of x, base, a and b."""
        x, mask, middle, a, b = ctx.saved_tensors
        grad_middle = (grad @ b.to(grad.dtype)) * ctx.scaling
        grad_b = (grad.T @ middle).to(b.dtype) * ctx.scaling
        grad_a = (grad_middle.T @ _masked(x, mask)).to(a.dtype)
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = _masked(grad_middle @ a.to(grad.dtype), mask)
        return grad_x, grad, grad_a, grad_b, None, None


def _masked(x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    return x if mask is None else (x.view(mask.dtype) & mask).view(x.dtype)


class LeanLinear(Linear):
    """PEFT's LoRA layer over a plain linear layer, with ``LoraUpdate`` for its forward pass."""

    def forward(self, x: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
        """Compute the adapted layer's output."""
        return _adapted(self, x)


class LeanLinear4bit(Linear4bit):
    """PEFT's LoRA layer over a 4-bit layer, with ``LoraUpdate`` for its forward pass."""

    def forward(self, x: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
        """Compute the adapted layer's output."""
        return _adapted(self, x)


def _adapted(layer: Linear | Linear4bit, x: torch.Tensor) -> torch.Tensor:
    base = layer.base_layer(x)
    if layer.disable_adapters or layer.merged:
        return base
    dropout = layer.lora_dropout["default"]  # an identity if the share is 0
    on = layer.training and isinstance(dropout, torch.nn.Dropout)
    threshold = round(256 * dropout.p) if on else 0
    flat = LoraUpdate.apply(
        x.reshape(-1, x.shape[-1]),
        base.reshape(-1, base.shape[-1]),
        layer.lora_A["default"].weight,
        layer.lora_B["default"].weight,
        layer.scaling["default"],
        threshold,
    )
    return flat.view(base.shape)


def use_lean_lora(model: PeftModel) -> int:
    """Give every LoRA layer the lean forward pass, and return the number of layers changed."""
    lean = {Linear: LeanLinear, Linear4bit: LeanLinear4bit}
    layers = [module for module in model.modules() if type(module) in lean]
    for layer in layers:
        layer.__class__ = lean[type(layer)]
    return len(layers)
