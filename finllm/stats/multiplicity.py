"""Corrections of p-values for multiple metrics."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from finllm.stats.clusters import cluster_codes
from finllm.stats.paired_tests import TIE_TOLERANCE, is_exact, sign_vectors

COPYING_SHARE = 0.5  # of the error rate after the primary's gate, for "better than copying?"


@dataclass(frozen=True)
class MaxTResult:
    """Student's t, p-value and family-wise p-value of each metric, in input order."""

    statistic: np.ndarray
    p_value: np.ndarray
    p_adjusted: np.ndarray
    n_clusters: int
    n_permutations: int


def bonferroni(p_values: ArrayLike) -> np.ndarray:
    """Return ``min(1, m p)``, below alpha exactly when p is below alpha / m (Bonferroni 1936).

    It is valid for any dependence. A NaN (a test that could not be made) stays NaN and is not
    counted in m. The correction is conservative for similar metrics, such as ROUGE-1 and ROUGE-L:
    see ``max_t_permutation``.
    """
    p = _checked(p_values)
    return np.minimum(1.0, p * np.isfinite(p).sum())


def holm(p_values: ArrayLike) -> np.ndarray:
    """Return Holm's step-down p-values: the running maximum of ``(m - i + 1) p_(i)``.

    Holm (1979), "A simple sequentially rejective multiple test procedure". The method is valid for
    any dependence and never rejects less than Bonferroni. Results are in input order; NaN stays NaN
    and is not counted.
    """
    p = _checked(p_values)
    adjusted = np.full(len(p), np.nan)
    order = np.argsort(p, kind="stable")[: np.isfinite(p).sum()]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * p[order]))
    return adjusted


def benjamini_hochberg(p_values: ArrayLike) -> np.ndarray:
    """Return the step-up p-values of Benjamini and Hochberg (1995).

    They are the running minimum of ``m p_(i) / i`` from the largest p down. The method controls the
    *false discovery rate*, the expected share of false claims among the claims, for independent or
    positively dependent tests. It does not control the chance of any false claim, so do not use it
    for a verdict. NaN stays NaN and is not counted.
    """
    p = _checked(p_values)
    adjusted = np.full(len(p), np.nan)
    order = np.argsort(p, kind="stable")[: np.isfinite(p).sum()]
    scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return adjusted


def gatekeep(primary_p_value: float, secondary_p_adjusted: ArrayLike) -> np.ndarray:
    """Return secondary p-values that can be significant only if the primary test is.

    They are ``max(p_primary, p_adjusted)`` (fixed-sequence testing: Maurer, Hothorn and Lehmacher
    1995; Westfall and Krishen 2001). With the primary at alpha and the secondaries adjusted among
    themselves, the chance of *any* false claim is at most alpha, not twice that. If the primary is
    NaN, the gate stays closed: all results are NaN.
    """
    p = _checked(secondary_p_adjusted)
    return np.maximum(_checked([primary_p_value])[0], p)


def gatekept_share(primary_p_value: float, p_value: float, *, share: float) -> float:
    """Return the p-value of a test after the primary's gate with a share of the error rate.

    It is ``max(p_primary, min(1, p / share))``: weighted Bonferroni among the families after a gate
    (Bretz, Maurer, Brannath and Posch 2009). If the shares add up to one, the chance of any false
    claim stays alpha.
    """
    if not 0 < share <= 1:
        raise ValueError(f"the share is {share}; above 0 and at most 1 is needed")
    return float(gatekeep(primary_p_value, np.minimum(1.0, _checked([p_value]) / share))[0])


def gatekept_bonferroni(
    primary_p_value: float, secondary_p_values: ArrayLike, *, share: float = 1.0
) -> np.ndarray:
    """Correct p-values by the default procedure; return the primary's first, then the others'.

    The primary metric, named before the run, is tested alone. The others are tested by Bonferroni
    among themselves, after the primary's gate (see ``gatekeep``), with their ``share`` of the error
    rate (see ``gatekept_share``). ``compare`` reports these p-values, and
    ``benchmarks/calibration.py`` measures how often one of them falls below alpha by chance.
    """
    if not 0 < share <= 1:
        raise ValueError(f"the share is {share}; above 0 and at most 1 is needed")
    alone = np.minimum(1.0, bonferroni(secondary_p_values) / share)
    secondary = gatekeep(primary_p_value, alone)
    return np.concatenate([[primary_p_value], secondary])


def max_t_permutation(
    differences: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    *,
    n_permutations: int,
    rng: np.random.Generator,
) -> MaxTResult:
    """Run Westfall and Young's step-down max-T test over metrics, by flipping whole clusters.

    ``differences`` has shape (n_examples, n_metrics). A flip draws one sign per cluster, shared by
    all metrics, which preserves their correlation. The statistic is Student's t of the cluster
    means, so that metrics on different scales have equal weight (Westfall and Young 1993, algorithm
    4.1; Ge, Dudoit and Speed 2003, box 4). P-values count ties as extreme and include the identity.

    NaN means that the metric has no score on that example; the example is left out for that metric
    only. A metric with scores in fewer than two clusters gets NaN and does not enter the maximum; a
    metric with scores in only a few clusters costs the others power. All zero gives p = 1.

    As in the sign-flip test, cluster means are assumed to be jointly symmetric about zero under the
    null. With strong skew the test rejects too often (``benchmarks/calibration.py``), unlike Holm
    over ``infer_mean``; it is more powerful when metrics are similar and nearly symmetric.
    """
    matrix = np.asarray(differences, dtype=np.float64)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(f"differences has shape {matrix.shape}; (n_examples, n_metrics) needed")
    if np.isinf(matrix).any():
        raise ValueError(
            "differences contains an infinity; use finite numbers, or NaN for no score"
        )
    labels, codes = cluster_codes(clusters, len(matrix))
    means, n_scored = _cluster_mean_matrix(matrix, codes, len(labels))
    undecidable = n_scored < 2
    means[:, undecidable] = 0.0
    signs = sign_vectors(len(labels), n_permutations=n_permutations, rng=rng)
    observed = _t_squared(means.sum(axis=0), means, n_scored)
    flipped = _t_squared(signs @ means, means, n_scored)
    exact = is_exact(len(labels), n_permutations)
    p_value = _share(flipped, observed, exact)
    p_adjusted = _step_down(flipped, observed, exact)
    statistic = np.sign(means.sum(axis=0)) * np.sqrt(observed)
    for figures in (statistic, p_value, p_adjusted):
        figures[undecidable] = np.nan
    return MaxTResult(statistic, p_value, p_adjusted, len(labels), len(signs))


def _checked(p_values: ArrayLike) -> np.ndarray:
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1:
        raise ValueError(f"p_values has shape {p.shape}; a one-dimensional array is needed")
    bad = np.flatnonzero((p < 0) | (p > 1))
    if len(bad):
        raise ValueError(f"p_values[{bad[0]}] is {p[bad[0]]}; a p-value lies between 0 and 1")
    return p


def _cluster_mean_matrix(
    matrix: np.ndarray, codes: np.ndarray, n_clusters: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return cluster means, zero for a cluster without scores, and the number with scores."""
    scored = np.isfinite(matrix)
    sums, sizes = np.zeros((2, n_clusters, matrix.shape[1]))
    np.add.at(sums, codes, np.where(scored, matrix, 0.0))
    np.add.at(sizes, codes, scored)
    return sums / np.maximum(sizes, 1), (sizes > 0).sum(axis=0)


def _t_squared(sums: np.ndarray, means: np.ndarray, n_scored: np.ndarray) -> np.ndarray:
    """Return Student's t squared from sums of flipped cluster means.

    Flips do not change the sum of squares. The infinite t of a constant metric at the identity is
    replaced by a finite one, which serves only for the ordering.
    """
    squares = (means**2).sum(axis=0)
    n = np.maximum(n_scored, 2)
    share = sums**2 / (n * np.where(squares > 0, squares, 1.0))
    return share * (n - 1) / np.maximum(1 - share, TIE_TOLERANCE)


def _share(flipped: np.ndarray, observed: np.ndarray, exact: bool) -> np.ndarray:
    extreme = (flipped >= observed * (1 - 1e-9)).sum(axis=0)
    return extreme / len(flipped) if exact else (1 + extreme) / (1 + len(flipped))


def _step_down(flipped: np.ndarray, observed: np.ndarray, exact: bool) -> np.ndarray:
    order = np.argsort(-observed, kind="stable")
    successive = np.maximum.accumulate(flipped[:, order[::-1]], axis=1)[:, ::-1]
    adjusted = np.empty(len(order))
    adjusted[order] = np.maximum.accumulate(_share(successive, observed[order], exact))
    return adjusted
