"""Bad input to every function over differences: a defined answer, or one clear error."""

import math

import numpy as np
import pytest

from finllm import stats

INFER = {"n_bootstrap": 199}


def rng():
    return np.random.default_rng(0)


OVER_DIFFERENCES = {
    "t": lambda d: stats.paired_t_test(d),
    "wilcoxon": lambda d: stats.wilcoxon_signed_rank(d),
    "shapiro": lambda d: stats.shapiro_wilk(d),
    "flips": lambda d: stats.sign_flip_permutation_test(d, 99, rng()),
    "choice": lambda d: stats.choose_test(d),
    "d_z": lambda d: stats.cohens_d_z(d),
    "g": lambda d: stats.hedges_g(d),
    "common language": lambda d: stats.common_language_effect_size(d),
    "bootstrap": lambda d: stats.bootstrap_ci(d, rng=rng(), **INFER),
    "mean": lambda d: stats.infer_mean(d, rng=rng(), **INFER),
    "bayes factor": lambda d: stats.jzs_bayes_factor(d),
}
NEED_TWO = [name for name in OVER_DIFFERENCES if name not in ("wilcoxon", "flips", "choice")]


@pytest.mark.parametrize("name", OVER_DIFFERENCES)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_nan_and_infinity_are_refused_with_their_place(name, bad):
    with pytest.raises(ValueError, match=rf"\[2\] is {bad} \(1 such values\)"):
        OVER_DIFFERENCES[name]([0.1, 0.2, bad, 0.3])


@pytest.mark.parametrize("name", OVER_DIFFERENCES)
def test_no_values_are_refused(name):
    with pytest.raises(ValueError, match="0 values; at least"):
        OVER_DIFFERENCES[name]([])


@pytest.mark.parametrize("name", NEED_TWO)
def test_one_value_is_refused_where_variation_is_needed(name):
    with pytest.raises(ValueError, match="at least|t needs"):
        OVER_DIFFERENCES[name]([0.3])


def test_one_value_elsewhere_says_nothing_firmly():
    assert stats.wilcoxon_signed_rank([0.3]).p_value == 1
    assert stats.sign_flip_permutation_test([0.3], 99, rng()).p_value == 1
    assert "cannot be judged" in stats.choose_test([0.3]).reason


@pytest.mark.parametrize("name", [name for name in OVER_DIFFERENCES if name != "shapiro"])
def test_two_values_have_an_answer(name):
    assert OVER_DIFFERENCES[name]([0.1, 0.3]) is not None


def test_all_zero_is_no_difference_everywhere():
    zero = [0.0] * 8
    for name in ("t", "wilcoxon", "flips", "mean"):
        assert OVER_DIFFERENCES[name](zero).p_value == 1, name
    for name in ("d_z", "g", "bootstrap", "mean"):
        found = OVER_DIFFERENCES[name](zero)
        assert (found.estimate, found.low, found.high) == (0, 0, 0), name
    assert stats.common_language_effect_size(zero).estimate == 0.5
    assert stats.jzs_bayes_factor(zero).bf10 < 1
    assert math.isnan(stats.shapiro_wilk(zero).p_value)


def test_all_equal_and_not_zero_has_no_spread_to_judge_by():
    same = [0.25] * 8
    for name in ("t", "shapiro", "mean"):
        assert math.isnan(OVER_DIFFERENCES[name](same).p_value), name
    for name in ("d_z", "g"):
        assert math.isnan(OVER_DIFFERENCES[name](same).estimate), name
    for name in ("bootstrap", "mean"):
        found = OVER_DIFFERENCES[name](same)
        assert (found.low, found.high) == (0.25, 0.25), name
    # The tests that need no spread still answer.
    assert stats.sign_flip_permutation_test(same, 999, rng()).p_value == 2 / 2**8
    assert stats.wilcoxon_signed_rank(same).p_value < 0.05
    assert stats.jzs_bayes_factor(same).log_bf10 == math.inf


@pytest.mark.parametrize("name", ["t", "mean", "bootstrap", "bayes factor"])
def test_one_company_is_refused(name):
    call = {
        "t": lambda: stats.paired_t_test([0.1, 0.2, 0.3], ["a"] * 3),
        "mean": lambda: stats.infer_mean([0.1, 0.2, 0.3], ["a"] * 3, rng=rng(), **INFER),
        "bootstrap": lambda: stats.bootstrap_ci([0.1, 0.2], clusters=["a"] * 2, rng=rng(), **INFER),
        "bayes factor": lambda: stats.jzs_bayes_factor([0.1, 0.2], clusters=["a"] * 2),
    }[name]
    with pytest.raises(ValueError, match="at least 2 are needed"):
        call()


def test_lengths_that_differ_are_refused_with_both():
    with pytest.raises(ValueError, match="tuned has 3 scores and base 2"):
        stats.cohens_d([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match="2 labels for 3 differences"):
        stats.paired_t_test([1, 2, 3], ["a", "b"])
    arms = {"bleu": np.zeros(3)}, {"bleu": np.zeros(2)}
    with pytest.raises(ValueError, match="bleu has 3 scores of base and 2 of tuned on 3"):
        compare(*arms, primary="bleu")


def test_an_unknown_primary_metric_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="the primary metric is 'sense'; the metrics are bleu"):
        compare({"bleu": np.zeros(3)}, {"bleu": np.zeros(3)}, primary="sense")


def compare(base, tuned, *, primary):
    settings = {"confidence": 0.95, "n_permutations": 99, "n_bootstrap": 199, "seed": 0}
    return stats.compare(base, tuned, ["a", "b", "c"], primary=primary, **settings)
