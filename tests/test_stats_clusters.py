"""Clusters: means, the CR2 standard error, the intraclass correlation and the design effect."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from finllm.stats.clusters import (
    cluster_means,
    cluster_robust_mean,
    design_effect,
    finite_vector,
    intraclass_correlation,
)
from finllm.stats.paired_tests import paired_t_test


def test_cluster_means_are_in_the_order_of_sorted_labels():
    groups = cluster_means([1, 2, 3, 10], ["b", "a", "b", "c"])
    assert groups.labels == ("a", "b", "c")
    assert groups.means.tolist() == [2.0, 2.0, 10.0]
    assert groups.sizes.tolist() == [1, 2, 1]


def test_without_clusters_every_example_is_its_own():
    assert cluster_means([3.0, 1.0]).means.tolist() == [3.0, 1.0]


def test_icc_of_shrout_and_fleiss():
    # Shrout and Fleiss (1979), table 2: ICC(1,1) = .17; psych::ICC and pingouin print 0.165742.
    ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    targets = np.repeat(np.arange(6), 4)
    assert intraclass_correlation(np.ravel(ratings), targets) == pytest.approx(0.165742, abs=1e-6)


def test_icc_is_one_when_clusters_hold_copies_and_does_not_move_with_scale():
    values, clusters = [1.0, 1, 2, 2, 5, 5], list("aabbcc")
    assert intraclass_correlation(values, clusters) == pytest.approx(1.0)
    rng = np.random.default_rng(0)
    noise, codes = rng.normal(size=60), np.repeat(np.arange(12), 5)
    first = intraclass_correlation(noise, codes)
    assert intraclass_correlation(7 - 3 * noise, codes) == pytest.approx(first)


def test_icc_is_nan_where_no_cluster_repeats():
    assert np.isnan(intraclass_correlation([1.0, 2.0, 3.0], list("abc")))


def test_design_effect_of_kish():
    # Kish (1965): 1 + (m - 1) rho; ten per cluster at 0.05 is 1.45.
    assert design_effect(np.repeat(np.arange(7), 10), 0.05) == pytest.approx(1.45)
    assert design_effect(["a", "b"], 0.9) == 1.0
    assert design_effect(["a", "a"], -0.3) == 1.0


def test_cr2_with_equal_clusters_is_the_t_of_cluster_means():
    rng = np.random.default_rng(1)
    values, codes = rng.normal(size=40) + np.repeat(rng.normal(size=8), 5), np.repeat(range(8), 5)
    robust = cluster_robust_mean(values, codes)
    means = values.reshape(8, 5).mean(axis=1)
    assert robust.df == pytest.approx(7)
    assert robust.standard_error == pytest.approx(scipy.stats.sem(means))


def test_cr2_of_singletons_is_the_ordinary_standard_error():
    values = [3.0, 1.0, 4.0, 1.0, 5.0]
    robust = cluster_robust_mean(values)
    assert robust.standard_error == pytest.approx(scipy.stats.sem(values))
    assert robust.df == pytest.approx(4)


def test_cr2_of_unequal_clusters_against_the_matrix_formula():
    # Bell and McCaffrey (2002) written out with matrices, for an intercept-only model.
    values, codes = np.arange(10.0) ** 1.5, np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 3])
    n = len(values)
    residual_maker = np.eye(n) - np.ones((n, n)) / n
    residuals, total, columns = residual_maker @ values, 0.0, []
    for k in range(4):
        inside = codes == k
        block = residual_maker[np.ix_(inside, inside)]
        roots, vectors = np.linalg.eigh(block)
        adjust = vectors @ np.diag(roots**-0.5) @ vectors.T
        total += (adjust @ residuals[inside]).sum() ** 2
        columns.append(residual_maker[:, inside] @ adjust @ np.ones(inside.sum()) / n)
    gram = np.array(columns) @ np.array(columns).T
    robust = cluster_robust_mean(values, codes)
    assert robust.standard_error == pytest.approx(np.sqrt(total) / n)
    assert robust.df == pytest.approx(np.trace(gram) ** 2 / (gram**2).sum())


@given(st.integers(0, 10_000))
def test_the_order_of_examples_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    values, codes = rng.normal(size=30), rng.integers(0, 7, 30)
    order = rng.permutation(30)
    before, after = paired_t_test(values, codes), paired_t_test(values[order], codes[order])
    assert after.p_value == pytest.approx(before.p_value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named_with_its_position(bad):
    with pytest.raises(ValueError, match=r"differences\[1\]"):
        cluster_means([0.0, bad])


def test_shapes_and_lengths_are_checked():
    with pytest.raises(ValueError, match="has 0 values; at least 1"):
        cluster_means([])
    with pytest.raises(ValueError, match=r"shape \(1, 2\)"):
        finite_vector([[1.0, 2.0]], "scores")
    with pytest.raises(ValueError, match="3 labels for 2"):
        cluster_means([1.0, 2.0], list("abc"))
    with pytest.raises(ValueError, match=r"clusters\[1\] is None"):
        cluster_means([1.0, 2.0], ["a", None])


def test_one_company_alone_is_refused_in_words():
    with pytest.raises(ValueError, match="variation between companies"):
        cluster_robust_mean([1.0, 2.0, 3.0], ["a", "a", "a"])
