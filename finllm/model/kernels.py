"""The memory-bound steps of a Llama layer, each in one pass over memory, compiled for this CPU.

On a CPU with bfloat16 products, most of a training step is not products: PyTorch makes five to ten
passes over memory for a norm, a gated activation or a masked softmax. Here each is one pass, all
arithmetic in float32, compiled by Numba on first use and then kept (`finllm.model.compiled`).
Arrays (``bits(tensor)``) are of float32, or the bit patterns of bfloat16; ``_wide`` and ``_narrow``
are all that differs. `finllm.model.fused_layer` puts the kernels together;
`benchmarks/train_throughput.py` has what they gain.

Dropout needs no stored mask: whether an element is kept is a hash of a seed and of its index
(``_kept``), so that the backward pass finds the same mask again.
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
    """A float32 tensor as an array, or the bit patterns of a bfloat16 one, without a copy."""
    tensor = tensor.detach()
    return (tensor if tensor.dtype == torch.float32 else tensor.view(torch.uint16)).numpy()


def _wide(element):
    """An array's element as a float."""
    raise NotImplementedError("compiled code only")


@overload(_wide, inline="always")
def _compiled_wide(element):
    if element == types.uint16:
        return lambda element: _U32(_U32(element) << _U32(16)).view(_F32)
    return lambda element: _F32(element)


def _narrow(value, array):
    """A float as an element of an array, rounded to the nearest, of two to the even."""
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
    """2 ** (whole + part), with a polynomial for the part in [-0.5, 0.5]; relative error 3e-7.

    Below -70 it stays at exp(-70), so that nothing becomes a slow subnormal number.
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
    """A float's bits as an integer of the same order, and back: integers have a fast maximum."""
    return np.int32(pattern ^ ((pattern >> np.int32(31)) & np.int32(0x7FFFFFFF)))


@njit(inline="always")
def _kept(seed, index, threshold):
    """False for a share threshold / 2**32 of the indices (the hash is C. Wellons' lowbias32)."""
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
    """Grad plus the adapter's gradient where its input was kept, in float32."""
    first = _U32(i * len(grad))
    for j in range(len(grad)):
        more = _wide(adapter[j]) if _kept(seed, first + _U32(j), threshold) else _F32(0)
        total[j] = _wide(grad[j]) + more


@njit(inline="always")
def _norm(row, weight, eps, normed):
    """RMS norm of a row, rounded before and after the product with the weight, as in Llama."""
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
    """RMS norm of the rows of x (n, d), and the same after dropout (unscaled) for the adapters."""
    for i in prange(len(x)):
        _norm(x[i], weight, eps, out[i])
        _drop(out[i], i, seed, threshold, dropped[i])


@_IN_PARALLEL
def norm_backward(grad, grad_adapter, x, weight, eps, residual, seed, threshold, out):
    """The gradient of x: through the norm, through dropout for the adapters, and the residual's."""
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
    """Rotary positions (Su et al. 2021, arXiv 2104.09864, equation 34), halves as in Llama."""
    half = len(x) // 2
    for j in range(half):
        c, s = _wide(cos[j]), _wide(sin[j]) * sign
        a, b = _wide(x[j]), _wide(x[half + j])
        out[j] = _narrow((a * c - b * s) * scale, out)
        out[half + j] = _narrow((b * c + a * s) * scale, out)


@_IN_PARALLEL
def rotate(qkv, cos, sin, scale, q, k, v):
    """Rows of q, k and v side by side to heads with rotary positions; q is scaled for the softmax.

    qkv (n, (heads + 2 kv) dim), q (kv, n, group, dim), k and v (kv, n, dim), cos and sin (n, dim).
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
    """The gradient of qkv from those of q, k and v: ``rotate`` with the angle reversed."""
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
    """Causal softmax in place; scores (kv, rows, n_key), row r asks for token start + r // group.

    Keys behind the token get weight 0 without being read.
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
    """The scores' gradient in place of the weights' gradient; shapes as in ``softmax_``."""
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
    """Heads (kv, n, group, dim) to rows (n, kv group dim), and the same after dropout."""
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
    """The gradient of ``gather_heads``'s heads from those of its two outputs."""
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
    """SiLU(gate) * up of rows [gate, up] (n, 2 d), and the same after dropout."""
    n, d = out.shape
    for i in prange(n):
        opened, up, gated = gate_up[i, :d], gate_up[i, d:], out[i]
        for j in range(d):
            a = _wide(opened[j])
            gated[j] = _narrow(a / (_F32(1) + _exp(-a)) * _wide(up[j]), gated)
        _drop(gated, i, seed, threshold, dropped[i])


@_IN_PARALLEL
def gate_backward(grad, grad_adapter, gate_up, seed, threshold, out):
    """The gradient of [gate, up] from those of ``gate``'s two outputs."""
    n, d = grad.shape
    for i in prange(n):
        opened, up = gate_up[i, :d], gate_up[i, d:]
        to_gate, to_up = out[i, :d], out[i, d:]
        g, share = np.empty(d, _F32), np.empty(d, _F32)  # a loop over few arrays is vectorised
        _add_kept(grad[i], grad_adapter[i], i, seed, threshold, g)
        for j in range(d):
            share[j] = _F32(1) / (_F32(1) + _exp(-_wide(opened[j])))
        for j in range(d):
            to_up[j] = _narrow(g[j] * _wide(opened[j]) * share[j], to_up)
        for j in range(d):
            g[j] *= share[j] * (_F32(1) + _wide(opened[j]) * (_F32(1) - share[j]))
        for j in range(d):
            to_gate[j] = _narrow(g[j] * _wide(up[j]), to_gate)


# The arguments of each kernel: an array of so many dimensions, or a number of float32 (f), uint32
# (u) or int64 (i).
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
    """Have the kernels for tensors of a type on disk, compiled by another process."""
    compile_apart(__name__, "float32" if dtype == torch.float32 else "uint16")
