"""Published values that the library must give, each with its source, and identities between them.

Beside these, the modules' own tests hold reference values next to what they test.
"""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from finllm.stats.agreement import cohen_kappa
from finllm.stats.association import kendall, spearman
from finllm.stats.bayes_factor import jzs_bayes_factor, jzs_from_t
from finllm.stats.clusters import intraclass_correlation
from finllm.stats.effects import cohens_d_z, common_language_effect_size
from finllm.stats.inference import infer_mean
from finllm.stats.multiplicity import benjamini_hochberg, bonferroni, holm
from finllm.stats.paired_tests import (
    paired_t_test,
    shapiro_wilk,
    sign_flip_permutation_test,
    wilcoxon_signed_rank,
)
from finllm.stats.posterior import hdi
from finllm.stats.power import power_paired_t, required_n

NAN = float("nan")
# R: p.adjust, as pingouin 0.7 pins it in tests/test_multicomp.py.
FIVE = [0.52, 0.12, 0.0001, 0.03, 0.14]
LARGE = [0.52, 0.12, 0.10, 0.30, 0.14]
WITH_NAN = [0.52, NAN, 0.10, 0.30, 0.14]


@pytest.mark.parametrize(
    ("adjust", "p_values", "expected"),
    [
        (bonferroni, FIVE, [1, 0.6, 0.0005, 0.15, 0.7]),
        (bonferroni, WITH_NAN, [1, NAN, 0.4, 1.0, 0.56]),
        (holm, FIVE, [0.52, 0.36, 0.0005, 0.12, 0.36]),
        (holm, LARGE, [0.6, 0.5, 0.5, 0.6, 0.5]),
        (holm, WITH_NAN, [0.6, NAN, 0.4, 0.6, 0.42]),
        (benjamini_hochberg, FIVE, [0.52, 0.175, 0.0005, 0.075, 0.175]),
        (benjamini_hochberg, WITH_NAN, [0.52, NAN, 0.28, 0.40, 0.28]),
    ],
)
def test_corrections_as_r_adjusts(adjust, p_values, expected):
    assert adjust(p_values) == pytest.approx(expected, nan_ok=True)


def pingouin_data():
    """The data of pingouin's tests/test_bayesian.py, which it compares with R's BayesFactor."""
    state = np.random.RandomState(1234)  # noqa: NPY002
    x, y = state.normal(size=100), state.normal(size=100)
    return x, y, state.normal(loc=0.5, size=100)


def test_paired_bayes_factors_as_the_r_package():
    # R: BayesFactor::ttestBF(x, y, paired = TRUE, rscale = "medium"): 0.135; x and z: 420.
    x, y, z = pingouin_data()
    assert f"{jzs_bayes_factor(x - y).bf10:.3f}" == "0.135"
    assert int(jzs_bayes_factor(x - z).bf10) == 420


def test_a_one_sample_bayes_factor_as_jasp():
    # pingouin docs, bayesfactor_ttest(3.5, 20), "validated against JASP and BayesFactor": 17.185
    assert jzs_from_t(3.5, 20).bf10 == pytest.approx(17.185, abs=5e-4)


def test_shapiro_and_wilks_own_example():
    # Shapiro and Wilk (1965), weights of eleven men: W = 0.79; scipy docs: 0.7888, p = 0.0067.
    weights = [148, 154, 158, 160, 161, 162, 166, 170, 182, 195, 236]
    found = shapiro_wilk(weights)
    assert found.statistic == pytest.approx(0.7888147830963135, abs=1e-7)
    assert found.p_value == pytest.approx(0.006703814061898823, rel=1e-5)


def test_the_icc_of_dyestuff():
    # lme4's Dyestuff (Davies and Goldsmith 1972): balanced, so the analysis of variance is REML:
    # Bates (2010), section 1.3: variances 1764.05 between batches and 2451.25 within.
    batches = [
        [1545, 1440, 1440, 1520, 1580],
        [1540, 1555, 1490, 1560, 1495],
        [1595, 1550, 1605, 1510, 1560],
        [1445, 1440, 1595, 1465, 1545],
        [1595, 1630, 1515, 1635, 1625],
        [1520, 1455, 1450, 1480, 1445],
    ]
    found = intraclass_correlation(np.ravel(batches), np.repeat(range(6), 5))
    assert found == pytest.approx(1764.05 / (1764.05 + 2451.25), abs=2e-5)


@pytest.mark.parametrize(
    ("effect", "n", "alpha", "power"),
    # G*Power 3.1, means: difference from constant, two-sided: n for 80 % are 34, 15 and 199.
    [(0.5, 34, 0.05, 0.81), (0.8, 15, 0.05, 0.82), (0.2, 199, 0.05, 0.80)],
)
def test_power_as_g_power_rounds_it(effect, n, alpha, power):
    assert power_paired_t(effect, n, alpha=alpha) == pytest.approx(power, abs=0.006)
    assert required_n(effect, alpha=alpha, power=0.8) == n


def test_a_plain_t_test_by_hand():
    # Differences 1 to 5: mean 3, sd sqrt(2.5), t = 3 / sqrt(.5) = 4.2426, d = 3 / sqrt(2.5).
    found = paired_t_test([1, 2, 3, 4, 5])
    assert found.statistic == pytest.approx(3 * np.sqrt(2))
    assert cohens_d_z([1, 2, 3, 4, 5]).estimate == pytest.approx(3 / np.sqrt(2.5))
    # All 32 sign vectors: only the two extreme ones reach a sum of 15.
    flips = sign_flip_permutation_test(
        [1, 2, 3, 4, 5], n_permutations=1000, rng=np.random.default_rng(0)
    )
    assert flips.exact and flips.p_value == 2 / 32


@pytest.mark.parametrize(
    ("differences", "p_value"),
    # Exact two-sided p of the signed-rank test when all n differences have one sign: 2 / 2^n
    # (Wilcoxon 1945; R: wilcox.test(1:n)).
    [([1, 2, 3, 4, 5], 0.0625), ([1, 2, 3, 4, 5, 6], 0.03125), (range(1, 9), 0.0078125)],
)
def test_wilcoxon_of_differences_with_one_sign(differences, p_value):
    assert wilcoxon_signed_rank(differences).p_value == pytest.approx(p_value)


def test_kappa_of_wikipedias_example():
    # Cohen's kappa, the grant example: 20 and 15 agreements, 5 and 10 disagreements: 0.4.
    first = [1] * 25 + [0] * 25
    second = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    assert cohen_kappa(first, second, labels=[0, 1]).estimate == pytest.approx(0.4)


def test_rank_correlations_of_iq_and_television():
    # Wikipedia, Spearman's rank correlation coefficient: rho = -29 / 165, p = 0.627188.
    iq = [106, 100, 86, 101, 99, 103, 97, 113, 112, 110]
    hours = [7, 27, 2, 50, 28, 29, 20, 12, 6, 17]
    assert spearman(iq, hours).estimate == pytest.approx(-29 / 165)
    assert spearman(iq, hours).p_value == pytest.approx(0.627188, abs=1e-6)
    assert kendall(iq, hours).estimate == pytest.approx(-5 / 45)  # 20 pairs agree, 25 do not


def test_common_language_effect_size_by_counting():
    # McGraw and Wong (1992), paired and non-parametric: two of four are higher, one is tied.
    found = common_language_effect_size([1.0, 1.0, -1.0, 0.0])
    assert found.estimate == pytest.approx((2 + 0.5) / 4)


def test_the_highest_density_interval_of_an_exponential():
    # Of an exponential the densest 95 % are those nearest zero: [0, -log(0.05)].
    draws = np.random.default_rng(0).exponential(size=200_000)
    low, high = hdi(draws, 0.95)
    assert low == pytest.approx(0, abs=1e-3)
    assert high == pytest.approx(-np.log(0.05), abs=0.03)


samples = st.lists(st.floats(-1, 1).map(lambda x: round(x, 3)), min_size=6, max_size=20).filter(
    lambda xs: np.std(xs) > 0.01
)


@given(samples)
def test_swapping_base_and_tuned_changes_signs_and_nothing_else(differences):
    d = np.array(differences)
    for test in (paired_t_test, wilcoxon_signed_rank):
        assert test(-d).p_value == pytest.approx(test(d).p_value)
    assert cohens_d_z(-d).estimate == pytest.approx(-cohens_d_z(d).estimate)
    assert jzs_bayes_factor(-d).log_bf10 == pytest.approx(jzs_bayes_factor(d).log_bf10)


@example([0.0, 0.0, 0.0, 0.0, 1.0, 1.0], 0.01)  # resampled t tie with the observed one
@given(samples, st.sampled_from([0.01, 100.0]))
def test_the_unit_of_the_metric_changes_no_evidence(differences, unit):
    d = np.array(differences)
    for test in (paired_t_test, wilcoxon_signed_rank, shapiro_wilk):
        assert test(unit * d).p_value == pytest.approx(test(d).p_value, rel=1e-6)
    assert cohens_d_z(unit * d).estimate == pytest.approx(cohens_d_z(d).estimate)
    assert jzs_bayes_factor(unit * d).bf10 == pytest.approx(jzs_bayes_factor(d).bf10, rel=1e-6)
    one = infer_mean(d, n_bootstrap=199, rng=np.random.default_rng(1))
    scaled = infer_mean(unit * d, n_bootstrap=199, rng=np.random.default_rng(1))
    assert (scaled.low, scaled.high) == pytest.approx((unit * one.low, unit * one.high))
    assert scaled.p_value == pytest.approx(one.p_value)


@given(st.floats(-6, 6), st.integers(3, 200))
def test_the_factor_for_the_null_is_one_over_the_factor_against_it(t, n):
    factor = jzs_from_t(t, n)
    assert np.exp(-factor.log_bf10) == pytest.approx(1 / factor.bf10)


def test_limits():
    # Without an effect the factor for the null grows with n; with one it vanishes (consistency).
    null = [jzs_from_t(0.0, n).log_bf10 for n in (10, 100, 1000, 10_000)]
    assert null == sorted(null, reverse=True) and null[-1] < -3
    effect = [jzs_from_t(0.3 * np.sqrt(n), n).log_bf10 for n in (30, 300, 3000)]
    assert effect == sorted(effect) and effect[-1] > 50
    assert power_paired_t(0.0, 50, alpha=0.05) == pytest.approx(0.05)
    assert power_paired_t(3.0, 50, alpha=0.05) == pytest.approx(1.0)
