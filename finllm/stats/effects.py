"""Effect sizes of tuned over base, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.special
import scipy.stats
from numpy.typing import ArrayLike

from finllm.stats.clusters import (
    cluster_codes,
    cluster_robust_mean,
    finite_vector,
    is_constant,
    require_clusters,
)
from finllm.stats.noncentral import noncentrality_interval
from finllm.stats.resampling import bca_interval, check_levels, resampling_counts

NO_GENERATOR = "rng is None; with clusters the interval is a bootstrap and draws"


@dataclass(frozen=True)
class EffectSize:
    """Signed effect size (positive: tuned is higher) with its interval."""

    estimate: float
    low: float
    high: float
    n: int
    n_clusters: int


def cohens_d(
    tuned: ArrayLike,
    base: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    *,
    confidence: float = 0.95,
    n_bootstrap: int = 10000,
    rng: np.random.Generator | None = None,
) -> EffectSize:
    """Compute Cohen's d with the pooled standard deviation of both arms (Cohen 1988, section 2.2).

    ``(mean(tuned) - mean(base)) / sqrt((var(tuned) + var(base)) / 2)`` is in units of the variation
    of *scores*, so that it is comparable across studies, paired or not. Since both arms have the
    same size, it equals a d_av that averages the standard deviations by their root mean square.

    With ``rng`` the interval is a BCa bootstrap over whole clusters (pairs stay together), whose
    coverage is too low below about 30 clusters. Without ``rng`` and ``clusters`` it is Algina and
    Keselman's (2003) for normal pairs: that of d_z times sd(differences) / pooled sd. The textbook
    noncentral-t interval assumes independent arms and is wrong here. If neither arm varies, d is
    NaN, or 0 if their means are equal too.
    """
    return _of_arms(tuned, base, clusters, _pooled_sd, confidence, n_bootstrap, rng)


def cohens_d_av(
    tuned: ArrayLike,
    base: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    *,
    confidence: float = 0.95,
    n_bootstrap: int = 10000,
    rng: np.random.Generator | None = None,
) -> EffectSize:
    """Compute Cohen's d_av: the mean difference over the *average* of the standard deviations.

    ``mean(tuned - base) / ((sd(tuned) + sd(base)) / 2)`` (Cumming 2012; Lakens 2013, equation 10).
    For the interval and cautions see ``cohens_d``.
    """
    return _of_arms(tuned, base, clusters, _average_sd, confidence, n_bootstrap, rng)


def cohens_d_z(
    differences: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    *,
    confidence: float = 0.95,
    n_bootstrap: int = 10000,
    rng: np.random.Generator | None = None,
) -> EffectSize:
    """Compute Cohen's d_z: the mean difference over the standard deviation of the differences.

    ``t / sqrt(n)`` (Cohen 1988, section 2.3.5; Lakens 2013, equation 7). Power depends on d_z. It
    grows with the correlation of the arms, so do not compare it with a d of independent groups.

    Without ``clusters`` the interval is exact for normal differences, by the noncentral t. With
    ``clusters`` it is a BCa bootstrap over whole clusters, which needs ``rng`` and whose coverage
    is too low below about 30 clusters. NaN if all differences are equal; 0 if all are zero.
    """
    values = finite_vector(differences, "differences", at_least=2)
    if clusters is not None:
        if rng is None:
            raise ValueError(NO_GENERATOR)
        moments = np.column_stack([np.ones(len(values)), values, values**2])
        return _bootstrapped(moments, clusters, _standardised, confidence, n_bootstrap, rng)
    check_levels(confidence, n_bootstrap)
    n = len(values)
    if is_constant(values):
        bound = float("nan") if values.any() else 0.0
        return EffectSize(bound, bound, bound, n, n)
    estimate = values.mean() / values.std(ddof=1)
    low, high = noncentrality_interval(estimate * np.sqrt(n), n - 1, confidence)
    return EffectSize(float(estimate), float(low / np.sqrt(n)), float(high / np.sqrt(n)), n, n)


def hedges_g(
    differences: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    *,
    confidence: float = 0.95,
    n_bootstrap: int = 10000,
    rng: np.random.Generator | None = None,
) -> EffectSize:
    """Compute Hedges' g: d_z without its small-sample bias, estimate and bounds times J.

    ``J = Gamma(df / 2) / (sqrt(df / 2) Gamma((df - 1) / 2))`` is the exact factor (Hedges 1981,
    equation 6e), not ``1 - 3 / (4 df - 1)``, with the paired df: n - 1, or K - 1 with clusters. For
    cautions see ``cohens_d_z``.
    """
    d = cohens_d_z(differences, clusters, confidence=confidence, n_bootstrap=n_bootstrap, rng=rng)
    factor = hedges_factor(d.n_clusters - 1)
    return EffectSize(d.estimate * factor, d.low * factor, d.high * factor, d.n, d.n_clusters)


def hedges_factor(df: int) -> float:
    """Return the exact bias correction J(df), or 0 for df = 1, where d has no mean to correct."""
    if df < 1:
        raise ValueError(f"df is {df}; at least 1 is needed")
    if df == 1:
        return 0.0
    log_factor = scipy.special.gammaln(df / 2) - scipy.special.gammaln((df - 1) / 2)
    return float(np.exp(log_factor) / np.sqrt(df / 2))


def common_language_effect_size(
    differences: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    *,
    confidence: float = 0.95,
) -> EffectSize:
    """Estimate the probability that tuned beats base on one example, with ties counted as half.

    This is the paired form of McGraw and Wong (1992) without their normality: the mean of 1, 1/2
    and 0. The interval is Wilson's (1927) with t quantiles and the effective number of examples
    ``p (1 - p) / se^2``, where se is the CR2 cluster-robust standard error (Korn and Graubard
    1998). If nothing varies, the number of clusters takes its place.

    The measure shows how often tuned wins, not by how much: a model that often wins by a little and
    rarely loses by a lot is above one half.
    """
    values = finite_vector(differences, "differences", at_least=2)
    check_levels(confidence, 10000)
    share = cluster_robust_mean((np.sign(values) + 1) / 2, clusters)
    p, error = share.estimate, share.standard_error
    n_effective = p * (1 - p) / error**2 if error > 1e-12 and 0 < p < 1 else share.n_clusters
    z = scipy.stats.t.isf((1 - confidence) / 2, share.df)
    centre = (p + z**2 / (2 * n_effective)) / (1 + z**2 / n_effective)
    half = z / (1 + z**2 / n_effective)
    half *= np.sqrt(p * (1 - p) / n_effective + z**2 / (4 * n_effective**2))
    return EffectSize(
        float(p),
        float(max(0.0, centre - half)),
        float(min(1.0, centre + half)),
        share.n,
        share.n_clusters,
    )


def _of_arms(
    tuned: ArrayLike,
    base: ArrayLike,
    clusters: Sequence[Hashable] | None,
    spread: Callable[[np.ndarray], np.ndarray],
    confidence: float,
    n_bootstrap: int,
    rng: np.random.Generator | None,
) -> EffectSize:
    x = finite_vector(tuned, "tuned", at_least=2)
    y = finite_vector(base, "base", at_least=2)
    if len(x) != len(y):
        raise ValueError(f"tuned has {len(x)} scores and base {len(y)}; pairs are needed")
    if rng is None and clusters is not None:
        raise ValueError(NO_GENERATOR)
    # A common shift changes no effect size and keeps the precision of the squares.
    shift = np.concatenate([x, y]).mean()
    x, y = x - shift, y - shift
    moments = np.column_stack([np.ones(len(x)), x, y, x**2, y**2])
    if rng is not None:

        def effect(sums: np.ndarray) -> np.ndarray:
            return _ratio((sums[:, 1] - sums[:, 2]) / sums[:, 0], spread(sums))

        return _bootstrapped(moments, clusters, effect, confidence, n_bootstrap, rng)
    d, unit = cohens_d_z(x - y, confidence=confidence), spread(moments.sum(axis=0)[None])
    estimate, ratio = (float(_ratio(f(x - y), unit)[0]) for f in (np.mean, _sd))
    return EffectSize(estimate, d.low * ratio, d.high * ratio, d.n, d.n_clusters)


def _bootstrapped(
    moments: np.ndarray,
    clusters: Sequence[Hashable] | None,
    effect: Callable[[np.ndarray], np.ndarray],
    confidence: float,
    n_bootstrap: int,
    rng: np.random.Generator,
) -> EffectSize:
    """Bootstrap an effect that is a function of summed moments, by resampling cluster sums."""
    labels, codes = cluster_codes(clusters, len(moments))
    require_clusters(len(labels), at_least=2)
    check_levels(confidence, n_bootstrap)
    sums = np.zeros((len(labels), moments.shape[1]))
    np.add.at(sums, codes, moments)
    total = sums.sum(axis=0)
    estimate = float(effect(total[None])[0])
    replicates = effect(resampling_counts(len(labels), n_bootstrap, rng) @ sums)
    replicates = replicates[np.isfinite(replicates)]  # a resample without spread has no effect
    low = high = float("nan")
    if np.isfinite(estimate) and len(replicates):
        jackknife = effect(total - sums)
        jackknife = jackknife[np.isfinite(jackknife)]
        low, high = bca_interval(estimate, replicates, jackknife, confidence)
    return EffectSize(estimate, low, high, len(moments), len(labels))


def _sd(values: np.ndarray) -> np.floating:
    return values.std(ddof=1)


def _variance(n: np.ndarray, total: np.ndarray, squares: np.ndarray) -> np.ndarray:
    variance = (squares - total**2 / n) / np.maximum(n - 1, 1)
    return np.where(variance > 1e-14 * squares, variance, 0.0)


def _ratio(difference: np.ndarray, spread: np.ndarray) -> np.ndarray:
    safe = np.where(spread > 0, spread, 1.0)
    return np.where(spread > 0, difference / safe, np.where(difference == 0, 0.0, np.nan))


def _pooled_sd(moments: np.ndarray) -> np.ndarray:
    n, x, y, xx, yy = moments.T
    return np.sqrt((_variance(n, x, xx) + _variance(n, y, yy)) / 2)


def _average_sd(moments: np.ndarray) -> np.ndarray:
    n, x, y, xx, yy = moments.T
    return (np.sqrt(_variance(n, x, xx)) + np.sqrt(_variance(n, y, yy))) / 2


def _standardised(moments: np.ndarray) -> np.ndarray:
    n, d, dd = moments.T
    return _ratio(d / n, np.sqrt(_variance(n, d, dd)))
