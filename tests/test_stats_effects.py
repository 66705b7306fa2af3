"""Effect sizes, the noncentral t and power: against R, G*Power, statsmodels and tables."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from finllm.stats.clusters import cluster_means
from finllm.stats.effects import (
    cohens_d,
    cohens_d_av,
    cohens_d_z,
    common_language_effect_size,
    hedges_factor,
    hedges_g,
)
from finllm.stats.noncentral import noncentral_t_cdf
from finllm.stats.power import (
    minimum_detectable_effect,
    power_paired_t,
    required_n,
    simulated_minimum_detectable_effect,
    simulated_power,
    simulated_required_clusters,
)

SLEEP = np.array([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])
# R: example(wilcox.test): depression scores of Hollander and Wolfe (1973).
BEFORE = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
AFTER = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]


def generator(seed=0):
    return np.random.default_rng(seed)


def test_d_z_of_sleep_with_its_exact_interval():
    # R: effectsize::cohens_d(extra ~ group, data = sleep, paired = TRUE): -1.28 [-2.12, -0.41]
    effect = cohens_d_z(SLEEP)
    assert effect.estimate == pytest.approx(1.2846, abs=5e-5)
    assert (effect.low, effect.high) == pytest.approx((0.41, 2.12), abs=0.006)


def test_d_with_the_pooled_deviation():
    # pingouin 0.7 compute_effsize(BEFORE, AFTER, eftype="cohen"): 0.5681239
    effect = cohens_d(BEFORE, AFTER, rng=generator())
    assert effect.estimate == pytest.approx(0.5681239, abs=5e-8)
    assert effect.low < effect.estimate < effect.high


def test_d_av_with_the_average_deviation():
    # Lakens (2013), equation 10, by hand: mean difference over the mean of the two deviations.
    spread = (np.std(BEFORE, ddof=1) + np.std(AFTER, ddof=1)) / 2
    expected = (np.mean(BEFORE) - np.mean(AFTER)) / spread
    assert cohens_d_av(BEFORE, AFTER, rng=generator()).estimate == pytest.approx(expected)


def test_three_definitions_of_d_differ_and_agree_in_sign():
    d_z = cohens_d_z(np.subtract(BEFORE, AFTER)).estimate
    pooled = cohens_d(BEFORE, AFTER, rng=generator()).estimate
    average = cohens_d_av(BEFORE, AFTER, rng=generator()).estimate
    assert len({round(d_z, 3), round(pooled, 4), round(average, 4)}) == 3
    assert min(d_z, pooled, average) > 0


@pytest.mark.parametrize(
    ("df", "factor"), [(2, 0.5642), (3, 0.7236), (4, 0.7979), (5, 0.8408), (10, 0.9228)]
)
def test_hedges_factor_is_the_exact_one(df, factor):
    # Hedges and Olkin (1985), chapter 5, table 2: exact values of the correction c(m).
    assert hedges_factor(df) == pytest.approx(factor, abs=1.2e-4)


def test_hedges_g_shrinks_d_z_by_the_factor_of_n_minus_one():
    d, g = cohens_d_z(SLEEP), hedges_g(SLEEP)
    assert g.estimate == pytest.approx(d.estimate * hedges_factor(9))
    assert g.high == pytest.approx(d.high * hedges_factor(9))
    assert hedges_factor(100_000) == pytest.approx(1, abs=1e-5)


@given(st.floats(0.01, 100), st.integers(0, 500))
def test_effect_sizes_keep_under_scale_and_swap_with_the_arms(scale, seed):
    differences = generator(seed).normal(0.4, 1, 12)
    base, flipped = cohens_d_z(differences), cohens_d_z(-scale * differences)
    assert flipped.estimate == pytest.approx(-base.estimate)
    assert (flipped.low, flipped.high) == pytest.approx((-base.high, -base.low))


def test_the_interval_of_d_z_excludes_zero_exactly_when_t_rejects():
    for seed in range(40):
        differences = generator(seed).normal(0.5, 1, 15)
        effect, p_value = cohens_d_z(differences), scipy.stats.ttest_1samp(differences, 0).pvalue
        assert (effect.low > 0 or effect.high < 0) == (p_value < 0.05)


def test_copies_of_rows_widen_nothing_when_clusters_are_named():
    copied, codes = np.repeat(SLEEP, 5), np.repeat(range(10), 5)
    by_company = cohens_d_z(copied, codes, rng=generator(1))
    by_row = cohens_d_z(copied)
    assert by_company.high - by_company.low > 1.5 * (by_row.high - by_row.low)
    assert by_company.n_clusters == 10


def test_degenerate_effects_have_defined_answers():
    assert cohens_d_z([0.0, 0.0, 0.0]).estimate == 0.0
    assert np.isnan(cohens_d_z([0.5, 0.5, 0.5]).estimate)
    assert np.isnan(cohens_d([1.0, 1.0], [0.0, 0.0], rng=generator()).estimate)
    with pytest.raises(ValueError, match="tuned has 2 scores and base 3"):
        cohens_d([1.0, 2.0], [1.0, 2.0, 3.0], rng=generator())
    with pytest.raises(ValueError, match="rng is None"):
        cohens_d_z(SLEEP, list("aabbccddee"))
    with pytest.raises(ValueError, match="at least 2"):
        cohens_d_z([1.0])


def test_common_language_counts_ties_half_and_mirrors():
    wins = common_language_effect_size([1.0, 2, 0, -1])
    assert wins.estimate == 0.625
    losses = common_language_effect_size([-1.0, -2, 0, 1])
    assert (losses.low, losses.high) == pytest.approx((1 - wins.high, 1 - wins.low))


def test_common_language_of_only_wins_is_not_certain():
    always = common_language_effect_size(np.ones(10))
    assert (always.estimate, always.high) == (1.0, 1.0)
    assert 0.5 < always.low < 0.8
    assert common_language_effect_size(np.ones(10), list("aabbccddee")).low < always.low


@pytest.mark.parametrize(
    ("t", "df", "shift"),
    [(2, 19, 1), (0, 19, 3), (-2, 5, 1), (50, 100, 50), (1.96, 1000, 2.8), (3, 2, 5), (3, 1, 0.5)],
)
def test_noncentral_t_agrees_with_scipy_where_scipy_answers(t, df, shift):
    expected = scipy.stats.nct.cdf(t, df, shift)
    assert noncentral_t_cdf(t, df, shift) == pytest.approx(expected, abs=1e-10)


def test_noncentral_t_is_finite_in_far_tails_and_central_at_zero():
    for shift in (-200, -40, 40, 200):
        assert noncentral_t_cdf(2.0, 30, shift) in (pytest.approx(0.0), pytest.approx(1.0))
    assert noncentral_t_cdf(1.3, 8, 0) == pytest.approx(scipy.stats.t.cdf(1.3, 8), abs=1e-11)


@pytest.mark.parametrize(
    ("effect", "n", "alpha", "power"),
    # statsmodels 0.15: TTestPower().power(effect, n, alpha)
    [
        (0.5, 34, 0.05, 0.8077775),
        (0.2, 60, 0.05, 0.3316786),
        (0.3, 100, 0.01, 0.6457393),
        (1.0, 5, 0.05, 0.4013899),
    ],
)
def test_power_against_statsmodels(effect, n, alpha, power):
    assert power_paired_t(effect, n, alpha=alpha) == pytest.approx(power, abs=5e-8)
    assert power_paired_t(-effect, n, alpha=alpha) == pytest.approx(power, abs=5e-8)


def test_required_n_of_a_medium_and_a_small_effect():
    # R: pwr::pwr.t.test(d = 0.5, power = 0.8, type = "paired"): n = 33.36713
    assert required_n(0.5, alpha=0.05, power=0.8) == 34
    # statsmodels 0.15: TTestPower().solve_power(0.2, power=0.9, alpha=0.05): 264.6137
    assert required_n(0.2, alpha=0.05, power=0.9) == 265


def test_minimum_detectable_effect_against_statsmodels():
    # statsmodels 0.15: TTestPower().solve_power(None, nobs=n, power=0.8, alpha=0.05)
    assert minimum_detectable_effect(40, alpha=0.05, power=0.8) == pytest.approx(
        0.4542571, abs=1e-6
    )
    assert minimum_detectable_effect(12, alpha=0.05, power=0.8) == pytest.approx(
        0.8886543, abs=1e-6
    )


def test_power_is_alpha_without_an_effect_and_its_inverses_invert():
    assert power_paired_t(0.0, 20, alpha=0.05) == pytest.approx(0.05)
    effect = minimum_detectable_effect(25, alpha=0.01, power=0.9)
    assert power_paired_t(effect, 25, alpha=0.01) == pytest.approx(0.9)
    assert required_n(effect, alpha=0.01, power=0.9) in (25, 26)
    assert required_n(-100.0, alpha=0.05, power=0.8) >= 2


def test_impossible_power_questions_are_refused():
    with pytest.raises(ValueError, match="effect_size is 0"):
        required_n(0.0, alpha=0.05, power=0.8)
    with pytest.raises(ValueError, match="needs more than"):
        required_n(1e-9, alpha=0.05, power=0.8)
    with pytest.raises(ValueError, match="power is 0.01"):
        minimum_detectable_effect(20, alpha=0.05, power=0.01)
    with pytest.raises(ValueError, match="n is 1"):
        power_paired_t(0.5, 1, alpha=0.05)


def pilot():
    rng, codes = generator(5), np.repeat(range(60), 3)
    return 0.3 + rng.normal(0, 0.6, 60)[codes] + rng.normal(size=180), codes


def test_simulated_power_agrees_with_the_formula_on_normal_clusters():
    differences, codes = pilot()
    spread = cluster_means(differences, codes).means.std(ddof=1)
    simulated = simulated_power(
        differences,
        codes,
        effect=0.5 * spread,
        n_clusters=30,
        alpha=0.05,
        n_simulations=4000,
        rng=generator(6),
    )
    assert simulated == pytest.approx(power_paired_t(0.5, 30, alpha=0.05), abs=0.04)


def test_simulated_effect_and_number_of_clusters_invert_the_simulated_power():
    differences, codes = pilot()
    spread = cluster_means(differences, codes).means.std(ddof=1)
    effect = simulated_minimum_detectable_effect(
        differences,
        codes,
        n_clusters=30,
        alpha=0.05,
        power=0.8,
        n_simulations=4000,
        rng=generator(7),
    )
    formula = minimum_detectable_effect(30, alpha=0.05, power=0.8) * spread
    assert effect == pytest.approx(formula, rel=0.06)
    needed = simulated_required_clusters(
        differences,
        codes,
        effect=effect,
        alpha=0.05,
        power=0.8,
        n_simulations=4000,
        rng=generator(8),
    )
    assert 26 <= needed <= 34
    with pytest.raises(ValueError, match="more than 64 clusters"):
        simulated_required_clusters(
            differences,
            codes,
            effect=0.001,
            alpha=0.05,
            power=0.8,
            n_simulations=200,
            rng=generator(9),
            at_most=64,
        )
