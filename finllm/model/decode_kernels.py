"""Decoding kernels: attention of new tokens over a cache, and choice of the next token.

The cache is read once per token and is too large for the processor's caches, so its layout decides
the speed: vectors of 16 lanes, stored in the order in which they are read. A vector has pairs of
bfloat16; in float32 two vectors make up the pairs. In the keys a lane is a token and a pair is two
dimensions; in the values a lane is a dimension and a pair is two tokens. Both products are then the
same sum (``_mix``). Its vector code is written by hand: the compiler alone would pass scores and
sums through memory, at half the speed.

Every kernel runs on the thread that calls it, since each worker has its own thread (`finllm.model.
fused_decoder`). Arrays are as in `finllm.model.kernels`.
"""

from __future__ import annotations

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from numba.np import arrayobj

from finllm.model import kernels
from finllm.model.compiled import compiled
from finllm.model.kernels import _F32, _U32, _exp, _narrow, _norm, _ordered, _turn, _wide

LANES = 16  # floats in a vector of 512 bits; narrower processors process it in parts
AHEAD = 64  # vectors between the one being read and the one being prefetched
_ON_ONE_THREAD = compiled(parallel=False)
_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_PAIRS = ir.VectorType(ir.IntType(32), LANES)


def empty_cache(
    n_layers: int, n_rows: int, kv: int, n_slots: int, dim: int, *, dtype: torch.dtype
) -> np.ndarray:
    """Allocate a zeroed cache of keys and values, shape (2, layers, rows, kv, vectors, LANES).

    Elements are pairs of bfloat16 or single floats. Vectors are aligned to 64 bytes, which loads
    fastest, and NumPy asks the system for large pages.
    """
    n_vectors = row_bytes(1, 1, n_slots, dim, dtype=dtype) // (2 * 4 * LANES)
    shape = (2, n_layers, n_rows, kv, n_vectors, LANES)
    element = np.uint32 if dtype == torch.bfloat16 else np.float32
    room = np.zeros(int(np.prod(shape)) + LANES, element)
    start = -room.ctypes.data % 64 // 4
    return room[start : start + int(np.prod(shape))].reshape(shape)


def row_bytes(n_layers: int, kv: int, n_slots: int, dim: int, *, dtype: torch.dtype) -> int:
    """Return the bytes of one row of the cache, keys and values together."""
    return 2 * n_layers * kv * -(-n_slots // LANES) * LANES * dim * dtype.itemsize


@intrinsic
def _mix(typing, pairs, start, n, weights, out, at, queries):
    """Compute the weighted sum over pairs i < n for each query g of a key.

    out[g, at + lane] is the sum over the pairs ``start + i`` in lane ``lane`` of ``pairs``, with
    weights[g, 2 i] and weights[g, 2 i + 1]. ``queries`` is a tuple whose length is the number of
    queries.
    """
    integer, group = types.int64, len(queries)
    in_pairs = pairs.dtype == types.uint32

    def vectors(context, builder, signature, arguments):
        arrays = [
            arrayobj.make_array(signature.args[i])(context, builder, arguments[i])
            for i in (0, 3, 4)
        ]
        (pairs, weights, out), (start, n, at) = arrays, (arguments[i] for i in (1, 2, 5))
        n_weights, n_out = (cgutils.unpack_tuple(builder, x.shape)[1] for x in (weights, out))
        of_pair = ir.Constant(ir.IntType(64), LANES if in_pairs else 2 * LANES)
        sums = [cgutils.alloca_once_value(builder, _VECTOR([0.0] * LANES)) for _ in range(group)]
        odds = [cgutils.alloca_once_value(builder, _VECTOR([0.0] * LANES)) for _ in range(group)]
        for one in (*sums, *odds):
            builder.store(_VECTOR([0.0] * LANES), one)
        with cgutils.for_range(builder, n) as loop:
            first = builder.mul(builder.add(start, loop.index), of_pair)
            place = builder.gep(pairs.data, [first])
            low, high = _halves(builder, place) if in_pairs else _singles(builder, place)
            for g in range(group):
                row = builder.mul(n_weights, ir.Constant(ir.IntType(64), g))
                even = builder.add(row, builder.shl(loop.index, ir.Constant(ir.IntType(64), 1)))
                for half, total in ((0, sums[g]), (1, odds[g])):
                    which = builder.add(even, ir.Constant(ir.IntType(64), half))
                    weight = builder.load(builder.gep(weights.data, [which]))
                    wide = _splat(builder, weight)
                    product = builder.fmul(wide, high if half else low, flags=("contract",))
                    added = builder.fadd(builder.load(total), product, flags=("contract",))
                    builder.store(added, total)
        for g in range(group):
            row = builder.mul(n_out, ir.Constant(ir.IntType(64), g))
            place = builder.gep(out.data, [builder.add(row, at)])
            both = builder.fadd(builder.load(sums[g]), builder.load(odds[g]))
            builder.store(both, builder.bitcast(place, _VECTOR.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(pairs, integer, integer, weights, out, integer, queries), vectors


def _halves(builder: ir.IRBuilder, place: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Split a vector of bfloat16 pairs into two vectors of float32."""
    _prefetch(builder, builder.gep(place, [ir.Constant(ir.IntType(64), AHEAD * LANES)]))
    pair = builder.load(builder.bitcast(place, _PAIRS.as_pointer()), align=4)
    low = builder.bitcast(builder.shl(pair, _PAIRS([16] * LANES)), _VECTOR)
    high = builder.bitcast(builder.and_(pair, _PAIRS([0xFFFF0000] * LANES)), _VECTOR)
    return low, high


def _singles(builder: ir.IRBuilder, place: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Load two consecutive vectors of float32."""
    found = []
    for at in (0, LANES):
        vector = builder.gep(place, [ir.Constant(ir.IntType(64), at)])
        _prefetch(builder, builder.gep(vector, [ir.Constant(ir.IntType(64), AHEAD * LANES)]))
        found.append(builder.load(builder.bitcast(vector, _VECTOR.as_pointer()), align=4))
    return tuple(found)


def _prefetch(builder: ir.IRBuilder, place: ir.Value) -> None:
    """Prefetch a cache line that will be read soon."""
    integer, byte = ir.IntType(32), ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte, integer, integer, integer])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    read, keep, data = (ir.Constant(integer, i) for i in (0, 3, 1))
    builder.call(function, [builder.bitcast(place, byte), read, keep, data])


def _splat(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """Return a vector with the same value in all lanes."""
    one = builder.insert_element(ir.Constant(_VECTOR, None), value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, one, ir.Constant(_PAIRS, [0] * LANES))


@njit(inline="always")
def _softmax(scores, n):
    """Apply softmax in place to the first n scores, and set the rest to 0."""
    top = np.int32(-(2**31))
    for t in range(n):
        top = max(top, _ordered(_F32(scores[t]).view(np.int32)))
    highest = _U32(_ordered(top)).view(_F32)
    total = _F32(0)
    for t in range(n):
        scores[t] = _exp(scores[t] - highest)
        total += scores[t]
    share = _F32(1) / total
    for t in range(n):
        scores[t] *= share
    scores[n:] = _F32(0)


rotate = _ON_ONE_THREAD(kernels.rotate.py_func)
softmax_ = _ON_ONE_THREAD(kernels.softmax_.py_func)


@_ON_ONE_THREAD
def norm(x, weight, eps, out):
    """Write the RMS norm of the rows of x (n, d) to out."""
    for i in range(len(x)):
        _norm(x[i], weight, eps, out[i])


@_ON_ONE_THREAD
def attend(qkv, cos, sin, scale, rows, lengths, keys, values, out, queries):
    """Add new tokens to the cache, and compute their attention over it and one another.

    qkv is (n or more, (heads + 2 kv) dim), cos and sin are (n, dim), and out is (n or more,
    heads dim). Token i < n is added to row ``rows[i]`` of keys and values (rows, kv, vectors,
    LANES) after the ``lengths[i]`` tokens there. Tokens of one row are in their order. The result
    of a row does not depend on the other rows. ``queries`` is a tuple whose length is the number of
    queries per key.
    """
    kv, n_vectors = keys.shape[1:3]
    group = len(queries)
    dim = out.shape[1] // (kv * group)
    of_block, of_lanes = dim // 2, n_vectors * LANES // dim // _vectors_of_pair(keys)  # pairs
    for at in range(len(rows) * kv):
        i, h = at // kv, at % kv
        past_keys, past_values, n = keys[rows[i], h], values[rows[i], h], lengths[i] + 1
        turned = np.empty(dim, qkv.dtype)
        first = (kv * group + h) * dim
        _turn(qkv[i, first : first + dim], cos[i], sin[i], _F32(1), _F32(1), turned)
        _put_key(turned, lengths[i], past_keys)
        first += kv * dim
        _put_value(qkv[i, first : first + dim], lengths[i], past_values)
        wide = np.empty((group, dim), _F32)
        for g in range(group):
            first = (h * group + g) * dim
            _turn(qkv[i, first : first + dim], cos[i], sin[i], _F32(1), scale, turned)
            for j in range(dim):
                wide[g, j] = _wide(turned[j])
        n_blocks = (n + LANES - 1) // LANES
        weights = np.empty((group, n_blocks * LANES), _F32)
        for block in range(n_blocks):
            _mix(past_keys, block * of_block, of_block, wide, weights, block * LANES, queries)
        for g in range(group):
            _softmax(weights[g], n)
        mixed = np.empty((group, dim), _F32)
        for part in range(dim // LANES):
            _mix(past_values, part * of_lanes, (n + 1) // 2, weights, mixed, part * LANES, queries)
        for g in range(group):
            first = (h * group + g) * dim
            for j in range(dim):
                out[i, first + j] = _narrow(mixed[g, j], out)


def _vectors_of_pair(cache):
    """Return how many vectors of a cache make up a pair in each lane."""
    raise NotImplementedError("compiled code only")


@overload(_vectors_of_pair)
def _compiled_vectors_of_pair(cache):
    n = 1 if cache.dtype == types.uint32 else 2
    return lambda cache: n


def _put_key(key, slot, keys):
    """Write a token's key into the cache of its row and head (vectors, LANES)."""
    raise NotImplementedError("compiled code only")


@overload(_put_key)
def _compiled_put_key(key, slot, keys):
    def paired(key, slot, keys):
        block, lane, half = slot // LANES, slot % LANES, len(key) // 2
        for j in range(half):
            keys[block * half + j, lane] = _U32(key[2 * j]) | (_U32(key[2 * j + 1]) << _U32(16))

    def single(key, slot, keys):
        block, lane = slot // LANES, slot % LANES
        for j in range(len(key)):
            keys[block * len(key) + j, lane] = key[j]

    return paired if keys.dtype == types.uint32 else single


def _put_value(value, slot, values):
    """Write a token's value into the cache; an even slot clears the odd slot of its pair."""
    raise NotImplementedError("compiled code only")


@overload(_put_value)
def _compiled_put_value(value, slot, values):
    def paired(value, slot, values):
        n_pairs, dim = len(values), len(value)
        of_lanes = n_pairs * LANES // dim
        for j in range(dim):
            pair, lane = j // LANES * of_lanes + slot // 2, j % LANES
            if slot % 2:
                joined = values[pair, lane] & _U32(0xFFFF)
                values[pair, lane] = joined | (_U32(value[j]) << _U32(16))
            else:
                values[pair, lane] = _U32(value[j])

    def single(value, slot, values):
        n_vectors, dim = len(values), len(value)
        of_lanes = n_vectors * LANES // dim
        for j in range(dim):
            values[j // LANES * of_lanes + slot, j % LANES] = value[j]
            if slot % 2 == 0:  # the pair's other half may be left from a longer, earlier answer
                values[j // LANES * of_lanes + slot + 1, j % LANES] = _F32(0)

    return paired if values.dtype == types.uint32 else single


@_ON_ONE_THREAD
def store(k, v, keys, values):
    """Write a prompt's keys and values (kv, n, dim) into a cache row (kv, vectors, LANES)."""
    kv, n, _ = k.shape
    n_blocks = (n + LANES - 1) // LANES
    for at in range(kv * n_blocks):
        h, block = at // n_blocks, at % n_blocks
        for slot in range(block * LANES, min(n, (block + 1) * LANES)):
            _put_key(k[h, slot], slot, keys[h])
            _put_value(v[h, slot], slot, values[h])


@_ON_ONE_THREAD
def choose(logits, chosen):
    """Write the index of the first highest logit of each row (n, vocabulary) to chosen."""
    n, width = logits.shape
    for i in range(n):
        row = logits[i]
        top = np.int32(-(2**31))
        for j in range(width):
            top = max(top, _ordered(_F32(_wide(row[j])).view(np.int32)))
        at = 0
        while _ordered(_F32(_wide(row[at])).view(np.int32)) != top:
            at += 1
        chosen[i] = at
