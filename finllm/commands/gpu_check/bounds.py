"""Bounds on rounding errors, from the type's epsilon and the lengths of the sums.

One rounding has a relative error of at most u = eps / 2. A sum of n terms, added in any order, has
an error of at most gamma(n) times the sum of the terms' magnitudes (Higham 2002, Accuracy and
Stability of Numerical Algorithms, lemma 3.1 and equation 3.5). With random signs, many errors
mostly cancel and stay below a constant times sqrt(n) u (Higham and Mary 2019, SIAM J. Sci. Comput.
41(5), theorem 2.4). The smaller of the two bounds is used. How much a layer amplifies the error of
its input is not counted: a result within its bound is not wrong, but the bound says nothing about
how accurate a device is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from transformers import LlamaConfig

SIGMAS = 6  # the constant; a sum exceeds the bound with probability 2 exp(-18)
# Roundings to sixteen bits in a layer, whose sums are in float32: two norms and their products with
# the weights (4); queries, keys and values (1) and their rotation, two products and a sum (3); the
# weights of attention and its output (2); three projections, SiLU, the gate's product and two
# residuals (7).
ROUNDED = 17


def gamma(n: int, dtype: torch.dtype) -> float:
    """Return a bound on the relative error of n roundings in a type, or of a sum of n terms."""
    u = torch.finfo(dtype).eps / 2
    worst = n * u / (1 - n * u) if n * u < 1 else math.inf
    return min(worst, math.expm1(SIGMAS * math.sqrt(n) * u + n * u * u))


def n_summed(config: LlamaConfig, n_tokens: int, *, backward: bool = False) -> int:
    """Return the number of terms summed in sequence in a Llama, from embeddings to logits.

    Each layer has two norms, the products of attention and those of the MLP. A gradient counts
    three times: the forward pass, and in the backward pass two products for each forward one.
    """
    head_dim = config.hidden_size // config.num_attention_heads
    layer = 6 * config.hidden_size + config.intermediate_size + head_dim + 2 * n_tokens
    forward = config.num_hidden_layers * layer + 2 * config.hidden_size
    return 3 * forward if backward else forward


def allowed(
    config: LlamaConfig, n_tokens: int, dtype: torch.dtype, *, backward: bool = False
) -> float:
    """Return the largest relative distance from results in float32 that rounding explains.

    Products of sixteen-bit numbers are summed in float32, both on a CPU and on a GPU.
    """
    summed = 2 * gamma(n_summed(config, n_tokens, backward=backward), torch.float32)
    if dtype == torch.float32:
        return summed
    n_rounded = (ROUNDED * config.num_hidden_layers + 2) * (3 if backward else 1)
    return summed + gamma(n_rounded, dtype)


def distance(
    found: torch.Tensor | Mapping[str, torch.Tensor],
    exact: torch.Tensor | Mapping[str, torch.Tensor],
) -> float:
    """Return the distance of two tensors, or two sets of tensors by name, relative to ``exact``.

    If ``exact`` is zero, the distance is absolute.

    Raises
    ------
    ValueError
        If only one of two sets has a tensor of some name; the message names it.
    """
    if isinstance(exact, torch.Tensor):
        found, exact = {"": found}, {"": exact}
    if found.keys() != exact.keys():
        raise ValueError(f"only one of the two has {sorted(found.keys() ^ exact.keys())[0]}")
    off = size = 0.0
    for name, b in exact.items():
        a, b = (x.detach().double().cpu() for x in (found[name], b))
        off += float((a - b).square().sum())
        size += float(b.square().sum())
    return math.sqrt(off / size) if size else math.sqrt(off)
