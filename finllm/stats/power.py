"""Power analysis: the smallest detectable difference and the required number of companies."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from finllm.stats.clusters import cluster_means, require_clusters
from finllm.stats.noncentral import noncentral_t_cdf

LARGEST_N = 10_000_000


def power_paired_t(effect_size: float, n: int, *, alpha: float = 0.05) -> float:
    """Compute the power of a two-sided paired t-test over n pairs or n cluster means.

    It is ``P(|T| > t_crit)``, over both tails, for a noncentral T with n - 1 df and noncentrality
    ``effect_size sqrt(n)`` (Cohen 1988, section 2.3.5). ``effect_size`` is the true mean over the
    standard deviation *of the averaged values*: of the differences for pairs, of the cluster means
    for clusters. n pairs from fewer clusters count as about ``n / design_effect`` pairs.

    Differences are assumed to be normal. Do not compute power from the observed effect after a
    test: it only restates the p-value (Hoenig and Heisey 2001).
    """
    _check_alpha(alpha)
    if n < 2:
        raise ValueError(f"n is {n}; at least 2 pairs are needed")
    if not np.isfinite(effect_size):
        raise ValueError(f"effect_size is {effect_size}; a finite number is needed")
    df, shift = n - 1, effect_size * np.sqrt(n)
    critical = scipy.stats.t.isf(alpha / 2, df)
    upper = noncentral_t_cdf(-critical, df, -shift)
    return upper + noncentral_t_cdf(-critical, df, shift)


def minimum_detectable_effect(n: int, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Compute the smallest effect size that n pairs (or n cluster means) detect with this power.

    It is in units of the standard deviation of the differences (of the cluster means): multiply by
    that to get the difference in units of the metric.
    """
    _check_power(alpha, power)
    reach = 1.0
    while power_paired_t(reach, n, alpha=alpha) < power:
        reach *= 2
    return float(brentq(lambda d: power_paired_t(d, n, alpha=alpha) - power, 0.0, reach))


def required_n(effect_size: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Compute the smallest number of pairs (or clusters) that detects this effect with this power.

    Raises
    ------
    ValueError
        If the effect is zero, which no number of pairs detects, or so small that more than ten
        million pairs would be needed.
    """
    _check_power(alpha, power)
    if effect_size == 0:
        raise ValueError("effect_size is 0; no number of pairs detects that")
    high = 2
    while power_paired_t(effect_size, high, alpha=alpha) < power:
        high *= 2
        if high > LARGEST_N:
            raise ValueError(f"effect_size {effect_size} needs more than {LARGEST_N} pairs")
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        enough = power_paired_t(effect_size, middle, alpha=alpha) >= power
        low, high = (low, middle) if enough else (middle, high)
    return max(high, 2)


def simulated_power(
    differences: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    *,
    effect: float,
    n_clusters: int,
    alpha: float,
    n_simulations: int,
    rng: np.random.Generator,
) -> float:
    """Estimate by simulation the power to detect a mean of ``effect`` in ``n_clusters`` companies.

    Studies are drawn from the observed cluster means, shifted to the true mean ``effect`` (in units
    of the metric). The result is the share in which the paired t-test on cluster means rejects.
    This keeps the skew, the ties and the cluster sizes, which the formula ignores. The Monte Carlo
    error is ``sqrt(p (1 - p) / n_simulations)``; it does not include the error from a small pilot,
    which matters more below 20 clusters.
    """
    _check_alpha(alpha)
    means, errors = _simulate(differences, clusters, n_clusters, n_simulations, rng)
    critical = scipy.stats.t.isf(alpha / 2, n_clusters - 1)
    return float((np.abs(means + effect) > critical * errors).mean())


def simulated_minimum_detectable_effect(
    differences: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    *,
    n_clusters: int,
    alpha: float,
    power: float,
    n_simulations: int,
    rng: np.random.Generator,
) -> float:
    """Estimate by simulation the smallest positive mean that is detected with this power.

    It is in units of the metric: the ``power`` quantile of ``t_crit se - mean`` over the
    simulations of ``simulated_power``, the mean that just suffices in that share of them.
    """
    _check_power(alpha, power)
    means, errors = _simulate(differences, clusters, n_clusters, n_simulations, rng)
    critical = scipy.stats.t.isf(alpha / 2, n_clusters - 1)
    return float(np.quantile(critical * errors - means, power))


def simulated_required_clusters(
    differences: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    *,
    effect: float,
    alpha: float,
    power: float,
    n_simulations: int,
    rng: np.random.Generator,
    at_most: int = 4096,
) -> int:
    """Estimate by simulation how many companies detect a mean of ``effect`` with this power.

    The number is found by doubling and then bisection of ``simulated_power``, and is exact up to
    its Monte Carlo error.

    Raises
    ------
    ValueError
        If ``at_most`` companies are too few.
    """
    _check_power(alpha, power)

    def enough(k: int) -> bool:
        reached = simulated_power(
            differences,
            clusters,
            effect=effect,
            n_clusters=k,
            alpha=alpha,
            n_simulations=n_simulations,
            rng=rng,
        )
        return reached >= power

    high = 2
    while not enough(high):
        high *= 2
        if high > at_most:
            raise ValueError(f"an effect of {effect} needs more than {at_most} clusters")
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _simulate(
    differences: ArrayLike,
    clusters: Sequence[Hashable] | None,
    n_clusters: int,
    n_simulations: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return means and standard errors of studies of ``n_clusters`` centred cluster means."""
    pilot = cluster_means(differences, clusters).means
    require_clusters(len(pilot), at_least=2)
    require_clusters(n_clusters, at_least=2)
    if n_simulations < 1:
        raise ValueError(f"n_simulations is {n_simulations}; at least 1 is needed")
    # Resampling K values shrinks their variance by (K - 1) / K; this restores it.
    centred = (pilot - pilot.mean()) * np.sqrt(len(pilot) / (len(pilot) - 1))
    studies = centred[rng.integers(0, len(pilot), size=(n_simulations, n_clusters))]
    return studies.mean(axis=1), studies.std(axis=1, ddof=1) / np.sqrt(n_clusters)


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}; a share between 0 and 1 is needed")


def _check_power(alpha: float, power: float) -> None:
    _check_alpha(alpha)
    if not alpha < power < 1:
        raise ValueError(f"power is {power}; a share between alpha ({alpha}) and 1 is needed")
