import numpy as np
import pytest
import scipy.stats

from finllm.comparing.cross_domain import Gain, cross_domain, difference_of_means
from finllm.comparing.pairs import Pairs
from finllm.records import METRICS
from finllm.stats.inference import MeanInference, infer_mean


def pairs(differences, companies):
    base = {name: np.zeros(len(differences)) for name in METRICS}
    tuned = {name: np.array(differences, dtype=float) for name in METRICS}
    n = len(differences)
    return Pairs([str(i) for i in range(n)], companies, ["summarization"] * n, base, tuned)


def mean_of(values):
    rng = np.random.default_rng(0)
    return infer_mean(values, confidence=0.9, n_bootstrap=199, rng=rng)


def test_the_difference_of_two_gains_is_welchs():
    a, b = [0.1, 0.3, 0.2, 0.6], [0.0, 0.1, -0.1]
    found = difference_of_means(mean_of(a), mean_of(b), confidence=0.9)
    welch = scipy.stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((welch.low, welch.high))
    assert found.estimate == pytest.approx(0.3)


def test_gains_without_spread_differ_by_a_width_of_zero():
    one = MeanInference(0.5, 0.5, 0.5, float("nan"), 0.0, 0.0, 3, 3)
    other = MeanInference(0.25, 0.25, 0.25, float("nan"), 0.0, 0.0, 3, 3)
    assert difference_of_means(one, other, confidence=0.95) == Gain(0.25, 0.25, 0.25)


def test_each_set_is_weighed_by_company():
    test = pairs([0.3, 0.3, 0.3, 0.1, 0.2], ["a", "a", "a", "b", "c"])
    transfer = pairs([0.0, 0.1, -0.1], ["d", "e", "f"])
    found = cross_domain(test, transfer, confidence=0.95, n_bootstrap=199, seed=1)
    assert set(found) == set(METRICS)
    one = found["bleu"]
    assert one.test.estimate == pytest.approx(0.2)
    assert one.transfer.estimate == pytest.approx(0.0)
    assert one.change.estimate == pytest.approx(-0.2)
    assert one.transfer.low < 0 < one.transfer.high and one.change.low < -0.2 < one.change.high
    assert (one.n_test_companies, one.n_transfer_companies) == (3, 3)


def test_a_set_of_one_company_or_none_leaves_nothing_to_compare():
    test = pairs([0.3, 0.1], ["a", "b"])
    for transfer in (pairs([0.1, 0.2], ["d", "d"]), pairs([], [])):
        assert cross_domain(test, transfer, confidence=0.95, n_bootstrap=199, seed=1) == {}


def test_an_undefined_score_leaves_its_metric_only():
    test, transfer = pairs([0.3, 0.1], ["a", "b"]), pairs([0.3, 0.1], ["d", "e"])
    transfer.tuned["term_recall"][0] = np.nan
    found = cross_domain(test, transfer, confidence=0.95, n_bootstrap=199, seed=1)
    assert set(METRICS) - set(found) == {"term_recall"}
