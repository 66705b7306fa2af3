"""The memory-bound steps of a Llama layer, each in one pass over memory, compiled for this CPU.

On a CPU with bfloat16 products, most of a training step is spent outside the products: PyTorch
makes five to ten passes over memory for a norm, a gated activation or a masked softmax. Here each
is one pass, with all arithmetic in float32, compiled by Numba on first use and then cached
(`finllm.model.compiled`).

Arrays (``bits(tensor)``) are float32 or the bit patterns of bfloat16; only ``_wide`` and
``_narrow`` differ between the two. `finllm.model.fused_layer` combines the kernels;
`benchmarks/train_throughput.py` measures the gain.

Dropout needs no stored mask: whether an element is kept depends on a hash of a seed and its index
(``_kept``), so that the backward pass recomputes the same mask.
"""

from __future__ import annotations

import numpy as np
import torch
from numba import njit, prange, types
from numba.extending import overload

from finllm.model.compiled import compile_apart, compiled

_U32 = np.uint32
_F32 = np.float32
_IN_PARALLEL = compiled(parallel=True)


def bits(tensor: torch.Tensor) -> np.ndarray:
    """Return a float32 tensor, or the bit patterns of a bfloat16 one, as an array (no copy)."""
    tensor = tensor.detach()
    return (tensor if tensor.dtype == torch.float32 else tensor.view(torch.uint16)).numpy()


def _wide(element):
    """Convert an array element to float32."""
    raise NotImplementedError("compiled code only")


@overload(_wide, inline="always")
def _compiled_wide(element):
    if element == types.uint16:
        return lambda element: _U32(_U32(element) << _U32(16)).view(_F32)
    return lambda element: _F32(element)


def _narrow(value, array):
    """Convert a float to an array's element type, rounding to nearest, ties to even."""
    raise NotImplementedError("compiled code only")


@overload(_narrow, inline="always")
def _compiled_narrow(value, array):
    if array.dtype == types.uint16:
        return lambda value, array: _to_bfloat16(_F32(value).view(_U32))
    return lambda value, array: _F32(value)


@njit(inline="always")
def _to_bfloat16(pattern):
    return np.uint16((pattern + _U32(0x7FFF) + ((pattern >> _U32(16)) & _U32(1))) >> _U32(16))


@njit(inline="always")
def _exp(x):
    """Compute exp(x) as 2 ** (whole + part), with a polynomial for the part in [-0.5, 0.5].

    The relative error is 3e-7. Below -70 the result is exp(-70), to avoid slow subnormal numbers.
    """
    x = (x if x > _F32(-70) else _F32(-70)) * _F32(1.4426950408889634)
    whole = np.int32(x + _F32(0.5)) if x >= _F32(0) else np.int32(x - _F32(0.5))
    part = x - _F32(whole)
    power = _F32(1.3333558e-3)
    power = power * part + _F32(9.6181291e-3)
    power = power * part + _F32(5.5504109e-2)
    power = power * part + _F32(2.4022651e-1)
    power = power * part + _F32(6.9314718e-1)
    power = power * part + _F32(1.0)
    return power * _U32(_U32(whole + np.int32(127)) << _U32(23)).view(_F32)


@njit(inline="always")
def _ordered(pattern):
    """Map a float's bits to an integer of the same order, or back: integers have a fast maximum."""
    return np.int32(pattern ^ ((pattern >> np.int32(31)) & np.int32(0x7FFFFFFF)))


@njit(inline="always")
def _kept(seed, index, threshold):
    """Return False for a share threshold / 2**32 of the indices (hash: C. Wellons' lowbias32)."""
    z = _U32(_U32(_U32(index) * _U32(0x9E3779B9)) ^ seed)
    z = _U32(_U32(z ^ (z >> _U32(16))) * _U32(0x21F0AAAD))
    z = _U32(_U32(z ^ (z >> _U32(15))) * _U32(0x735A2D97))
    return _U32(z ^ (z >> _U32(15))) >= threshold


@njit(inline="always")
def _drop(row, i, seed, threshold, dropped):
    first = _U32(i * len(row))
    for j in range(len(row)):
        kept = _kept(seed, first + _U32(j), threshold)
        dropped[j] = row[j] if kept else _narrow(_F32(0), dropped)


@njit(inline="always")
def _add_kept(grad, adapter, i, seed, threshold, total):
    """Write to total grad plus the adapter's gradient where its input was kept, in float32."""
    first = _U32(i * len(grad))
    for j in range(len(grad)):
        more = _wide(adapter[j]) if _kept(seed, first + _U32(j), threshold) else _F32(0)
        total[j] = _wide(grad[j]) + more


@njit(inline="always")
def _norm(row, weight, eps, normed):
    """Compute the RMS norm of a row, rounded before and after the weight product as in Llama."""
    d = len(row)
    total = _F32(0)
    for j in range(d):
        total += _wide(row[j]) * _wide(row[j])
    scale = _F32(1) / np.sqrt(total / _F32(d) + eps)
    for j in range(d):
        scaled = _wide(_narrow(_wide(row[j]) * scale, row))
        normed[j] = _narrow(scaled * _wide(weight[j]), normed)


@_IN_PARALLEL
def norm(x, weight, eps, seed, threshold, out, dropped):
    """Compute the RMS norm of the rows of x (n, d), and the same after dropout for the adapters.

    The elements that dropout keeps are not scaled.
    """
    for i in prange(len(x)):
        _norm(x[i], weight, eps, out[i])
        _drop(out[i], i, seed, threshold, dropped[i])


@_IN_PARALLEL
def norm_backward(grad, grad_adapter, x, weight, eps, residual, seed, threshold, out):
    """Compute the gradient of x: through the norm, the adapters' dropout and the residual."""
    n, d = x.shape
    for i in prange(n):
        row, past, found = x[i], residual[i], out[i]
        g = np.empty(d, _F32)
        _add_kept(grad[i], grad_adapter[i], i, seed, threshold, g)
        total, dot = _F32(0), _F32(0)
        for j in range(d):
            value = _wide(row[j])
            g[j] *= _wide(weight[j])
            total += value * value
            dot += g[j] * value
        scale = _F32(1) / np.sqrt(total / _F32(d) + eps)
        along = dot * scale * scale * scale / _F32(d)
        for j in range(d):
            found[j] = _narrow(g[j] * scale - _wide(row[j]) * along + _wide(past[j]), found)


@njit(inline="always")
def _turn(x, cos, sin, sign, scale, out):
    """Apply rotary positions (Su et al. 2021, arXiv 2104.09864, eq. 34), halves as in Llama."""
    half = len(x) // 2
    for j in range(half):
        c, s = _wide(cos[j]), _wide(sin[j]) * sign
        a, b = _wide(x[j]), _wide(x[half + j])
        out[j] = _narrow((a * c - b * s) * scale, out)
        out[half + j] = _narrow((b * c + a * s) * scale, out)


@_IN_PARALLEL
def rotate(qkv, cos, sin, scale, q, k, v):
    """Split rows of qkv into heads with rotary positions; q is scaled for the softmax.

    qkv is (n, (heads + 2 kv) dim), q (kv, n, group, dim), k and v (kv, n, dim), cos and sin (n,
    dim).
    """
    kv, n, group, dim = q.shape
    for i in prange(n):
        row, c, s = qkv[i], cos[i], sin[i]
        for h in range(kv):
            for g in range(group):
                at = (h * group + g) * dim
                _turn(row[at : at + dim], c, s, _F32(1), scale, q[h, i, g])
            at = (kv * group + h) * dim
            _turn(row[at : at + dim], c, s, _F32(1), _F32(1), k[h, i])
            at += kv * dim
            v[h, i, :] = row[at : at + dim]


@_IN_PARALLEL
def rotate_backward(q, k, v, cos, sin, scale, qkv):
    """Compute the gradient of qkv from those of q, k and v: ``rotate`` with the angle reversed."""
    kv, n, group, dim = q.shape
    for i in prange(n):
        row, c, s = qkv[i], cos[i], sin[i]
        for h in range(kv):
            for g in range(group):
                at = (h * group + g) * dim
                _turn(q[h, i, g], c, s, _F32(-1), scale, row[at : at + dim])
            at = (kv * group + h) * dim
            _turn(k[h, i], c, s, _F32(-1), _F32(1), row[at : at + dim])
            at += kv * dim
            row[at : at + dim] = v[h, i]


@_IN_PARALLEL
def softmax_(scores, group, start):
    """Compute the causal softmax in place.

    scores is (kv, rows, n_key), and row r belongs to token start + r // group. Keys after that
    token get weight 0 without being read.
    """
    kv, rows, n_key = scores.shape
    for at in prange(kv * rows):
        row = scores[at // rows, at % rows]
        n = start + (at % rows) // group + 1
        top = np.int32(-(2**31))
        for j in range(n):
            top = max(top, _ordered(_F32(_wide(row[j])).view(np.int32)))
        highest = _U32(_ordered(top)).view(_F32)
        powers = np.empty(n, _F32)
        total = _F32(0)
        for j in range(n):
            powers[j] = _exp(_wide(row[j]) - highest)
            total += powers[j]
        share = _F32(1) / total
        for j in range(n):
            row[j] = _narrow(powers[j] * share, row)
        row[n:] = 0


@_IN_PARALLEL
def softmax_backward_(grad, weights, group, start):
    """Replace the gradient of the weights by that of the scores; shapes as in ``softmax_``."""
    kv, rows, n_key = grad.shape
    for at in prange(kv * rows):
        row, p = grad[at // rows, at % rows], weights[at // rows, at % rows]
        n = start + (at % rows) // group + 1
        dot = _F32(0)
        for j in range(n):
            dot += _wide(row[j]) * _wide(p[j])
        for j in range(n):
            row[j] = _narrow(_wide(p[j]) * (_wide(row[j]) - dot), row)
        row[n:] = 0


@_IN_PARALLEL
def gather_heads(heads, seed, threshold, out, dropped):
    """Copy heads (kv, n, group, dim) to rows (n, kv group dim), and the same after dropout."""
    kv, n, group, dim = heads.shape
    for i in prange(n):
        row = out[i]
        for h in range(kv):
            for g in range(group):
                at = (h * group + g) * dim
                row[at : at + dim] = heads[h, i, g]
        _drop(row, i, seed, threshold, dropped[i])


@_IN_PARALLEL
def scatter_heads(grad, grad_adapter, seed, threshold, heads):
    """Compute the gradient of ``gather_heads``'s heads from those of its two outputs."""
    kv, n, group, dim = heads.shape
    for i in prange(n):
        total = np.empty(kv * group * dim, _F32)
        _add_kept(grad[i], grad_adapter[i], i, seed, threshold, total)
        for h in range(kv):
            for g in range(group):
                part = total[(h * group + g) * dim :]
                found = heads[h, i, g]
                for j in range(dim):
                    found[j] = _narrow(part[j], found)


@_IN_PARALLEL
def gate(gate_up, seed, threshold, out, dropped):
    """Compute SiLU(gate) * up of rows [gate, up] (n, 2 d), and the same after dropout."""
    n, d = out.shape
    for i in prange(n):
        opened, up, gated = gate_up[i, :d], gate_up[i, d:], out[i]
        for j in range(d):
            a = _wide(opened[j])
            gated[j] = _narrow(a / (_F32(1) + _exp(-a)) * _wide(up[j]), gated)
        _drop(gated, i, seed, threshold, dropped[i])


@_IN_PARALLEL
def gate_backward(grad, grad_adapter, gate_up, seed, threshold, out):
    """Compute the gradient of [gate, up] from those of ``gate``'s two outputs."""
    n, d = grad.shape
    for i in prange(n):
        opened, up = gate_up[i, :d], gate_up[i, d:]
        to_gate, to_up = out[i, :d], out[i, d:]
        g, share = np.empty(d, _F32), np.empty(d, _F32)  # loops over few arrays are vectorised
        _add_kept(grad[i], grad_adapter[i], i, seed, threshold, g)
        for j in range(d):
            share[j] = _F32(1) / (_F32(1) + _exp(-_wide(opened[j])))
        for j in range(d):
            to_up[j] = _narrow(g[j] * _wide(opened[j]) * share[j], to_up)
        for j in range(d):
            g[j] *= share[j] * (_F32(1) + _wide(opened[j]) * (_F32(1) - share[j]))
        for j in range(d):
            to_gate[j] = _narrow(g[j] * _wide(up[j]), to_gate)


# The arguments of each kernel: the number of dimensions of an array, or the type of a scalar:
# float32 (f), uint32 (u) or int64 (i).
ARGUMENTS = {
    norm: "2 1 f u u 2 2",
    norm_backward: "2 2 2 1 f 2 u u 2",
    rotate: "2 2 2 f 4 3 3",
    rotate_backward: "4 3 3 2 2 f 2",
    softmax_: "3 i i",
    softmax_backward_: "3 3 i i",
    gather_heads: "4 u u 2 2",
    scatter_heads: "2 2 u u 4",
    gate: "2 u u 2 2",
    gate_backward: "2 2 2 u u 2",
}
_NUMBERS = {"f": types.float32, "u": types.uint32, "i": types.int64}


def compile_parallel(element: str) -> None:
    """Compile every kernel for arrays of an element type, ``float32`` or ``uint16``."""
    for kernel, arguments in ARGUMENTS.items():
        kernel.compile(
            tuple(
                _NUMBERS.get(one) or types.Array(getattr(types, element), int(one), "C")
                for one in arguments.split()
            )
        )


def prepare(dtype: torch.dtype) -> None:
    """Make sure that the kernels for a dtype are on disk, compiled by another process."""
    compile_apart(__name__, "float32" if dtype == torch.float32 else "uint16")
