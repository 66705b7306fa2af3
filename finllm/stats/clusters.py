"""Companies as clusters of dependent examples: cluster means, robust errors, design effect."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class ClusterMeans:
    """Mean and size of each cluster, in the order of the sorted labels."""

    labels: tuple[Hashable, ...]
    means: np.ndarray
    sizes: np.ndarray


@dataclass(frozen=True)
class RobustMean:
    """Mean over examples with a cluster-robust standard error."""

    estimate: float
    standard_error: float
    df: float
    n: int
    n_clusters: int


def finite_vector(values: ArrayLike, name: str, *, at_least: int = 1) -> np.ndarray:
    """Return ``values`` as a one-dimensional float64 array.

    Raises
    ------
    ValueError
        If it is not one-dimensional, too short, or contains NaN or an infinity; the message names
        the first bad position. A missing score is never replaced by zero: the caller decides.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}; a one-dimensional array is needed")
    if len(array) < at_least:
        raise ValueError(f"{name} has {len(array)} values; at least {at_least} are needed")
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        raise ValueError(
            f"{name}[{bad[0]}] is {array[bad[0]]} ({len(bad)} such values); only finite numbers"
            " are allowed, leave out the examples that have no score"
        )
    return array


def cluster_codes(
    clusters: Sequence[Hashable] | None, n: int
) -> tuple[tuple[Hashable, ...], np.ndarray]:
    """Return the sorted labels, and the position of each example's label among them.

    ``None`` makes each example a cluster of its own.

    Raises
    ------
    ValueError
        If there is not exactly one label per example, or a label is missing.
    """
    if clusters is None:
        return tuple(range(n)), np.arange(n)
    if len(clusters) != n:
        raise ValueError(
            f"clusters has {len(clusters)} labels for {n} differences; one each is needed"
        )
    for position, label in enumerate(clusters):
        if label is None or label != label:
            raise ValueError(f"clusters[{position}] is {label}; every example needs a label")
    labels, codes = np.unique(np.asarray(clusters), return_inverse=True)
    return tuple(labels.tolist()), codes


def cluster_means(
    differences: ArrayLike, clusters: Sequence[Hashable] | None = None
) -> ClusterMeans:
    """Compute the mean difference of each cluster.

    The mean of these means is the estimand of this package's default procedure: the expected
    difference of the next *company*, with equal weights of all companies. The mean over examples is
    a different estimand (see ``cluster_robust_mean``): it weights each company by its number of
    examples. The two differ if the effect depends on that number.
    """
    values = finite_vector(differences, "differences")
    labels, codes = cluster_codes(clusters, len(values))
    sizes = np.bincount(codes)
    return ClusterMeans(labels, np.bincount(codes, weights=values) / sizes, sizes)


def cluster_robust_mean(
    differences: ArrayLike, clusters: Sequence[Hashable] | None = None
) -> RobustMean:
    """Compute the mean over examples, with CR2 standard error and Bell-McCaffrey df.

    With cluster sums of residuals u_k, sizes n_k and N examples,
    ``V = sum(u_k^2 / (1 - n_k / N)) / N^2`` (Bell and McCaffrey 2002, "Bias reduction in standard
    errors for linear regression with multi-stage samples", for a model with an intercept only).
    The degrees of freedom are Satterthwaite's under independent errors; with clusters of equal
    size they are K - 1, and t is that of the cluster means.

    Do not trust the result below about ten clusters, or if one cluster has most of the examples:
    the degrees of freedom then fall towards one.

    Raises
    ------
    ValueError
        If there are fewer than two clusters: their variation is then unknown.
    """
    values = finite_vector(differences, "differences")
    labels, codes = cluster_codes(clusters, len(values))
    require_clusters(len(labels), at_least=2)
    n, sizes = len(values), np.bincount(codes)
    estimate = values.mean()
    residual_sums = np.bincount(codes, weights=values - estimate)
    leverage = 1 / (1 - sizes / n)
    variance = (residual_sums**2 * leverage).sum() / n**2
    scaled = (sizes / n) ** 2 * leverage
    off_diagonal = n**2 * (scaled.sum() ** 2 - (scaled**2).sum())
    df = n**2 / ((sizes.astype(float) ** 2).sum() + off_diagonal)
    return RobustMean(float(estimate), float(np.sqrt(variance)), float(df), n, len(labels))


def intraclass_correlation(values: ArrayLike, clusters: Sequence[Hashable]) -> float:
    """Estimate the share of the variance that lies between clusters, by one-way ANOVA: ICC(1).

    ``(MSB - MSW) / (MSB + (n0 - 1) MSW)`` with ``n0 = (N - sum(n_k^2) / N) / (K - 1)``
    (Donner 1986, "A review of inference procedures for the intraclass correlation coefficient").
    Negative estimates are returned unchanged: clusters then differ less than by chance.

    NaN if no cluster has two examples, or all values are equal. Do not trust the estimate below
    about twenty clusters: its standard error is then about 0.1 or more.
    """
    array = finite_vector(values, "values")
    labels, codes = cluster_codes(clusters, len(array))
    require_clusters(len(labels), at_least=2)
    n, k, sizes = len(array), len(labels), np.bincount(codes)
    means = np.bincount(codes, weights=array) / sizes
    within = ((array - means[codes]) ** 2).sum()
    between = (sizes * (means - array.mean()) ** 2).sum()
    if n == k or is_constant(array):
        return float("nan")
    mean_between, mean_within = between / (k - 1), within / (n - k)
    typical_size = (n - (sizes**2).sum() / n) / (k - 1)
    return float((mean_between - mean_within) / (mean_between + (typical_size - 1) * mean_within))


def design_effect(clusters: Sequence[Hashable], icc: float) -> float:
    """Return the factor by which clustering multiplies the variance of the mean over examples.

    It is ``1 + (m - 1) icc`` with m the size-weighted mean size ``sum(n_k^2) / sum(n_k)`` (Kish
    1965, "Survey Sampling", section 8.2). A negative icc is taken as zero, so that clustering never
    reduces the variance; NaN is passed on.
    """
    if not (np.isnan(icc) or -1 <= icc <= 1):
        raise ValueError(f"icc is {icc}; a correlation between -1 and 1 is needed")
    _, codes = cluster_codes(clusters, len(clusters))
    sizes = np.bincount(codes)
    typical_size = (sizes**2).sum() / sizes.sum()
    return float(1 + (typical_size - 1) * np.maximum(icc, 0.0))


def is_constant(values: np.ndarray) -> bool:
    """Return whether all values are equal, up to the rounding errors of averaging."""
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max(initial=0.0))


def require_clusters(n_clusters: int, *, at_least: int) -> None:
    """Raise an error if there are too few clusters to estimate their variation."""
    if n_clusters < at_least:
        raise ValueError(
            f"{n_clusters} cluster(s); at least {at_least} are needed: conclusions"
            " about other companies require the variation between companies"
        )
