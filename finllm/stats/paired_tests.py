"""Tests of a mean paired difference, tuned minus base, with the company as the unit."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike

from finllm.stats.clusters import cluster_means, is_constant, require_clusters

# Sums of the same numbers in another order differ by rounding; ties must stay ties.
TIE_TOLERANCE = 1e-12


@dataclass(frozen=True)
class TestResult:
    """Result of a two-sided test of n examples in n_clusters independent clusters."""

    __test__ = False  # not a test for pytest to collect

    statistic: float
    p_value: float
    n: int
    n_clusters: int


@dataclass(frozen=True)
class PermutationResult:
    """Result of a sign-flip test; ``exact`` if all sign vectors were counted."""

    statistic: float
    p_value: float
    n: int
    n_clusters: int
    n_permutations: int
    exact: bool


@dataclass(frozen=True)
class TestChoice:
    """Test chosen by the selection rule, with the reason."""

    __test__ = False

    test: str  # "paired_t_test" or "sign_flip_permutation_test"
    reason: str
    n_clusters: int
    shapiro_p_value: float
    tie_share: float


def paired_t_test(differences: ArrayLike, clusters: Sequence[Hashable] | None = None) -> TestResult:
    """Run Student's paired t-test on cluster means: ``t = mean / (sd / sqrt(K))``, K - 1 df.

    Student (1908), "The probable error of a mean". Without ``clusters`` each example is a cluster,
    and this is the usual paired t-test.

    Clusters are assumed to be independent and the mean of cluster means to be nearly normal. Do not
    trust the test below about ten clusters with skewed differences, nor without ``clusters`` if
    several examples come from one company: at a nominal 5 % that rejected 21 to 27 % of true nulls.
    If all differences are zero, the statistic is 0 and p is 1. If all are equal but not zero, both
    are NaN, since nothing varies; the sign-flip test still gives a result.

    Raises
    ------
    ValueError
        For NaN, infinities, or fewer than two clusters.
    """
    groups = cluster_means(differences, clusters)
    n, k = int(groups.sizes.sum()), len(groups.means)
    require_clusters(k, at_least=2)
    if is_constant(groups.means):
        zero = not groups.means.any()
        return TestResult(*((0.0, 1.0) if zero else (float("nan"),) * 2), n, k)
    statistic = groups.means.mean() / (groups.means.std(ddof=1) / np.sqrt(k))
    p_value = 2 * scipy.stats.t.sf(abs(statistic), k - 1)
    return TestResult(float(statistic), float(p_value), n, k)


def wilcoxon_signed_rank(
    differences: ArrayLike, clusters: Sequence[Hashable] | None = None
) -> TestResult:
    """Run Wilcoxon's signed-rank test on the cluster means.

    Wilcoxon (1945), "Individual comparisons by ranking methods". Conventions: zeros are dropped
    before ranking (as by Wilcoxon; Pratt keeps them); ties get mid-ranks; the statistic is W+, the
    sum of the positive ranks (R's V; scipy's two-sided statistic is min(W+, W-)). The p-value is
    scipy's two-sided 2 x min(tail): exact up to 50 values without ties, exact by enumeration up
    to 13 with ties, otherwise normal with the tie correction and *without* continuity correction
    (R corrects by default: ``correct=FALSE`` gives this p-value).

    The test asks whether the differences are symmetric about zero, not whether their mean is zero:
    on skewed differences with mean zero it rejected 65 to 100 % of the time at n = 200. It is
    reported for comparison; draw no conclusions from it if the differences are skewed. All zero
    gives p = 1.
    """
    groups = cluster_means(differences, clusters)
    n, k = int(groups.sizes.sum()), len(groups.means)
    largest = np.abs(groups.means).max()
    if largest == 0:
        return TestResult(0.0, 1.0, n, k)
    scaled = np.round(groups.means / largest, 12)
    scaled = scaled[scaled != 0]
    ranks = scipy.stats.rankdata(np.abs(scaled))
    result = scipy.stats.wilcoxon(scaled, zero_method="wilcox", correction=False, method="auto")
    return TestResult(float(ranks[scaled > 0].sum()), float(result.pvalue), n, k)


def sign_vectors(n_clusters: int, *, n_permutations: int, rng: np.random.Generator) -> np.ndarray:
    """Return rows of +1 and -1: all 2^K if at most ``n_permutations``, otherwise random ones.

    The first row of an enumeration is the identity; random rows contain it only by chance.
    """
    if n_permutations < 1:
        raise ValueError(f"n_permutations is {n_permutations}; at least 1 is needed")
    if is_exact(n_clusters, n_permutations):
        numbers = np.arange(2**n_clusters)[:, None]
        return 1.0 - 2.0 * ((numbers >> np.arange(n_clusters)) & 1)
    flips = rng.integers(0, 2, size=(n_permutations, n_clusters), dtype=np.int8)
    return 1.0 - 2.0 * flips


def is_exact(n_clusters: int, n_permutations: int) -> bool:
    """Return whether the number of all sign vectors is at most ``n_permutations``."""
    return n_clusters < 60 and 2**n_clusters <= n_permutations


def sign_flip_permutation_test(
    differences: ArrayLike,
    n_permutations: int,
    rng: np.random.Generator,
    clusters: Sequence[Hashable] | None = None,
) -> PermutationResult:
    """Run the sign-flip test of the mean of cluster means.

    Fisher (1935), "The Design of Experiments", section 21. The signs of whole clusters are flipped,
    and the p-value is the share of flips whose mean is at least as far from zero (two-sided). Ties
    count as extreme (within rounding) and the identity is included: ``(1 + b) / (1 + B)`` for B
    random flips, ``b / 2^K`` over all of them when 2^K is at most ``n_permutations`` (Phipson and
    Smyth 2010, "Permutation p-values should never be zero", equation 2). Since the sum of squares
    does not change with signs, the mean and Student's t order the flips in the same way.

    The test is exact if cluster means are symmetric about zero under the null; for a null of mean
    zero with skew it is approximate and close to the t-test. With K clusters the smallest possible
    p is 2 / 2^K, so five clusters can never reach 0.05. All zero, or one cluster, gives p = 1.
    """
    groups = cluster_means(differences, clusters)
    k = len(groups.means)
    signs = sign_vectors(k, n_permutations=n_permutations, rng=rng)
    observed = groups.means.mean()
    slack = TIE_TOLERANCE * np.abs(groups.means).mean()
    n_extreme = int((np.abs(signs @ groups.means) / k >= abs(observed) - slack).sum())
    exact = is_exact(k, n_permutations)
    p_value = n_extreme / len(signs) if exact else (1 + n_extreme) / (1 + len(signs))
    return PermutationResult(
        float(observed), float(p_value), int(groups.sizes.sum()), k, len(signs), exact
    )


def shapiro_wilk(differences: ArrayLike, clusters: Sequence[Hashable] | None = None) -> TestResult:
    """Run the Shapiro-Wilk test of normality on the cluster means of the differences.

    Shapiro and Wilk (1965), by Royston's algorithm AS R94. Apply it to the differences, never to
    the two arms. It has little power below 20 values and rejects harmless departures above 200: use
    it to describe, not to select a test. Its p-value is unreliable beyond 5,000 values, so only the
    first 5,000 cluster means are tested. If all cluster means are equal, statistic and p-value are
    NaN.

    Raises
    ------
    ValueError
        With fewer than three clusters.
    """
    groups = cluster_means(differences, clusters)
    n, k = int(groups.sizes.sum()), len(groups.means)
    require_clusters(k, at_least=3)
    if is_constant(groups.means):
        return TestResult(float("nan"), float("nan"), n, k)
    # Beyond 5,000 values scipy warns that its p-value may be inaccurate.
    result = scipy.stats.shapiro(groups.means[:5000])
    return TestResult(float(result.statistic), float(result.pvalue), n, k)


def choose_test(
    differences: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    *,
    alpha: float = 0.05,
    n_large: int = 30,
) -> TestChoice:
    """Choose a test by sample size, normality and ties, with the reason in words.

    With fewer than three clusters or equal cluster means it is the sign-flip test, which like the
    t-test concerns the mean. Otherwise it is the paired t-test above ``n_large`` clusters. Up to
    ``n_large`` it is the t-test if Shapiro-Wilk does not reject and at most half of the cluster
    means are tied, otherwise the sign-flip test. Wilcoxon's test is never chosen: it concerns
    symmetry, and selecting it by Shapiro-Wilk would not change that.

    The choice is descriptive and the verdict does not depend on it: a test chosen after a look at
    the data no longer has its nominal level. The default procedure uses one test throughout.
    """
    groups = cluster_means(differences, clusters)
    k = len(groups.means)
    tie_share = 1 - len(np.unique(np.round(groups.means, 12))) / k
    if k < 3 or is_constant(groups.means):
        reason = f"{k} cluster(s)" if k < 3 else "all cluster means are equal"
        return TestChoice(
            "sign_flip_permutation_test",
            f"{reason}: normality cannot be judged",
            k,
            float("nan"),
            float(tie_share),
        )
    normality = shapiro_wilk(groups.means).p_value
    if k > n_large:
        test, reason = "paired_t_test", f"{k} clusters, above {n_large}: the mean is near normal"
    elif normality < alpha:
        test = "sign_flip_permutation_test"
        reason = f"{k} clusters, at most {n_large}, and Shapiro-Wilk rejects normality"
    elif tie_share > 0.5:
        test = "sign_flip_permutation_test"
        reason = f"{k} clusters, at most {n_large}, and more than half of the means are tied"
    else:
        test = "paired_t_test"
        reason = f"{k} clusters, and Shapiro-Wilk does not reject normality at {alpha}"
    return TestChoice(test, reason, k, float(normality), float(tie_share))
