"""Agreement and rank correlation against Krippendorff, R, statsmodels and scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finllm.stats.agreement import cohen_kappa, krippendorff_alpha
from finllm.stats.association import kendall, spearman

NONE = np.nan
# Krippendorff (2011), "Computing Krippendorff's alpha-reliability", section C: reliability data of
# four observers and twelve units.
RATINGS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NONE, NONE, NONE],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NONE, 3],
    [NONE, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NONE],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NONE],
]
# R: example(cor.test), tuna quality of Hollander and Wolfe (1973).
LIGHTNESS = [44.4, 45.9, 41.9, 53.3, 44.7, 44.1, 50.7, 45.2, 60.1]
PANEL = [2.6, 3.1, 2.5, 5.0, 3.6, 4.0, 5.2, 2.8, 3.8]


def alpha_of(ratings, level="nominal", seed=0, n_bootstrap=500):
    return krippendorff_alpha(
        ratings, level=level, n_bootstrap=n_bootstrap, rng=np.random.default_rng(seed)
    )


def ratings_from_table(table):
    cells = [(i, j) for i, row in enumerate(table) for j, n in enumerate(row) for _ in range(n)]
    return [i for i, _ in cells], [j for _, j in cells]


@pytest.mark.parametrize(
    ("level", "alpha"),
    # The paper prints .743, .815, .849 and .797; krippendorff 0.9 the further digits.
    [
        ("nominal", 0.743421052631579),
        ("ordinal", 0.8153875037548814),
        ("interval", 0.8491071428571428),
        ("ratio", 0.7974027747116121),
    ],
)
def test_alpha_of_krippendorffs_own_example(level, alpha):
    result = alpha_of(RATINGS, level)
    assert result.estimate == pytest.approx(alpha, abs=1e-12)
    assert result.n_units == 11  # the last unit has one rating
    assert result.low < result.estimate < result.high <= 1


def test_alpha_is_one_for_copies_and_does_not_depend_on_the_order_of_raters():
    assert alpha_of([[1, 2, 3], [1, 2, 3]]).estimate == 1.0
    assert alpha_of(RATINGS[::-1], "ordinal").estimate == alpha_of(RATINGS, "ordinal").estimate


def test_interval_alpha_does_not_depend_on_the_scale():
    moved = alpha_of(10 - 3 * np.array(RATINGS), "interval")
    assert moved.estimate == pytest.approx(alpha_of(RATINGS, "interval").estimate)


def test_alpha_of_unvarying_ratings_is_nan_and_bad_ratings_are_refused():
    assert np.isnan(alpha_of([[2, 2], [2, 2]]).estimate)
    with pytest.raises(ValueError, match="no unit has two ratings"):
        alpha_of([[1, NONE], [NONE, 2]])
    with pytest.raises(ValueError, match="one of nominal, ordinal"):
        alpha_of(RATINGS, "cardinal")
    with pytest.raises(ValueError, match="at least 2 raters"):
        alpha_of([[1, 2, 3]])


@pytest.mark.parametrize(
    ("table", "kappa", "low", "high"),
    # statsmodels 0.15: cohens_kappa(table), .kappa, .kappa_low, .kappa_upp
    [
        ([[20, 5], [10, 15]], 0.4, 0.1510923, 0.6489077),
        ([[45, 15], [25, 15]], 0.1304348, -0.0629383, 0.3238078),
        ([[25, 35], [5, 35]], 0.2592593, 0.1080290, 0.4104895),
    ],
)
def test_kappa_of_two_by_two_tables(table, kappa, low, high):
    result = cohen_kappa(*ratings_from_table(table), labels=[0, 1])
    assert (result.estimate, result.low, result.high) == pytest.approx((kappa, low, high), abs=1e-7)


@pytest.mark.parametrize(
    ("weights", "kappa", "low", "high"),
    # statsmodels 0.15: cohens_kappa(table, wt=None | "linear" | "quadratic")
    [
        ("none", 0.4285714, 0.2796949, 0.5774480),
        ("linear", 0.4923077, 0.3517255, 0.6328899),
        ("quadratic", 0.5666667, 0.4123703, 0.7209631),
    ],
)
def test_weighted_kappa_of_a_three_by_three_table(weights, kappa, low, high):
    first, second = ratings_from_table([[53, 5, 2], [11, 14, 5], [1, 6, 3]])
    result = cohen_kappa(first, second, labels=[0, 1, 2], weights=weights)
    assert (result.estimate, result.low, result.high) == pytest.approx((kappa, low, high), abs=1e-7)


def test_kappa_of_words():
    # scikit-learn documentation, sklearn.metrics.cohen_kappa_score: 0.6875
    first = ["negative", "positive", "negative", "neutral", "positive"]
    second = ["negative", "positive", "negative", "neutral", "negative"]
    labels = ["negative", "neutral", "positive"]
    assert cohen_kappa(first, second, labels=labels).estimate == pytest.approx(0.6875)


def test_a_label_in_the_middle_of_the_scale_changes_weighted_kappa_only():
    first, second = [1, 1, 3, 3, 5, 5, 1], [1, 3, 3, 5, 5, 5, 1]
    short, full = [1, 3, 5], [1, 2, 3, 4, 5]
    same = [cohen_kappa(first, second, labels=scale).estimate for scale in (short, full)]
    assert same[0] == pytest.approx(same[1])
    first, second = [1, 1, 3, 3, 4, 4, 1], [3, 1, 3, 4, 4, 4, 1]
    differs = [
        cohen_kappa(first, second, labels=scale, weights="quadratic").estimate
        for scale in ([1, 3, 4], [1, 2, 3, 4])
    ]
    assert differs[0] != pytest.approx(differs[1], abs=0.01)


def test_kappa_of_one_label_only_is_nan_and_unknown_ratings_are_named():
    assert np.isnan(cohen_kappa(["a"] * 4, ["a"] * 4, labels=["a", "b"]).estimate)
    with pytest.raises(ValueError, match="rating 'c' is not among"):
        cohen_kappa(["a", "c"], ["a", "b"], labels=["a", "b"])
    with pytest.raises(ValueError, match="at least two distinct labels are needed"):
        cohen_kappa(["a"], ["a"], labels=["a", "a"])


def test_spearman_of_scipys_example():
    # docs.scipy.org, scipy.stats.spearmanr: 0.8207826816681233, p = 0.08858700531354381
    result = spearman([1, 2, 3, 4, 5], [5, 6, 7, 8, 7])
    assert result.estimate == pytest.approx(0.8207826816681233)
    assert result.p_value == pytest.approx(0.08858700531354381)


def test_kendall_of_scipys_example_with_ties():
    # docs.scipy.org, scipy.stats.kendalltau: -0.47140452079103173, p = 0.2827454599327748
    result = kendall([12, 2, 1, 12, 2], [1, 4, 7, 1, 0])
    assert result.estimate == pytest.approx(-0.47140452079103173)
    assert result.p_value == pytest.approx(0.2827454599327748)


def test_rank_correlations_of_tuna():
    # R: cor.test(x, y, method = "kendall"): T = 26, tau = 0.4444444, two-sided p = 0.1194
    assert kendall(LIGHTNESS, PANEL).estimate == pytest.approx(0.4444444)
    assert kendall(LIGHTNESS, PANEL).p_value == pytest.approx(0.1194, abs=5e-5)
    assert spearman(LIGHTNESS, PANEL).estimate == pytest.approx(0.6)


def test_spearmans_interval_is_bonett_and_wrights():
    # Bonett and Wright (2000), equation 6, by hand: atanh(.6) -+ 1.959964 sqrt((1 + .18) / 6)
    result = spearman(LIGHTNESS, PANEL)
    reach = 1.959963985 * np.sqrt(1.18 / 6)
    assert result.low == pytest.approx(np.tanh(np.arctanh(0.6) - reach))
    assert result.high == pytest.approx(np.tanh(np.arctanh(0.6) + reach))


@given(st.integers(0, 1000))
def test_rank_correlations_are_symmetric_and_odd(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=12), rng.normal(size=12)
    for correlate in (spearman, kendall):
        base = correlate(x, y)
        assert correlate(y, x).estimate == pytest.approx(base.estimate)
        assert correlate(np.exp(x), -y).estimate == pytest.approx(-base.estimate)


def test_constant_sides_give_nan_and_short_ones_no_interval():
    assert np.isnan(spearman([1, 1, 1], [1, 2, 3]).estimate)
    assert np.isnan(spearman([1, 2, 3], [1, 3, 2]).low)
    assert kendall([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]).estimate == pytest.approx(1.0)
    with pytest.raises(ValueError, match="pairs are needed"):
        kendall([1, 2, 3], [1, 2, 3, 4])


def test_without_a_generator_alpha_has_no_interval_and_plain_kappa_needs_no_scale():
    found = krippendorff_alpha(RATINGS)
    assert (
        found.estimate == pytest.approx(0.743421052631579)
        and np.isnan([found.low, found.high]).all()
    )
    first, second = ratings_from_table([[20, 5], [10, 15]])
    assert cohen_kappa(first, second).estimate == pytest.approx(0.4)
    with pytest.raises(ValueError, match="labels is None; linear weights need the whole scale"):
        cohen_kappa(first, second, weights="linear")
