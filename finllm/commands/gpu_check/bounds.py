"""Bounds on rounding errors, from the type's epsilon and the lengths of the sums.

One rounding errs by at most u = eps / 2, relatively; a sum of n terms, in whatever order a device
adds them, by at most gamma(n) of the sum of the terms' sizes (Higham 2002, Accuracy and Stability
of Numerical Algorithms, lemma 3.1 and equation 3.5). Errors of many roundings rarely add up: with
random signs they stay below sqrt(n) u times a constant (Higham and Mary 2019, SIAM J. Sci. Comput.
41(5), theorem 2.4), of which the smaller of the two is taken. How much a layer enlarges the error
of its input is not counted, so a bound says that nothing is wrong, not how exact a device is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from transformers import LlamaConfig

SIGMAS = 6  # the constant: exceeded with probability 2 exp(-18) a sum
# What a layer rounds to sixteen bits, its sums being in float32: twice a norm and its product with
# the weight, the queries, keys and values and their rotation (two products, a sum), the weights of
# attention and its output, three projections out, SiLU, the gate's product, two residuals.
ROUNDED = 17


def gamma(n: int, dtype: torch.dtype) -> float:
    """The largest relative error of n roundings in a type, or of a sum of n terms."""
    u = torch.finfo(dtype).eps / 2
    worst = n * u / (1 - n * u) if n * u < 1 else math.inf
    return min(worst, math.expm1(SIGMAS * math.sqrt(n) * u + n * u * u))


def n_summed(config: LlamaConfig, n_tokens: int, *, backward: bool = False) -> int:
    """The number of terms summed in sequence in a Llama, from its embeddings to its logits.

    Of a layer: two norms, the products of attention and those of the gate. A gradient has passed
    the model forwards, then backwards through two products for each.
    """
    head_dim = config.hidden_size // config.num_attention_heads
    layer = 6 * config.hidden_size + config.intermediate_size + head_dim + 2 * n_tokens
    forward = config.num_hidden_layers * layer + 2 * config.hidden_size
    return 3 * forward if backward else forward


def allowed(
    config: LlamaConfig, n_tokens: int, dtype: torch.dtype, *, backward: bool = False
) -> float:
    """The largest distance between results in a type and in float32 that rounding explains.

    Products of sixteen bits are summed in float32, on a CPU as on a GPU.
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
    """The distance of two tensors, or of two sets of tensors by name, relative to the second."""
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
