"""Tests of a mean paired difference against R, scipy's documentation and full enumeration."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finllm.stats.paired_tests import (
    choose_test,
    paired_t_test,
    shapiro_wilk,
    sign_flip_permutation_test,
    wilcoxon_signed_rank,
)

# R: with(sleep, extra[group == 2] - extra[group == 1])
SLEEP = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
# Darwin's maize, Fisher (1935), section 17: eighths of an inch, crossed minus self-fertilised.
DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
# R: example(wilcox.test), depression scores of Hollander and Wolfe (1973), x - y.
DEPRESSION = [0.952, -0.147, 1.022, 0.43, 0.62, 0.59, 0.49, -0.08, 0.01]


def flip(differences, clusters=None, n_permutations=99_999, seed=0):
    return sign_flip_permutation_test(
        differences, n_permutations, np.random.default_rng(seed), clusters
    )


def test_t_of_students_sleep():
    # R: t.test(extra ~ group, data = sleep, paired = TRUE): t = -4.0621, df = 9, p = 0.002833
    result = paired_t_test(SLEEP)
    assert result.statistic == pytest.approx(4.0621, abs=5e-5)
    assert result.p_value == pytest.approx(0.002833, abs=5e-7)
    assert (result.n, result.n_clusters) == (10, 10)


def test_t_of_darwins_maize():
    # Fisher (1935), section 17: t = 2.148 with 14 df; scipy.stats.ttest_1samp: p = 0.049703
    result = paired_t_test(DARWIN)
    assert result.statistic == pytest.approx(2.148, abs=5e-4)
    assert result.p_value == pytest.approx(0.049703, abs=5e-7)


def test_t_with_clusters_is_the_t_of_cluster_means():
    doubled, codes = np.repeat(SLEEP, 2) + np.tile([0.5, -0.5], 10), np.repeat(range(10), 2)
    clustered, plain = paired_t_test(doubled, codes), paired_t_test(SLEEP)
    assert clustered.p_value == pytest.approx(plain.p_value)
    assert (clustered.n, clustered.n_clusters) == (20, 10)


def test_copies_of_a_row_are_no_new_evidence_once_clusters_are_named():
    copied, codes = np.repeat(SLEEP, 7), np.repeat(range(10), 7)
    assert paired_t_test(copied).p_value < 1e-10
    assert paired_t_test(copied, codes).p_value == pytest.approx(paired_t_test(SLEEP).p_value)


@given(st.floats(0.001, 1000), st.integers(0, 1000))
def test_t_keeps_its_p_value_under_scale_and_swaps_sign_with_the_arms(scale, seed):
    differences = np.random.default_rng(seed).normal(0.3, 1, 15)
    base, scaled = paired_t_test(differences), paired_t_test(-scale * differences)
    assert scaled.statistic == pytest.approx(-base.statistic)
    assert scaled.p_value == pytest.approx(base.p_value)


def test_degenerate_differences_have_defined_answers():
    assert (paired_t_test([0.0] * 4).statistic, paired_t_test([0.0] * 4).p_value) == (0.0, 1.0)
    assert np.isnan(paired_t_test([0.1] * 30).p_value)
    assert wilcoxon_signed_rank([0.0, 0.0]).p_value == 1.0
    assert flip([0.0] * 9).p_value == 1.0
    assert flip([0.1] * 9).p_value == 2 / 2**9
    assert np.isnan(shapiro_wilk([2.0] * 5).p_value)
    assert paired_t_test([1.0, 2.0]).n == 2


def test_too_few_clusters_are_refused():
    with pytest.raises(ValueError, match="at least 2"):
        paired_t_test([1.0])
    with pytest.raises(ValueError, match="at least 3"):
        shapiro_wilk([1.0, 2.0])
    assert flip([1.0, 2.0], ["a", "a"]).p_value == 1.0


def test_wilcoxon_of_darwins_maize():
    # docs.scipy.org, scipy.stats.wilcoxon: statistic=24.0, pvalue=0.041259765625 (min of W+, W-)
    result = wilcoxon_signed_rank(DARWIN)
    assert result.statistic == 15 * 16 / 2 - 24
    assert result.p_value == pytest.approx(0.041259765625, abs=1e-12)


def test_wilcoxon_of_the_depression_scores():
    # R: wilcox.test(x, y, paired = TRUE, alternative = "greater"): V = 40, p-value = 0.01953
    result = wilcoxon_signed_rank(DEPRESSION)
    assert result.statistic == 40
    assert result.p_value == pytest.approx(2 * 0.01953125)


def test_wilcoxon_drops_zeros_and_counts_rounded_ties_as_ties():
    # All nine non-zero sleep differences are positive: exact p = 2 / 2^9, W+ = 45.
    result = wilcoxon_signed_rank(SLEEP)
    assert (result.statistic, result.p_value) == (45.0, pytest.approx(2 / 512))
    tied = wilcoxon_signed_rank([0.1 + 0.2, -0.3, 0.5])
    assert tied.statistic == 1.5 + 3


def test_wilcoxon_with_ties_against_full_enumeration():
    differences = np.array([1, 1, 2, -1, 3, -2, 2, 4, 5.0])
    ranks = np.array([2, 2, 5, 2, 7, 5, 5, 8, 9.0])
    sums = [np.dot(ranks, signs) for signs in itertools.product([0, 1], repeat=9)]
    observed = ranks[differences > 0].sum()
    upper, lower = np.mean(np.array(sums) >= observed), np.mean(np.array(sums) <= observed)
    result = wilcoxon_signed_rank(differences)
    assert result.statistic == observed
    assert result.p_value == pytest.approx(2 * min(upper, lower))


def test_fishers_own_randomisation_of_darwins_maize():
    # Fisher (1935), section 21: 863 of 32,768 sign vectors have a total as large; two-sided 1,726.
    result = flip(DARWIN)
    assert result.exact
    assert result.p_value == 1726 / 32768
    assert result.statistic == pytest.approx(314 / 15)


def test_sign_flip_flips_whole_clusters():
    differences, clusters = np.array([1.0, 2, 3, -1, 4, 5, 6.5]), list("aabbccd")
    means = np.array([1.5, 1.0, 4.5, 6.5])
    totals = [abs(np.dot(means, s)) for s in itertools.product([1, -1], repeat=4)]
    expected = np.mean(np.array(totals) >= abs(means.sum()) - 1e-9)
    result = flip(differences, clusters)
    assert (result.p_value, result.n_clusters, result.n_permutations) == (expected, 4, 16)


def test_five_clusters_never_reach_five_per_cent():
    assert flip([5.0, 6, 7, 8, 9]).p_value == 2 / 2**5


def test_random_flips_approach_the_exact_answer_and_are_never_zero():
    sampled = flip(DARWIN, n_permutations=20_000)
    assert not sampled.exact
    assert sampled.p_value == pytest.approx(1726 / 32768, abs=4 * 0.0016)
    assert flip(np.ones(200), n_permutations=99).p_value == 1 / 100


def test_ties_count_as_extreme_whatever_the_rounding():
    # 0.1 + 0.2 - 0.3 is 5.6e-17: every sum is a tie with another, up to that.
    assert flip([0.1, 0.2, -0.3]).p_value == 1.0
    tenths = np.array([1, 2, 3, 3, 2, -1, 1, -2, 3, -3])
    assert flip(tenths / 10).p_value == flip(tenths).p_value


def test_the_same_generator_gives_the_same_p_value():
    differences = np.random.default_rng(3).normal(size=50)
    assert flip(differences, seed=5) == flip(differences, seed=5)


def test_shapiro_wilk_of_the_sleep_differences():
    # R: shapiro.test(with(sleep, extra[group == 2] - extra[group == 1])): W = 0.82987, p = 0.03334
    result = shapiro_wilk(SLEEP)
    assert result.statistic == pytest.approx(0.82987, abs=5e-6)
    assert result.p_value == pytest.approx(0.03334, abs=5e-6)


def test_the_choice_names_its_reason_and_never_wilcoxon():
    rng = np.random.default_rng(0)
    assert choose_test(SLEEP).test == "sign_flip_permutation_test"
    assert "Shapiro-Wilk rejects" in choose_test(SLEEP).reason
    assert choose_test(rng.normal(size=15)).test == "paired_t_test"
    assert choose_test(rng.exponential(size=31)).test == "paired_t_test"
    assert "above 30" in choose_test(rng.exponential(size=31)).reason
    assert choose_test([1.0, 2.0]).test == "sign_flip_permutation_test"
    assert "cannot be judged" in choose_test([1.0] * 8).reason


def test_permutations_below_one_are_refused():
    with pytest.raises(ValueError, match="n_permutations is 0"):
        flip(SLEEP, n_permutations=0)


def test_rows_taken_for_companies_reject_true_nulls_four_times_too_often():
    rng, codes = np.random.default_rng(11), np.repeat(range(20), 8)
    rows = companies = flips = 0
    for seed in range(400):
        differences = np.sqrt(0.3) * rng.normal(size=20)[codes] + np.sqrt(0.7) * rng.normal(
            size=160
        )
        rows += paired_t_test(differences).p_value < 0.05
        companies += paired_t_test(differences, codes).p_value < 0.05
        flips += flip(differences, codes, n_permutations=199, seed=seed).p_value <= 0.05
    assert rows / 400 > 0.18
    # Binomial(400, 0.05) lies in [0.02, 0.085] with probability 0.998.
    assert 0.02 <= companies / 400 <= 0.085
    assert 0.02 <= flips / 400 <= 0.085


def test_wilcoxon_rejects_skewed_differences_whose_mean_is_zero():
    rng = np.random.default_rng(12)
    rejected = [
        wilcoxon_signed_rank(rng.exponential(size=200) - 1).p_value < 0.05 for _ in range(60)
    ]
    assert np.mean(rejected) > 0.5
