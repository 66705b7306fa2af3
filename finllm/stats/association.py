"""Rank correlations with confidence intervals, for instance of a metric and human ratings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike

from finllm.stats.clusters import finite_vector, is_constant


@dataclass(frozen=True)
class Correlation:
    """Rank correlation with its interval and the p-value for no association."""

    estimate: float
    low: float
    high: float
    p_value: float
    n: int


def spearman(x: ArrayLike, y: ArrayLike, *, confidence: float = 0.95) -> Correlation:
    """Compute Spearman's rho, Pearson's correlation of mid-ranks.

    The interval is that of Bonett and Wright (2000), with variance ``(1 + r^2 / 2) / (n - 3)`` on
    the atanh scale. It has better coverage than Fisher's 1 / (n - 3) and Fieller's
    1.06 / (n - 3). The p-value is scipy's, from t with n - 2 df.

    NaN if one side is constant; no interval below n = 4. Do not trust the interval if rho exceeds
    0.95 in absolute value or items are not independent (several answers to one call).
    """
    a, b = _paired(x, y)
    if is_constant(a) or is_constant(b):
        return Correlation(*([float("nan")] * 4), len(a))
    result = scipy.stats.spearmanr(a, b)
    r = float(np.clip(result.statistic, -1, 1))
    low, high = _fisher(r, (1 + r**2 / 2) / (len(a) - 3) if len(a) > 3 else np.nan, confidence)
    return Correlation(r, low, high, float(result.pvalue), len(a))


def kendall(x: ArrayLike, y: ArrayLike, *, confidence: float = 0.95) -> Correlation:
    """Compute Kendall's tau-b, corrected for ties.

    The interval is that of Fieller, Hartley and Pearson (1957), with variance ``0.437 / (n - 4)``
    on the atanh scale, which suits few ties and tau below 0.8 in absolute value. The p-value is
    scipy's, exact for small samples without ties. NaN if one side is constant; no interval below
    n = 5.
    """
    a, b = _paired(x, y)
    if is_constant(a) or is_constant(b):
        return Correlation(*([float("nan")] * 4), len(a))
    result = scipy.stats.kendalltau(a, b)
    tau = float(np.clip(result.statistic, -1, 1))
    low, high = _fisher(tau, 0.437 / (len(a) - 4) if len(a) > 4 else np.nan, confidence)
    return Correlation(tau, low, high, float(result.pvalue), len(a))


def weighted_spearman(x: ArrayLike, y: ArrayLike, weights: ArrayLike) -> np.ndarray:
    """Compute Spearman's rho for each row of ``weights``, shape (n_resamples, n).

    A weight is how often the pair occurs in the sample, as in a bootstrap over companies. Rho is
    Pearson's correlation of mid-ranks in the sample with these repetitions. NaN if a side is
    constant.
    """
    a, b = _paired(x, y)
    counts = np.asarray(weights, dtype=np.float64)
    ranks = [_weighted_midranks(values, counts) for values in (a, b)]
    total = counts.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        first, second = (r - (counts * r).sum(axis=1, keepdims=True) / total for r in ranks)
        product = (counts * first * second).sum(axis=1)
        norm = (counts * first**2).sum(axis=1) * (counts * second**2).sum(axis=1)
        return np.where(norm > 1e-9, np.clip(product / np.sqrt(norm), -1, 1), np.nan)


def _weighted_midranks(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the mid-rank of each value among values repeated ``counts`` times, row by row."""
    _, codes, sizes = np.unique(values, return_inverse=True, return_counts=True)
    starts = np.cumsum(sizes) - sizes
    held = np.add.reduceat(counts[:, np.argsort(codes, kind="stable")], starts, axis=1)
    middle = np.cumsum(held, axis=1) - held / 2 + 0.5
    return middle[:, codes]


def _fisher(r: float, variance: float, confidence: float) -> tuple[float, float]:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; a share between 0 and 1 is needed")
    if abs(r) == 1:
        return (r, r) if np.isfinite(variance) else (float("nan"), float("nan"))
    reach = scipy.stats.norm.isf((1 - confidence) / 2) * np.sqrt(variance)
    return float(np.tanh(np.arctanh(r) - reach)), float(np.tanh(np.arctanh(r) + reach))


def _paired(x: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    a, b = finite_vector(x, "x", at_least=3), finite_vector(y, "y", at_least=3)
    if len(a) != len(b):
        raise ValueError(f"x has {len(a)} values and y {len(b)}; pairs are needed")
    return a, b
