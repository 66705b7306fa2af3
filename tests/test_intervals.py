"""The candidates of benchmarks/intervals.py: the default there is the default here."""

import numpy as np
import pytest
import scipy.stats

from benchmarks import intervals
from finllm.stats import inference

ALPHA = 0.05


@pytest.fixture
def studies():
    table = intervals.further_tables()["lognormal"]
    return intervals.company_means(table, 12, 40, np.random.default_rng(5))


def test_the_default_of_the_benchmark_is_the_procedure_itself(studies, monkeypatch):
    # The same resamples for both; the quantile of 9,999 is an order statistic or close to it.
    t_star, _ = intervals.resampled_t(studies, 9999, 3)
    means, errors = studies.mean(axis=1), studies.std(axis=1, ddof=1) / np.sqrt(12)
    found = intervals.bounds(np.sort(t_star), scipy.stats.skew(studies, axis=1), 12, ALPHA)
    low, high = found["default"]
    for i, study in enumerate(studies):
        monkeypatch.setattr(inference, "bootstrap_t", lambda *_, i=i, **__: t_star[i])
        one = inference.infer_mean(study, n_bootstrap=9999, rng=np.random.default_rng(0))
        assert one.low == pytest.approx(means[i] - high[i] * errors[i], rel=0.01)
        assert one.high == pytest.approx(means[i] - low[i] * errors[i], rel=0.01)


def test_its_resamples_are_those_of_the_procedure(studies):
    ours, _ = intervals.resampled_t(studies[:1], 40_000, 11)
    theirs = inference.bootstrap_t(studies[0], n_bootstrap=40_000, rng=np.random.default_rng(12))
    assert scipy.stats.ks_2samp(ours[0], theirs).pvalue > 0.001


def test_without_skew_nothing_is_transformed_and_with_it_the_transform_is_monotone():
    assert intervals.hall(0.7, 0.0, 9) == pytest.approx(3 * 0.7)
    w = np.linspace(-4, 4, 200)
    assert (np.diff(intervals.hall(w, 1.5, 9)) > 0).all()


def test_every_shape_has_mean_zero_and_students_t_keeps_its_level_on_normal_data():
    tables = intervals.quantile_tables() | intervals.further_tables()
    assert len(tables) == 12
    assert all(abs(table.mean()) < 1e-9 for table in tables.values())
    found = intervals.misses(tables["normal"], 20, 4000, 199, np.random.default_rng(2))
    assert set(found) == set(intervals.CANDIDATES)
    # Binomial(4000, 0.05): between 0.038 and 0.063 with probability 0.9995.
    assert 0.038 < sum(found["t"]) < 0.063
    assert sum(found["default"]) <= min(sum(found["t"]), sum(found["boot_t"]))
