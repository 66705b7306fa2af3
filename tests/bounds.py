"""Assertions that two results are the same up to rounding, by ``finllm.commands.gpu_check.bounds``.

No bound here is what some processor gave.
"""

import torch

from finllm.commands.gpu_check.bounds import distance, gamma, n_summed


def n_roundings(model, n_tokens, *, backward=False):
    """Terms of the sums that lie behind one another in a model."""
    return n_summed(model.config, n_tokens, backward=backward)


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
