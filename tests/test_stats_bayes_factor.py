"""Bayes factors and posterior summaries: against papers, R, pingouin and closed forms."""

import arviz
import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from finllm.stats.bayes_factor import (
    conditional_savage_dickey,
    jzs_bayes_factor,
    jzs_from_t,
    normal_prior_bayes_factor,
    prior_sensitivity,
    savage_dickey,
)
from finllm.stats.posterior import hdi, share_above, share_inside

SLEEP = np.array([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])


def test_sleep_as_in_the_bayesfactor_manual():
    # R: ttestBF(x = sleep$extra[1:10], y = sleep$extra[11:20], paired = TRUE): 17.25888, r = .707
    # (sqrt(2) / 2)
    assert jzs_bayes_factor(SLEEP, r=np.sqrt(0.5)).bf10 == pytest.approx(17.25888, abs=1e-4)


@pytest.mark.parametrize(("t", "bf01"), [(2.03, 1.56), (2.24, 1.02)])
def test_rouders_reanalysis_with_r_of_one(t, bf01):
    # Rouder et al. (2009), reanalysis of Grider and Malmberg (2008), t(79): JZS B01 with r = 1.
    assert 1 / jzs_from_t(t, 80, r=1.0).bf10 == pytest.approx(bf01, abs=0.005)


@pytest.mark.parametrize(
    ("t", "n", "bf10"),
    # pingouin 0.7: bayesfactor_ttest(t, n, n, paired=True), r = 0.707
    [
        (3.5, 20, 17.184748951561883),
        (0.6, 12, 0.33551103564735135),
        (-1.5, 200, 0.2381086845985899),
    ],
)
def test_paired_factors_of_pingouin(t, n, bf10):
    assert jzs_from_t(t, n).bf10 == pytest.approx(bf10, rel=1e-6)


def test_the_integral_agrees_with_one_over_the_effect_size():
    # The same factor by the noncentral t likelihood under a Cauchy prior (Rouder et al. 2009).
    t, n = 2.5, 25
    grid = np.linspace(-6, 6, 24_001)
    likelihood = scipy.stats.nct.pdf(t, n - 1, grid * np.sqrt(n))
    marginal = np.trapezoid(likelihood * scipy.stats.cauchy.pdf(grid, scale=0.707), grid)
    expected = marginal / scipy.stats.t.pdf(t, n - 1)
    assert jzs_from_t(t, n).bf10 == pytest.approx(expected, rel=1e-4)


def test_extreme_t_values_do_not_overflow():
    huge = jzs_from_t(50.0, 100)
    assert huge.log_bf10 == pytest.approx(157.285064, abs=1e-5)
    assert jzs_from_t(1e6, 10_000).bf10 == np.inf
    assert np.isfinite(jzs_from_t(1e6, 10_000).log_bf10)
    assert jzs_from_t(0.0, 100_000).log_bf10 < -5


@given(st.floats(-8, 8), st.integers(2, 400))
def test_the_factor_is_two_sided_and_its_log_is_its_log(t, n):
    factor = jzs_from_t(t, n)
    assert jzs_from_t(-t, n) == factor
    assert np.exp(factor.log_bf10) == pytest.approx(factor.bf10)


def test_the_factor_does_not_depend_on_the_unit_of_the_metric():
    assert jzs_bayes_factor(-100 * SLEEP).bf10 == pytest.approx(jzs_bayes_factor(SLEEP).bf10)


def test_a_vanishing_prior_leaves_nothing_to_decide():
    assert jzs_from_t(2.0, 30, r=1e-4).log_bf10 == pytest.approx(0, abs=1e-3)
    assert normal_prior_bayes_factor(2.0, 30, scale=1e-5).log_bf10 == pytest.approx(0, abs=1e-6)


def test_a_cauchy_is_a_mixture_of_normals():
    # Averaging the normal-prior factor over g ~ InverseGamma(1/2, r^2 / 2) gives the JZS factor.
    g = scipy.stats.invgamma(0.5, scale=0.707**2 / 2).ppf((np.arange(20_000) + 0.5) / 20_000)
    mean = np.mean([normal_prior_bayes_factor(2.2, 20, scale=np.sqrt(x)).bf10 for x in g[::10]])
    assert mean == pytest.approx(jzs_from_t(2.2, 20).bf10, rel=0.01)


def test_clusters_are_the_data_of_the_factor():
    copied, codes = np.repeat(SLEEP, 4), np.repeat(range(10), 4)
    assert jzs_bayes_factor(copied, clusters=codes).bf10 == pytest.approx(
        jzs_bayes_factor(SLEEP).bf10
    )


def test_degenerate_data_have_defined_factors():
    assert jzs_bayes_factor([0.0] * 8).bf10 == jzs_from_t(0.0, 8).bf10 < 1
    assert jzs_bayes_factor([0.1] * 8).log_bf10 == np.inf
    assert prior_sensitivity([0.1] * 8).log_bf10_wide == np.inf
    with pytest.raises(ValueError, match="n is 1"):
        jzs_from_t(1.0, 1)
    with pytest.raises(ValueError, match="prior's scale is 0"):
        jzs_from_t(1.0, 10, r=0)
    with pytest.raises(ValueError, match="t is nan"):
        jzs_from_t(float("nan"), 10)


def test_sensitivity_holds_each_prior_under_its_name():
    result = prior_sensitivity(SLEEP)
    assert result.log_bf10_default == jzs_bayes_factor(SLEEP).log_bf10
    assert result.log_bf10_medium == jzs_bayes_factor(SLEEP, r=0.5).log_bf10
    assert result.log_bf10_wide == jzs_bayes_factor(SLEEP, r=1.0).log_bf10
    # An effect far larger than a sceptic expects is less evidence to him.
    assert result.log_bf10_sceptical < result.log_bf10_default


def test_savage_dickey_of_a_conjugate_normal():
    # Prior N(0, 1), posterior N(0.5, 0.5^2): the ratio of two normal densities at zero.
    draws = np.random.default_rng(0).normal(0.5, 0.5, 40_000)
    exact = scipy.stats.norm.logpdf(0) - scipy.stats.norm.logpdf(0, 0.5, 0.5)
    estimate = savage_dickey(draws, log_prior_at_null=scipy.stats.norm.logpdf(0))
    assert estimate.log_bf10 == pytest.approx(exact, abs=0.03)


def test_savage_dickey_stays_finite_far_from_the_null():
    draws = np.random.default_rng(1).normal(100, 1, 1000)
    assert np.isfinite(savage_dickey(draws, log_prior_at_null=0.0).log_bf10)
    with pytest.raises(ValueError, match="no density"):
        savage_dickey(np.ones(200), log_prior_at_null=0.0)


def test_conditional_savage_dickey_is_one_over_the_mean_ratio():
    assert conditional_savage_dickey(np.log([0.5, 1.5, 2.0])).bf10 == pytest.approx(0.75)
    assert conditional_savage_dickey([-5000.0, -5000.0]).log_bf10 == pytest.approx(5000)


def test_hdi_agrees_with_arviz_and_differs_from_equal_tails_under_skew():
    draws = np.random.default_rng(2).exponential(size=5000)
    assert hdi(draws, 0.9) == pytest.approx(tuple(arviz.hdi(draws, hdi_prob=0.9)))
    assert hdi(draws, 0.9)[0] < np.quantile(draws, 0.05)


def test_shares_are_over_all_draws_and_add_up():
    draws = [-1.0, 0.0, 0.5, 2.0]
    assert share_above(draws, 0.0) == 0.625
    assert share_above(draws, 0.0) + share_above(np.negative(draws), 0.0) == 1
    assert share_inside(draws, -0.5, 0.5) == 0.5
    with pytest.raises(ValueError, match="low must not be above high"):
        share_inside(draws, 1, 0)
    with pytest.raises(ValueError, match="prob is 95"):
        hdi(draws, 95)
