"""Bootstrap intervals that resample whole companies."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike

from finllm.stats.clusters import cluster_codes, finite_vector, require_clusters

METHODS = ("percentile", "bca", "studentized")


@dataclass(frozen=True)
class Interval:
    """Confidence interval from n examples in n_clusters independent clusters."""

    estimate: float
    low: float
    high: float
    n: int
    n_clusters: int


def bootstrap_ci(
    data: ArrayLike,
    statistic: Callable[[np.ndarray], float] = np.mean,
    n_bootstrap: int = 10000,
    confidence: float = 0.95,
    method: str = "studentized",
    clusters: Sequence[Hashable] | None = None,
    *,
    rng: np.random.Generator,
) -> Interval:
    """Compute a bootstrap interval for ``statistic`` of the examples, resampling whole clusters.

    - ``percentile``: quantiles of the replicates (Efron 1979).
    - ``bca``: quantiles corrected for bias and acceleration (Efron 1987, equation 2.3), with the
      acceleration from a jackknife over clusters.
    - ``studentized``: ``estimate - t*_q se`` with t* the t of each replicate (Efron and Tibshirani
      1993, section 12.5), for the mean only; se is linearised over clusters.

    The mean is computed from a matrix of resampling counts, as ``counts @ cluster_sums`` divided by
    ``counts @ cluster_sizes``. With ``clusters`` this is the mean over *examples*; for the mean
    of cluster means pass ``cluster_means(...).means`` as data.

    Do not trust percentile or BCa below about 30 clusters: they cover 84 to 92 % instead of 95 %.
    Studentised intervals can be very wide below eight clusters. If all values are equal, the
    interval has width zero, since the bootstrap can only draw observed values.

    Raises
    ------
    ValueError
        For bad data, fewer than two clusters, an unknown method, or the studentised method with
        a statistic other than ``np.mean``.
    """
    values = finite_vector(data, "data")
    labels, codes = cluster_codes(clusters, len(values))
    require_clusters(len(labels), at_least=2)
    check_levels(confidence, n_bootstrap)
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; one of {', '.join(METHODS)}")
    if statistic is np.mean:
        low, high = _mean_interval(values, codes, n_bootstrap, confidence, method, rng)
    elif method == "studentized":
        raise ValueError("method 'studentized' is for np.mean; use 'bca' or 'percentile'")
    else:
        low, high = _any_interval(values, codes, statistic, n_bootstrap, confidence, method, rng)
    return Interval(float(statistic(values)), low, high, len(values), len(labels))


def resampling_counts(n_clusters: int, n_bootstrap: int, rng: np.random.Generator) -> np.ndarray:
    """Draw how often each cluster is in each resample, shape (n_bootstrap, n_clusters)."""
    drawn = rng.integers(0, n_clusters, size=(n_bootstrap, n_clusters))
    drawn += np.arange(n_bootstrap)[:, None] * n_clusters
    counts = np.bincount(drawn.ravel(), minlength=n_bootstrap * n_clusters)
    return counts.reshape(n_bootstrap, n_clusters).astype(np.float64)


def percentile_interval(replicates: np.ndarray, confidence: float) -> tuple[float, float]:
    """Return the equal-tailed quantiles of the replicates."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(replicates, [tail, 1 - tail])
    return float(low), float(high)


def bca_interval(
    estimate: float, replicates: np.ndarray, jackknife: np.ndarray, confidence: float
) -> tuple[float, float]:
    """Return Efron's (1987) bias-corrected and accelerated quantiles of the replicates.

    For the bias, ties with the estimate count as half, so that discrete metrics do not shift it.
    ``jackknife`` holds the statistic without each cluster in turn. If it is empty, since the
    statistic is undefined without any one of them (two single values), the result is the percentile
    interval.
    """
    if not len(jackknife):
        return percentile_interval(replicates, confidence)
    tied = np.abs(replicates - estimate) <= 1e-12 * np.abs(replicates).max()
    below = ((replicates < estimate) & ~tied).mean() + tied.mean() / 2
    if not 0 < below < 1:  # all replicates are on one side: the bias cannot be estimated
        return percentile_interval(replicates, confidence)
    bias = scipy.stats.norm.ppf(below)
    deviation = jackknife.mean() - jackknife
    spread = (deviation**2).sum()
    acceleration = (deviation**3).sum() / (6 * spread**1.5) if spread > 0 else 0.0
    z = scipy.stats.norm.ppf([(1 - confidence) / 2, (1 + confidence) / 2]) + bias
    levels = scipy.stats.norm.cdf(bias + z / (1 - acceleration * z))
    low, high = np.quantile(replicates, levels)
    return float(low), float(high)


def check_levels(confidence: float, n_bootstrap: int) -> None:
    """Raise an error if the confidence level or the number of resamples is out of range."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; a share between 0 and 1 is needed")
    if n_bootstrap < 100:
        raise ValueError(f"n_bootstrap is {n_bootstrap}; at least 100 are needed for a tail")


def _mean_interval(
    values: np.ndarray,
    codes: np.ndarray,
    n_bootstrap: int,
    confidence: float,
    method: str,
    rng: np.random.Generator,
) -> tuple[float, float]:
    sizes = np.bincount(codes).astype(np.float64)
    # Sums about the mean: squares of large means would cost digits.
    centre = values.mean()
    sums = np.bincount(codes, weights=values - centre)
    counts = resampling_counts(len(sizes), n_bootstrap, rng)
    n_drawn = counts @ sizes
    means = counts @ sums / n_drawn
    if method == "percentile":
        low, high = percentile_interval(means, confidence)
    elif method == "bca":
        jackknife = (sums.sum() - sums) / (sizes.sum() - sizes)
        low, high = bca_interval(0.0, means, jackknife, confidence)
    else:
        squares = counts @ sums**2 - 2 * means * (counts @ (sums * sizes))
        squares += means**2 * (counts @ sizes**2)
        errors = np.sqrt(np.maximum(squares, 0.0)) / n_drawn
        # A resample of only one cluster has no spread, hence no t, and is left out.
        usable = errors > 1e-9 * errors.max(initial=0.0)
        error = np.sqrt((sums**2).sum()) / sizes.sum()
        if not usable.any():
            return float(centre), float(centre)
        t_low, t_high = percentile_interval(means[usable] / errors[usable], confidence)
        low, high = -t_high * error, -t_low * error
    return float(centre + low), float(centre + high)


def _any_interval(
    values: np.ndarray,
    codes: np.ndarray,
    statistic: Callable[[np.ndarray], float],
    n_bootstrap: int,
    confidence: float,
    method: str,
    rng: np.random.Generator,
) -> tuple[float, float]:
    members = [values[codes == k] for k in range(codes.max() + 1)]
    draws = rng.integers(0, len(members), size=(n_bootstrap, len(members)))
    replicates = np.array([statistic(np.concatenate([members[k] for k in draw])) for draw in draws])
    if method == "percentile":
        return percentile_interval(replicates, confidence)
    jackknife = np.array([statistic(values[codes != k]) for k in range(len(members))])
    return bca_interval(float(statistic(values)), replicates, jackknife, confidence)
