"""Bootstrap intervals and the default procedure: against scipy, identities, and coverage."""

import numpy as np
import pytest
import scipy.stats

from finllm.stats.inference import infer_mean
from finllm.stats.paired_tests import paired_t_test
from finllm.stats.resampling import bca_interval, bootstrap_ci, resampling_counts

SLEEP = np.array([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])


def generator(seed=0):
    return np.random.default_rng(seed)


def test_counts_are_resamples_of_the_right_size():
    counts = resampling_counts(7, 500, generator())
    assert counts.shape == (500, 7)
    assert (counts.sum(axis=1) == 7).all()
    assert counts.mean() == pytest.approx(1.0)


@pytest.mark.parametrize("method", ["percentile", "BCa"])
def test_intervals_agree_with_scipys_bootstrap(method):
    # scipy.stats.bootstrap((SLEEP,), np.mean, method=method): the same up to resampling error.
    theirs = scipy.stats.bootstrap(
        (SLEEP,), np.mean, n_resamples=40_000, method=method, rng=generator(1)
    ).confidence_interval
    ours = bootstrap_ci(SLEEP, n_bootstrap=40_000, method=method.lower(), rng=generator(2))
    assert ours.low == pytest.approx(theirs.low, abs=0.02)
    assert ours.high == pytest.approx(theirs.high, abs=0.03)
    assert ours.estimate == SLEEP.mean()


def test_the_count_matrix_and_the_loop_agree():
    for method in ("percentile", "bca"):
        fast = bootstrap_ci(SLEEP, np.mean, n_bootstrap=20_000, method=method, rng=generator(3))
        slow = bootstrap_ci(
            SLEEP, lambda x: x.mean(), n_bootstrap=20_000, method=method, rng=generator(4)
        )
        assert fast.low == pytest.approx(slow.low, abs=0.03)
        assert fast.high == pytest.approx(slow.high, abs=0.04)


def test_bca_without_bias_or_skew_is_the_percentile_interval():
    replicates = np.linspace(-1, 1, 1001)
    low, high = bca_interval(0.0, replicates, np.array([-1.0, 0.0, 1.0]), 0.95)
    assert (low, high) == pytest.approx((-0.95, 0.95), abs=1e-9)


def test_studentised_intervals_match_a_bootstrap_t_written_out():
    rng, stars = generator(5), []
    for _ in range(20_000):
        draw = rng.choice(SLEEP, 10)
        if draw.std() > 0:
            stars.append((draw.mean() - SLEEP.mean()) / (draw.std() / np.sqrt(10)))
    error = SLEEP.std() / np.sqrt(10)
    low, high = SLEEP.mean() - np.quantile(stars, [0.975, 0.025]) * error
    ours = bootstrap_ci(SLEEP, n_bootstrap=20_000, method="studentized", rng=generator(6))
    assert ours.low == pytest.approx(low, abs=0.06)
    assert ours.high == pytest.approx(high, abs=0.25)


def test_studentised_intervals_are_wider_on_the_side_of_the_long_tail():
    interval = bootstrap_ci(generator(7).exponential(size=30), rng=generator(8))
    assert interval.high - interval.estimate > 1.2 * (interval.estimate - interval.low)


@pytest.mark.parametrize("method", ["percentile", "bca", "studentized"])
def test_intervals_move_and_scale_with_the_data(method):
    base = bootstrap_ci(SLEEP, method=method, n_bootstrap=2000, rng=generator(9))
    moved = bootstrap_ci(100 + 3 * SLEEP, method=method, n_bootstrap=2000, rng=generator(9))
    assert moved.low == pytest.approx(100 + 3 * base.low)
    assert moved.high == pytest.approx(100 + 3 * base.high)


def test_whole_clusters_are_resampled():
    copied, codes = np.repeat(SLEEP, 6), np.repeat(range(10), 6)
    plain = bootstrap_ci(SLEEP, n_bootstrap=5000, rng=generator(10))
    by_cluster = bootstrap_ci(copied, clusters=codes, n_bootstrap=5000, rng=generator(10))
    by_row = bootstrap_ci(copied, n_bootstrap=5000, rng=generator(10))
    assert by_cluster.low == pytest.approx(plain.low)
    assert by_cluster.high == pytest.approx(plain.high)
    assert by_row.high - by_row.low < 0.6 * (plain.high - plain.low)
    assert (by_cluster.n, by_cluster.n_clusters) == (60, 10)


def test_a_median_by_cluster_is_inside_its_interval():
    interval = bootstrap_ci(
        np.repeat(SLEEP, 2),
        np.median,
        method="percentile",
        clusters=np.repeat(range(10), 2),
        n_bootstrap=500,
        rng=generator(),
    )
    assert interval.low <= interval.estimate == 1.3 <= interval.high


def test_equal_values_give_an_interval_of_width_zero():
    for method in ("percentile", "bca", "studentized"):
        interval = bootstrap_ci([0.2] * 5, method=method, n_bootstrap=200, rng=generator())
        assert interval.low == pytest.approx(0.2)
        assert interval.high == pytest.approx(0.2)


def test_bad_requests_are_refused_in_words():
    with pytest.raises(ValueError, match="one of percentile, bca, studentized"):
        bootstrap_ci(SLEEP, method="basic", rng=generator())
    with pytest.raises(ValueError, match="use 'bca' or 'percentile'"):
        bootstrap_ci(SLEEP, np.median, rng=generator())
    with pytest.raises(ValueError, match="confidence is 95"):
        bootstrap_ci(SLEEP, confidence=95, rng=generator())
    with pytest.raises(ValueError, match="n_bootstrap is 10"):
        bootstrap_ci(SLEEP, n_bootstrap=10, rng=generator())
    with pytest.raises(ValueError, match="at least 2 are needed"):
        bootstrap_ci([1.0], rng=generator())
    with pytest.raises(ValueError, match=r"data\[0\] is nan"):
        bootstrap_ci([np.nan, 1.0], rng=generator())


def test_the_default_procedure_is_never_less_careful_than_student():
    # R: t.test(extra ~ group, data = sleep, paired = TRUE), 95 per cent confidence interval:
    # -2.4598858 -0.7001142
    result = infer_mean(SLEEP, rng=generator())
    assert result.low <= 0.7001142 + 5e-8
    assert result.high >= 2.4598858 - 5e-8
    assert result.p_value >= paired_t_test(SLEEP).p_value
    assert result.estimate == pytest.approx(1.58)
    assert result.cluster_sd == pytest.approx(SLEEP.std(ddof=1))


def test_the_default_interval_excludes_zero_exactly_when_p_is_below_alpha():
    disagreements = 0
    for seed in range(150):
        differences = generator(seed).normal(0.55, 1, 16)
        result = infer_mean(differences, n_bootstrap=1999, rng=generator(seed + 1))
        disagreements += (result.p_value < 0.05) != (result.low > 0 or result.high < 0)
    assert disagreements <= 1  # where the resampled quantile and the share fall on two draws


def test_the_default_procedure_swaps_with_the_arms():
    differences = generator(21).exponential(size=25) - 0.5
    forward = infer_mean(differences, n_bootstrap=4001, rng=generator(1))
    back = infer_mean(-differences, n_bootstrap=4001, rng=generator(1))
    assert (back.low, back.high) == pytest.approx((-forward.high, -forward.low))
    assert back.p_value == pytest.approx(forward.p_value)


def test_the_default_procedure_answers_degenerate_data():
    assert infer_mean([0.0] * 6, rng=generator()).p_value == 1.0
    same = infer_mean([0.3] * 6, rng=generator())
    assert np.isnan(same.p_value)
    assert same.low == same.high == pytest.approx(0.3)
    assert infer_mean([1.0, 2.0], rng=generator()).p_value >= paired_t_test([1.0, 2.0]).p_value
    with pytest.raises(ValueError, match="at least 2 are needed"):
        infer_mean([1.0, 2.0], ["a", "a"], rng=generator())


@pytest.mark.parametrize("shape", ["heavy", "skewed"])
def test_the_default_interval_covers_at_twelve_companies(shape):
    # benchmarks/calibration.py is the long version. Binomial(600, 0.95) is above 0.925 with
    # probability 0.997; the bootstrap-t alone covers 0.91 of "heavy", the t alone 0.92 of "skewed".
    rng, covered = generator(33), 0
    for _ in range(600):
        sizes = 1 + rng.poisson(3, 12)
        codes = np.repeat(range(12), sizes)
        z = np.sqrt(0.3) * rng.normal(size=12)[codes] + np.sqrt(0.7) * rng.normal(size=len(codes))
        u = scipy.stats.norm.cdf(z)
        if shape == "heavy":
            differences = np.clip(scipy.stats.t.ppf(u, 3) * 0.15, -1, 1)
        else:
            differences = scipy.stats.beta.ppf(u, 1.5, 5.0) - 1.5 / 6.5
        result = infer_mean(differences, codes, n_bootstrap=599, rng=rng)
        covered += result.low <= 0 <= result.high
    assert 0.925 <= covered / 600 <= 0.985
