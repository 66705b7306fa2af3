"""A Llama decoder layer with LoRA on a CPU, with hand-written forward and backward passes.

All tensors are of one type, bfloat16 or float32, and the adapters are rounded to it for products.

The layer computes transformers' LlamaDecoderLayer with PEFT's LoRA. It is fast because:

- examples are concatenated into one row of tokens, so that no padding is computed;
- projections that read the same input are one product (q/k/v, gate/up), and so are their adapters;
- the frozen weights are dequantized once, not in every pass (2 or 4 bytes per weight);
- norms, rotary positions, softmax, gates and dropout are one pass each (`finllm.model.kernels`);
- attention skips the keys after a block of queries; residuals are added inside the products;
- only tensors that the backward pass cannot cheaply recompute are kept, and not on the heap
  (`finllm.model.workspace`).

The only difference from PEFT is that adapters that read the same input share one dropout mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.autograd.function import FunctionCtx, once_differentiable

from finllm.model import kernels
from finllm.model.fused_attention import attention_backward, causal_attention
from finllm.model.kernels import bits
from finllm.model.workspace import Workspace


@dataclass(frozen=True)
class Projection:
    """Linear layers with the same input, as one frozen matrix.

    ``weight`` is (d_out, d_in), and ``widths``, the output widths of the layers, add up to d_out.
    """

    weight: torch.Tensor
    widths: tuple[int, ...]


@dataclass(frozen=True)
class Shape:
    """Settings of a layer and layout of the batch."""

    eps: np.float32
    heads: int
    kv_heads: int
    head_dim: int
    offsets: tuple[int, ...]  # start of each example in the row of tokens, and the end
    prompts: tuple[slice, ...]  # rows that each example attends to before its own; mostly none
    scale: float  # of the adapters: alpha / r, divided by the share that dropout keeps
    threshold: np.uint32  # the share of inputs that dropout sets to zero, times 2 ** 32
    seed: np.uint32  # of the layer's dropout masks
    workspace: Workspace | None = None  # for the kept tensors; None for the heap
    pass_number: int = 0  # number of this pass in the workspace

    def kept(self, x: torch.Tensor, *shape: int) -> torch.Tensor:
        """Return an empty tensor of x's type that the backward pass will read."""
        return x.new_empty(shape) if self.workspace is None else self.workspace.take(*shape)

    def check(self) -> None:
        """Raise an error if the kept tensors have been overwritten."""
        if self.workspace is not None:
            self.workspace.check(self.pass_number)


@dataclass(frozen=True)
class Update:
    """Adapters of a projection for one pass: all A stacked, all B on a block diagonal.

    An adapter's A is (r, d_in) and its B (width, r), in float32; a layer may have no adapter.
    """

    a: torch.Tensor  # (sum of ranks, d_in)
    b: torch.Tensor  # (d_out, sum of ranks), scaled
    scale: float  # alpha / r, divided by the share that dropout keeps
    cuts: tuple[tuple[slice, slice], ...]  # each layer's rows and columns of b

    @classmethod
    def of(
        cls, projection: Projection, adapters: Sequence[torch.Tensor | None], scale: float
    ) -> Update:
        """Create the update from A, B, A, B, ..., each None for a layer without an adapter."""
        pairs = list(zip(adapters[0::2], adapters[1::2], strict=True))
        ranks = [0 if a is None else len(a) for a, _ in pairs]
        rows, columns = np.cumsum([0, *projection.widths]), np.cumsum([0, *ranks])
        weight = projection.weight
        stacked_a = weight.new_empty(columns[-1], weight.shape[1])
        stacked_b = weight.new_zeros(weight.shape[0], columns[-1])
        cuts = []
        for i, (a, b) in enumerate(pairs):
            row, column = slice(*rows[i : i + 2]), slice(*columns[i : i + 2])
            if a is not None:
                stacked_a[column] = a
                stacked_b[row, column] = b * scale
            cuts.append((row, column))
        return cls(stacked_a, stacked_b, scale, tuple(cuts))

    def gradients(
        self,
        grad: torch.Tensor,
        grad_middle: torch.Tensor,
        x_dropped: torch.Tensor,
        middle: torch.Tensor,
    ) -> list[torch.Tensor | None]:
        """Compute the gradients of A, B, A, B, ... in float32; None without an adapter."""
        grad_a = (grad_middle.T @ x_dropped).float()
        found: list[torch.Tensor | None] = []
        for row, column in self.cuts:
            if column.start == column.stop:
                found += [None, None]
            else:
                grad_b = grad[:, row].T @ middle[:, column]
                found += [grad_a[column], grad_b.float().mul_(self.scale)]
        return found


def _project(
    projection: Projection,
    update: Update,
    x: torch.Tensor,
    x_dropped: torch.Tensor,
    shape: Shape,
    *,
    residual: torch.Tensor | None = None,
    keep: bool = True,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the projection of x (plus the residual), and the adapters' rank-r middle x A'.

    ``keep`` tells whether the backward pass will read the projection.
    """
    weight = projection.weight.T
    size = (len(x), weight.shape[1])
    out = shape.kept(x, *size) if keep else x.new_empty(size)
    if residual is None:
        torch.mm(x, weight, out=out)
    else:
        torch.addmm(residual, x, weight, out=out)
    middle = torch.mm(x_dropped, update.a.T, out=shape.kept(x, len(x), len(update.a)))
    return out.addmm_(middle, update.b.T), middle


def _project_backward(
    projection: Projection, update: Update, grad: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Compute the gradients of x (through the weight), dropped x (through adapters) and middle."""
    grad_middle = grad @ update.b
    return grad @ projection.weight, grad_middle @ update.a, grad_middle


class AttentionHalf(torch.autograd.Function):
    """Attention half, x + O(attention(QKV(norm(x)))), for rows of tokens x (n, d)."""

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        x: torch.Tensor,
        norm_weight: torch.Tensor,
        cos: torch.Tensor,
        sin: torch.Tensor,
        qkv: Projection,
        out: Projection,
        shape: Shape,
        *adapters: torch.Tensor | None,
    ) -> torch.Tensor:
        """Compute the output (n, d); ``adapters`` are A, B of q, k, v and o, or None each."""
        n, kv, dim = len(x), shape.kv_heads, shape.head_dim
        ctx.qkv_update = Update.of(qkv, adapters[:6], shape.scale)
        ctx.out_update = Update.of(out, adapters[6:], shape.scale)
        normed, normed_dropped = _normed(x, norm_weight, shape, shape.seed)
        rows, qkv_middle = _project(qkv, ctx.qkv_update, normed, normed_dropped, shape, keep=False)
        q = shape.kept(x, kv, n, shape.heads // kv, dim)
        k, v = shape.kept(x, kv, n, dim), shape.kept(x, kv, n, dim)
        scale = np.float32(dim**-0.5)
        kernels.rotate(bits(rows), bits(cos), bits(sin), scale, bits(q), bits(k), bits(v))
        attended, weights = causal_attention(
            q, k, v, shape.offsets, shape.prompts, empty=lambda *size: shape.kept(x, *size)
        )
        gathered = x.new_empty(n, out.weight.shape[1])
        gathered_dropped = shape.kept(x, *gathered.shape)
        kernels.gather_heads(
            bits(attended),
            shape.seed ^ np.uint32(1),
            shape.threshold,
            bits(gathered),
            bits(gathered_dropped),
        )
        y, out_middle = _project(out, ctx.out_update, gathered, gathered_dropped, shape, residual=x)
        ctx.layer = (qkv, out, shape)
        ctx.save_for_backward(
            x,
            norm_weight,
            cos,
            sin,
            normed_dropped,
            qkv_middle,
            q,
            k,
            v,
            gathered_dropped,
            out_middle,
            *weights,
        )
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Compute the gradients of x and of the adapters."""
        qkv, out, shape = ctx.layer
        shape.check()
        (
            x,
            norm_weight,
            cos,
            sin,
            normed_dropped,
            qkv_middle,
            q,
            k,
            v,
            gathered_dropped,
            out_middle,
            *weights,
        ) = ctx.saved_tensors
        through, to_adapter, grad_middle = _project_backward(out, ctx.out_update, grad)
        of_out = ctx.out_update.gradients(grad, grad_middle, gathered_dropped, out_middle)
        grad_attended = torch.empty_like(q)
        kernels.scatter_heads(
            bits(through),
            bits(to_adapter),
            shape.seed ^ np.uint32(1),
            shape.threshold,
            bits(grad_attended),
        )
        grad_q, grad_k, grad_v = attention_backward(
            grad_attended, q, k, v, weights, shape.offsets, shape.prompts
        )
        grad_rows = x.new_empty(len(x), sum(qkv.widths))
        kernels.rotate_backward(
            bits(grad_q),
            bits(grad_k),
            bits(grad_v),
            bits(cos),
            bits(sin),
            np.float32(shape.head_dim**-0.5),
            bits(grad_rows),
        )
        through, to_adapter, grad_middle = _project_backward(qkv, ctx.qkv_update, grad_rows)
        of_qkv = ctx.qkv_update.gradients(grad_rows, grad_middle, normed_dropped, qkv_middle)
        grad_x = _norm_backward(through, to_adapter, x, norm_weight, grad, shape, shape.seed)
        return (grad_x, None, None, None, None, None, None, *of_qkv, *of_out)


class GatedHalf(torch.autograd.Function):
    """Gated half, x + Down(SiLU(Gate(norm(x))) * Up(norm(x))), for rows of tokens x (n, d)."""

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        x: torch.Tensor,
        norm_weight: torch.Tensor,
        gate_up: Projection,
        down: Projection,
        shape: Shape,
        *adapters: torch.Tensor | None,
    ) -> torch.Tensor:
        """Compute the output (n, d); ``adapters`` are A, B of gate, up and down, or None each."""
        ctx.gate_up_update = Update.of(gate_up, adapters[:4], shape.scale)
        ctx.down_update = Update.of(down, adapters[4:], shape.scale)
        normed, normed_dropped = _normed(x, norm_weight, shape, shape.seed ^ np.uint32(2))
        rows, gate_up_middle = _project(gate_up, ctx.gate_up_update, normed, normed_dropped, shape)
        gated = x.new_empty(len(x), down.weight.shape[1])
        gated_dropped = shape.kept(x, *gated.shape)
        kernels.gate(
            bits(rows),
            shape.seed ^ np.uint32(3),
            shape.threshold,
            bits(gated),
            bits(gated_dropped),
        )
        y, down_middle = _project(down, ctx.down_update, gated, gated_dropped, shape, residual=x)
        ctx.layer = (gate_up, down, shape)
        ctx.save_for_backward(
            x, norm_weight, normed_dropped, gate_up_middle, rows, gated_dropped, down_middle
        )
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Compute the gradients of x and of the adapters."""
        gate_up, down, shape = ctx.layer
        shape.check()
        x, norm_weight, normed_dropped, gate_up_middle, rows, gated_dropped, down_middle = (
            ctx.saved_tensors
        )
        through, to_adapter, grad_middle = _project_backward(down, ctx.down_update, grad)
        of_down = ctx.down_update.gradients(grad, grad_middle, gated_dropped, down_middle)
        grad_rows = torch.empty_like(rows)
        kernels.gate_backward(
            bits(through),
            bits(to_adapter),
            bits(rows),
            shape.seed ^ np.uint32(3),
            shape.threshold,
            bits(grad_rows),
        )
        through, to_adapter, grad_middle = _project_backward(gate_up, ctx.gate_up_update, grad_rows)
        of_gate_up = ctx.gate_up_update.gradients(
            grad_rows, grad_middle, normed_dropped, gate_up_middle
        )
        seed = shape.seed ^ np.uint32(2)
        grad_x = _norm_backward(through, to_adapter, x, norm_weight, grad, shape, seed)
        return (grad_x, None, None, None, None, *of_gate_up, *of_down)


def _normed(
    x: torch.Tensor, weight: torch.Tensor, shape: Shape, seed: np.uint32
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the norm of x, and the same after dropout."""
    out, dropped = torch.empty_like(x), shape.kept(x, *x.shape)
    kernels.norm(bits(x), bits(weight), shape.eps, seed, shape.threshold, bits(out), bits(dropped))
    return out, dropped


def _norm_backward(
    through: torch.Tensor,
    to_adapter: torch.Tensor,
    x: torch.Tensor,
    weight: torch.Tensor,
    residual: torch.Tensor,
    shape: Shape,
    seed: np.uint32,
) -> torch.Tensor:
    grad = torch.empty_like(x)
    kernels.norm_backward(
        bits(through),
        bits(to_adapter),
        bits(x),
        bits(weight),
        shape.eps,
        bits(residual),
        seed,
        shape.threshold,
        bits(grad),
    )
    return grad
