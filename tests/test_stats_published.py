"""More published values, one row a case: what is computed, the value, its source."""

import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from finllm import stats

SLEEP = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]  # R: sleep, group 2 minus group 1
# Lakens (2013), table 1: ten people rate two movies.
MOVIE_1, MOVIE_2 = [9, 7, 8, 9, 8, 9, 9, 10, 9, 9], [9, 6, 7, 8, 7, 9, 8, 8, 8, 7]
MOVIES = np.subtract(MOVIE_1, MOVIE_2)
# Hollander and Wolfe (1973), depression scores before and after: R, example(wilcox.test).
BEFORE = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
AFTER = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
# Efron and Tibshirani (1993), table 14.1: spatial test A of 26 children.
SPATIAL = [48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6, 0, 33, 28, 34, 4, 32, 24, 47, 41, 24]
SPATIAL += [26, 30, 41]
# Efron and Tibshirani (1993), table 3.1: 15 law schools, LSAT and GPA.
LSAT = [576, 635, 558, 578, 666, 580, 555, 661, 651, 605, 653, 575, 545, 572, 594]
GPA = [3.39, 3.30, 2.81, 3.03, 3.44, 3.07, 3.00, 3.43, 3.36, 3.13, 3.12, 2.74, 2.76, 2.88, 2.96]
NO = np.nan
# Krippendorff (2011), sections A and B: two observers, binary and nominal data.
BINARY = [[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]]
NOMINAL = [[0, 0, 1, 1, 3, 2, 2, 2, 4, 3, 3, 0], [1, 0, 1, 1, 1, 2, 2, 2, 4, 3, 3, 3]]
# Wikipedia, Krippendorff's alpha: three coders, fifteen units.
CODERS = [
    [NO, NO, NO, NO, NO, 3, 4, 1, 2, 1, 1, 3, 3, NO, 3],
    [1, NO, 2, 1, 3, 3, 4, 3, NO, NO, NO, NO, NO, NO, NO],
    [NO, NO, 2, 1, 3, 4, 4, NO, 2, 1, 1, 3, 3, NO, 4],
]


def alpha(ratings, level):
    rng = np.random.default_rng(0)
    return stats.krippendorff_alpha(ratings, level=level, n_bootstrap=100, rng=rng).estimate


def law_school(rows):
    """The correlation over the rows of a resample of schools."""
    at = rows.astype(int)
    return np.corrcoef(np.array(LSAT)[at], np.array(GPA)[at])[0, 1]


CASES = [
    # R: t.test(extra ~ group, paired): t = -4.0621, df = 9, p-value = 0.002833 (here with + sign).
    ("sleep, t", lambda: stats.paired_t_test(SLEEP).statistic, 4.0621, 5e-5),
    ("sleep, p", lambda: stats.paired_t_test(SLEEP).p_value, 0.002833, 5e-7),
    # JASP prints BF10 = 17.259 for the same data, R's BayesFactor 17.25888 at r = sqrt(2) / 2.
    ("sleep, BF10", lambda: stats.jzs_bayes_factor(SLEEP, 0.707).bf10, 17.259, 2e-3),
    ("sleep, BF10, R", lambda: stats.jzs_bayes_factor(SLEEP, 0.5**0.5).bf10, 17.25888, 5e-6),
    ("t(9) = -4.0621, BF10", lambda: stats.jzs_from_t(-4.0621, 10, r=0.707).bf10, 17.259, 2e-3),
    # R: shapiro.test(sleep differences): W = 0.82987, p-value = 0.03334
    ("sleep, W", lambda: stats.shapiro_wilk(SLEEP).statistic, 0.82987, 5e-6),
    ("sleep, p of W", lambda: stats.shapiro_wilk(SLEEP).p_value, 0.03334, 5e-6),
    # R: effectsize::hedges_g of the same pairs: -1.17 [-1.94, -0.38]
    ("sleep, g", lambda: stats.hedges_g(SLEEP).estimate, 1.17, 5e-3),
    ("sleep, g, low", lambda: stats.hedges_g(SLEEP).low, 0.38, 5e-3),
    ("sleep, g, high", lambda: stats.hedges_g(SLEEP).high, 1.94, 5e-3),
    # Lakens (2013): t(9) = 4.74, d_z = 1.50, d_s = d_av = 1.13.
    ("movies, t", lambda: stats.paired_t_test(MOVIES).statistic, 4.74, 5e-3),
    ("movies, d_z", lambda: stats.cohens_d_z(MOVIES).estimate, 1.50, 5e-3),
    ("movies, d", lambda: stats.cohens_d(MOVIE_1, MOVIE_2).estimate, 1.13, 5e-3),
    ("movies, d_av", lambda: stats.cohens_d_av(MOVIE_1, MOVIE_2).estimate, 1.13, 5e-3),
    # R, example(wilcox.test): V = 40; two-sided twice the printed p-value of 0.01953.
    (
        "depression, V",
        lambda: stats.wilcoxon_signed_rank(np.subtract(BEFORE, AFTER)).statistic,
        40.0,
        0,
    ),
    (
        "depression, p",
        lambda: stats.wilcoxon_signed_rank(np.subtract(BEFORE, AFTER)).p_value,
        2 * 0.01953,
        1e-5,
    ),
    # Hedges (1981), equation 6e, at df = 2, 3 and 4 by hand; at 5 and 10 as c4 sqrt((df - 1) / df)
    # from the table of control charts' constants: c4(5) = 0.9400, c4(10) = 0.9727.
    ("J(2)", lambda: stats.hedges_factor(2), 1 / np.sqrt(np.pi), 1e-12),
    ("J(3)", lambda: stats.hedges_factor(3), np.sqrt(np.pi / 6), 1e-12),
    ("J(4)", lambda: stats.hedges_factor(4), np.sqrt(2 / np.pi), 1e-12),
    ("J(5)", lambda: stats.hedges_factor(5), 0.9400 * np.sqrt(4 / 5), 5e-5),
    ("J(10)", lambda: stats.hedges_factor(10), 0.9727 * np.sqrt(9 / 10), 5e-5),
    # Krippendorff (2011), sections A and B.
    ("binary alpha", lambda: alpha(BINARY, "nominal"), 0.095, 5e-4),
    ("nominal alpha", lambda: alpha(NOMINAL, "nominal"), 0.692, 5e-4),
    # Wikipedia, Krippendorff's alpha, of the three coders.
    ("coders, nominal", lambda: alpha(CODERS, "nominal"), 0.691, 5e-4),
    ("coders, interval", lambda: alpha(CODERS, "interval"), 0.811, 5e-4),
    # Wikipedia, Holm-Bonferroni method, the example of four hypotheses: the largest is 0.06.
    ("Holm of four", lambda: stats.holm([0.01, 0.04, 0.03, 0.005])[1], 0.06, 1e-12),
    ("Holm of four, first", lambda: stats.holm([0.01, 0.04, 0.03, 0.005])[3], 0.02, 1e-12),
    # Kish (1965): twenty in a cluster at an intraclass correlation of .05 cost a factor of 1.95.
    ("design effect", lambda: stats.design_effect(np.repeat(range(5), 20), 0.05), 1.95, 1e-12),
    # Efron and Tibshirani (1993), section 3.3: the correlation of the 15 law schools is .776.
    (
        "law schools",
        lambda: (
            stats.bootstrap_ci(
                range(15), law_school, 200, 0.95, "bca", rng=np.random.default_rng(0)
            ).estimate
        ),
        0.776,
        5e-4,
    ),
]


@pytest.mark.parametrize(("what", "compute", "expected", "error"), CASES)
def test_published_values(what, compute, expected, error):
    assert compute() == pytest.approx(expected, abs=error, rel=0), what


def test_bca_of_efrons_spatial_variance():
    # Efron and Tibshirani (1993), table 14.2, 90 %: theta 171.5; percentile (100.8, 233.9), BCa
    # (115.8, 259.6), of 2,000 resamples: their own error is several units.
    def interval(method):
        rng = np.random.default_rng(0)
        return stats.bootstrap_ci(SPATIAL, np.var, 4000, 0.9, method, rng=rng)

    percentile, bca = interval("percentile"), interval("bca")
    assert bca.estimate == pytest.approx(171.5, abs=0.05)
    assert (percentile.low, percentile.high) == pytest.approx((100.8, 233.9), abs=5)
    assert (bca.low, bca.high) == pytest.approx((115.8, 259.6), abs=7)


def test_bca_of_the_law_schools_as_scipy():
    ours = stats.bootstrap_ci(
        range(15), law_school, 3000, 0.95, "bca", rng=np.random.default_rng(0)
    )
    theirs = scipy.stats.bootstrap(
        (np.arange(15.0),), law_school, n_resamples=3000, rng=np.random.default_rng(1)
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.05)


@pytest.mark.parametrize("r", [0.5, 1.0])
@pytest.mark.parametrize(("t", "n"), [(0.5, 8), (2.2, 31), (-4.0, 100)])
def test_the_factor_by_direct_integration(t, n, r):
    # Rouder et al. (2009), equation 1, by scipy.integrate.quad in g instead of a sum in log g.
    v = n - 1

    def under_h1(g):
        prior = r / np.sqrt(2 * np.pi) * g**-1.5 * np.exp(-(r**2) / (2 * g))
        return (1 + n * g) ** -0.5 * (1 + t**2 / ((1 + n * g) * v)) ** (-(v + 1) / 2) * prior

    numerator = sum(
        scipy.integrate.quad(under_h1, low, high, epsabs=0, epsrel=1e-10, limit=200)[0]
        for low, high in ((0, 0.1), (0.1, 10), (10, np.inf))
    )
    expected = numerator / (1 + t**2 / v) ** (-(v + 1) / 2)
    assert stats.jzs_from_t(t, n, r=r).bf10 == pytest.approx(expected, rel=1e-6)


def test_the_arguments_stand_in_the_order_of_the_interface():
    rng = np.random.default_rng(0)
    flips = stats.sign_flip_permutation_test(SLEEP, 2000, rng, None)
    assert flips.exact and flips.p_value == 2 * 2 / 2**10  # one difference is zero
    found = stats.bootstrap_ci(SLEEP, np.mean, 500, 0.9, "percentile", None, rng=rng)
    assert found.low < 1.58 < found.high
    with pytest.raises(AttributeError, match="no attribute 'significance'"):
        stats.significance  # noqa: B018


def test_every_exported_name_is_a_function():
    assert all(callable(getattr(stats, name)) for name in stats.__all__)


def test_effects_of_arms_without_a_generator_are_exact_for_normal_pairs():
    # Algina and Keselman (2003): the interval of d_z in units of the arms' standard deviation.
    rng = np.random.default_rng(3)
    base = rng.normal(size=400)
    tuned = base + rng.normal(0.3, 0.5, size=400)
    exact, drawn = stats.cohens_d(tuned, base), stats.cohens_d(tuned, base, rng=rng)
    assert exact.estimate == pytest.approx(drawn.estimate)
    assert (exact.low, exact.high) == pytest.approx((drawn.low, drawn.high), abs=0.02)
    same = stats.cohens_d_av(base, base)
    assert (same.estimate, same.low, same.high) == (0, 0, 0)
    moved = stats.cohens_d(base + 1, base)
    assert moved.estimate == pytest.approx(1 / base.std(ddof=1)) and np.isnan(moved.low)
    with pytest.raises(ValueError, match="rng is None; with clusters"):
        stats.cohens_d(tuned, base, np.arange(400) // 4)
