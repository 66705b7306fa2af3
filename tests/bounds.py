"""How far a rounded result may lie from the exact one: by the type's epsilon and its sums' lengths.

No bound here is what some processor gave. One rounding errs by at most u = eps / 2, relatively; a
sum of n terms, in whatever order a processor adds them, by at most gamma(n) of the sum of the
terms' sizes (Higham 2002, Accuracy and Stability of Numerical Algorithms, lemma 3.1 and equation
3.5). Errors of many roundings rarely add up: with random signs they stay below sqrt(n) u times a
constant (Higham and Mary 2019, SIAM J. Sci. Comput. 41(5), theorem 2.4), of which the smaller of
the two is taken.
"""

import math

import torch

SIGMAS = 6  # the constant: exceeded with probability 2 exp(-18) a sum


def gamma(n, dtype):
    """The largest relative error of n roundings in a type, or of a sum of n terms."""
    u = torch.finfo(dtype).eps / 2
    worst = n * u / (1 - n * u) if n * u < 1 else math.inf
    return min(worst, math.expm1(SIGMAS * math.sqrt(n) * u + n * u * u))


def n_roundings(model, n_tokens, *, backward=False):
    """Terms of the sums that lie behind one another in a Llama, from its embeddings to its logits.

    Of a layer: two norms, the products of attention and those of the gate. A gradient has passed
    the model forwards, then backwards through two products for each.
    """
    c = model.config
    head_dim = c.hidden_size // c.num_attention_heads
    layer = 6 * c.hidden_size + c.intermediate_size + head_dim + 2 * n_tokens
    forward = c.num_hidden_layers * layer + 2 * c.hidden_size
    return 3 * forward if backward else forward


def distance(found, exact):
    """The distance of two tensors, or of two sets of tensors by name, relative to the second."""
    if isinstance(exact, dict):
        assert found.keys() == exact.keys()
        found, exact = ([one[name] for name in exact] for one in (found, exact))
    else:
        found, exact = [found], [exact]
    squares = [
        ((a.double() - b.double()).square().sum(), b.double().square().sum())
        for a, b in zip(found, exact, strict=True)
    ]
    off, size = (sum(float(one[i].detach()) for one in squares) for i in (0, 1))
    return math.sqrt(off / size) if size else math.sqrt(off)


def assert_rounded(found, expected, n, dtype=torch.float32):
    """Both are the same up to n roundings each, relative to the size of the whole."""
    error, allowed = distance(found, expected), 2 * gamma(n, dtype)
    assert error <= allowed, f"off by {error:.1e} of its size, and rounding explains {allowed:.1e}"


def assert_within(found, exact, allowed):
    """Each element is within its own bound."""
    excess = (found.double() - exact.double()).abs() - allowed
    assert (excess <= 0).all(), f"off by {float(excess.max()):.1e} more than rounding explains"


def assert_no_near_tie(model, rows, n_tokens, dtype=torch.float32):
    """Greedy choices do not hang on rounding: each lead is larger than what rounding can move.

    ``rows`` are prompt and answer together, of which the last ``n_tokens`` are the answer.
    """
    for row in rows:
        with torch.no_grad():
            logits = model(torch.tensor([row])).logits[0, -n_tokens - 1 : -1].double()
        first, second = logits.topk(2).values.T
        moved = 2 * gamma(n_roundings(model, len(row)), dtype) * logits.abs().amax(-1)
        assert (first - second > moved).all(), float((first - second - moved).min())
