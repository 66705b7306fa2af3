"""Corrections for multiple metrics with one family-wise error rate."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from finllm.stats.clusters import cluster_codes
from finllm.stats.paired_tests import TIE_TOLERANCE, is_exact, sign_vectors

COPYING_SHARE = 0.5  # of the error rate behind the primary's gate: "better than copying?"


@dataclass(frozen=True)
class MaxTResult:
    """Per metric, in input order: Student's t, its own p and the family-wise one."""

    statistic: np.ndarray
    p_value: np.ndarray
    p_adjusted: np.ndarray
    n_clusters: int
    n_permutations: int


def bonferroni(p_values: ArrayLike) -> np.ndarray:
    """``min(1, m p)``: below alpha exactly when p is below alpha / m (Bonferroni 1936).

    Holds for any dependence. A NaN (a test that could not be made) stays NaN and is not counted
    in m. Conservative when metrics are alike, as ROUGE-1 and ROUGE-L are: see max_t_permutation.
    """
    p = _checked(p_values)
    return np.minimum(1.0, p * np.isfinite(p).sum())


def holm(p_values: ArrayLike) -> np.ndarray:
    """Holm's step-down: the running maximum of ``(m - i + 1) p_(i)``, in input order.

    Holm (1979), "A simple sequentially rejective multiple test procedure". Holds for any
    dependence and never rejects less than Bonferroni. NaN stays NaN and is not counted.
    """
    p = _checked(p_values)
    adjusted = np.full(len(p), np.nan)
    order = np.argsort(p, kind="stable")[: np.isfinite(p).sum()]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * p[order]))
    return adjusted


def benjamini_hochberg(p_values: ArrayLike) -> np.ndarray:
    """Benjamini and Hochberg's step-up: the running minimum of ``m p_(i) / i`` from the top.

    Benjamini and Hochberg (1995). Controls the *false discovery rate*, the expected share of
    false claims among the claims, for independent or positively dependent tests. Not the chance
    of any false claim: do not use it for a verdict. NaN stays NaN and is not counted.
    """
    p = _checked(p_values)
    adjusted = np.full(len(p), np.nan)
    order = np.argsort(p, kind="stable")[: np.isfinite(p).sum()]
    scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return adjusted


def gatekeep(primary_p_value: float, secondary_p_adjusted: ArrayLike) -> np.ndarray:
    """Secondary p-values that count only once the primary test has rejected.

    ``max(p_primary, p_adjusted)`` (fixed-sequence testing: Maurer, Hothorn and Lehmacher 1995;
    Westfall and Krishen 2001). With the primary at alpha and the secondaries adjusted among
    themselves, the chance of *any* false claim is then at most alpha, not twice that. A primary
    that is NaN opens no gate: all NaN.
    """
    p = _checked(secondary_p_adjusted)
    return np.maximum(_checked([primary_p_value])[0], p)


def gatekept_share(primary_p_value: float, p_value: float, *, share: float) -> float:
    """The p-value of one question behind the primary's gate that has a share of the error rate.

    ``max(p_primary, min(1, p / share))``: Bonferroni with weights among the families behind a gate
    (Bretz, Maurer, Brannath and Posch 2009). With shares that add up to one the chance of any false
    claim stays alpha.
    """
    if not 0 < share <= 1:
        raise ValueError(f"the share is {share}; above 0 and at most 1 is needed")
    return float(gatekeep(primary_p_value, np.minimum(1.0, _checked([p_value]) / share))[0])


def gatekept_bonferroni(
    primary_p_value: float, secondary_p_values: ArrayLike, *, share: float = 1.0
) -> np.ndarray:
    """The correction of the default procedure: the primary's p-value, then those of the others.

    The primary metric, named before the run, is tested alone; the others by Bonferroni among
    themselves, behind the primary's gate (see ``gatekeep``), with the ``share`` of the error rate
    that is theirs (see ``gatekept_share``). ``compare`` reports these p-values and
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
    """Westfall and Young's step-down max-T over metrics, by flipping whole clusters.

    ``differences`` has shape (n_examples, n_metrics). Every flip is one sign per cluster, shared
    by all metrics, so that their correlation is kept; the statistic is Student's t of the cluster
    means, so that a metric in points and one in per cent weigh the same (Westfall and Young 1993,
    algorithm 4.1; Ge, Dudoit and Speed 2003, box 4). P-values count ties as extreme and include
    the identity.

    NaN means that the metric has no score on that example, and the example is left out for that
    metric only; a metric with scores in fewer than two clusters gets NaN and takes no part in the
    maximum; one with scores in a few only costs the others power. All zero gives p = 1.

    Assumes, as the sign-flip test does, that cluster means are jointly symmetric about zero under
    the null. Under strong skew it rejects too often (``benchmarks/calibration.py``), where Holm
    over ``infer_mean`` does not; it is the sharper one when metrics are alike and near symmetric.
    """
    matrix = np.asarray(differences, dtype=np.float64)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(f"differences has shape {matrix.shape}; (n_examples, n_metrics) needed")
    if np.isinf(matrix).any():
        raise ValueError("differences holds an infinity; finite numbers, or NaN for no score")
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
    """Cluster means with zeros where a cluster has no score, and how many have one."""
    scored = np.isfinite(matrix)
    sums, sizes = np.zeros((2, n_clusters, matrix.shape[1]))
    np.add.at(sums, codes, np.where(scored, matrix, 0.0))
    np.add.at(sizes, codes, scored)
    return sums / np.maximum(sizes, 1), (sizes > 0).sum(axis=0)


def _t_squared(sums: np.ndarray, means: np.ndarray, n_scored: np.ndarray) -> np.ndarray:
    """Student's t squared from sums of flipped cluster means; the sum of squares never changes.

    A constant metric has an infinite t at the identity; it is kept finite, for the ordering only.
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
