"""Corrections for several metrics against R's p.adjust, statsmodels and full enumeration."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finllm.stats.multiplicity import (
    benjamini_hochberg,
    bonferroni,
    gatekeep,
    holm,
    max_t_permutation,
)
from finllm.stats.paired_tests import sign_flip_permutation_test

# Benjamini and Hochberg (1995), section 3.1: fifteen p-values of a thrombolysis study.
PAPER = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459]
PAPER += [0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000]
MIXED = [0.01, 0.04, 0.03, 0.005, 0.2, 0.04]
p_lists = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def max_t(differences, clusters=None, n_permutations=4999, seed=0):
    return max_t_permutation(
        differences,
        clusters,
        n_permutations=n_permutations,
        rng=np.random.default_rng(seed),
    )


def test_rejections_of_benjamini_and_hochbergs_paper():
    # The paper: Bonferroni rejects the three smallest, their procedure the four smallest.
    assert (bonferroni(PAPER) <= 0.05).sum() == 3
    assert (holm(PAPER) <= 0.05).sum() == 3
    assert (benjamini_hochberg(PAPER) <= 0.05).sum() == 4
    assert benjamini_hochberg(PAPER)[3] == pytest.approx(0.035625)


def test_adjusted_values_in_input_order():
    # statsmodels 0.15 multipletests(MIXED, method=...); R's p.adjust gives the same by definition.
    assert bonferroni(MIXED) == pytest.approx([0.06, 0.24, 0.18, 0.03, 1.0, 0.24])
    assert holm(MIXED) == pytest.approx([0.05, 0.12, 0.12, 0.03, 0.2, 0.12])
    assert benjamini_hochberg(MIXED) == pytest.approx([0.03, 0.048, 0.048, 0.03, 0.2, 0.048])


def test_holm_of_the_paper_has_its_running_maximum():
    # statsmodels 0.15 multipletests(PAPER, method="holm")
    expected = [0.0015, 0.0056, 0.0247, 0.114, 0.2211, 0.278, 0.278, 0.278, 0.3213] + [1.0] * 6
    assert holm(PAPER) == pytest.approx(expected)


@given(p_lists)
def test_holm_lies_between_the_raw_values_and_bonferroni(p_values):
    raw, adjusted = np.array(p_values), holm(p_values)
    assert (adjusted >= raw).all()
    assert (adjusted <= bonferroni(p_values) + 1e-15).all()
    assert (benjamini_hochberg(p_values) <= adjusted + 1e-12).all()


@given(p_lists, st.randoms())
def test_the_order_of_metrics_does_not_matter(p_values, random):
    order = list(range(len(p_values)))
    random.shuffle(order)
    shuffled = np.array(p_values)[order]
    for adjust in (bonferroni, holm, benjamini_hochberg):
        assert adjust(shuffled) == pytest.approx(adjust(p_values)[order])


def test_a_test_that_could_not_be_made_is_not_counted():
    for adjust in (bonferroni, holm, benjamini_hochberg):
        adjusted = adjust([0.01, np.nan, 0.02])
        assert np.isnan(adjusted[1])
        assert adjusted[[0, 2]] == pytest.approx(adjust([0.01, 0.02]))
    assert holm([]).tolist() == []
    assert np.isnan(holm([np.nan])).all()


def test_a_p_value_outside_zero_to_one_is_named():
    with pytest.raises(ValueError, match=r"p_values\[1\] is 1.2"):
        holm([0.1, 1.2])


def test_the_gate_holds_back_secondaries_until_the_primary_rejects():
    assert gatekeep(0.2, [0.01, 0.5]).tolist() == [0.2, 0.5]
    assert gatekeep(0.001, [0.01, 0.5]).tolist() == [0.01, 0.5]
    assert np.isnan(gatekeep(float("nan"), [0.01])).all()


def test_one_metric_alone_is_the_sign_flip_test():
    differences = np.random.default_rng(1).normal(0.4, 1, 12)
    alone = sign_flip_permutation_test(differences, 4999, np.random.default_rng(2))
    result = max_t(differences[:, None])
    assert result.p_value[0] == result.p_adjusted[0] == alone.p_value


def test_max_t_against_full_enumeration():
    differences = np.random.default_rng(3).normal([0.9, 0.2, 0.5], [1, 30, 0.01], (8, 3))

    def t_of(rows):
        return np.abs(rows.mean(axis=0)) / (rows.std(axis=0, ddof=1) / np.sqrt(8))

    flipped = np.array(
        [t_of(differences * np.array(s)[:, None]) for s in itertools.product([1, -1], repeat=8)]
    )
    observed = t_of(differences)
    order = np.argsort(-observed)
    step_down = [
        (flipped[:, order[i:]].max(axis=1) >= observed[order[i]] - 1e-9).mean() for i in range(3)
    ]
    result = max_t(differences)
    assert np.abs(result.statistic) == pytest.approx(observed)
    assert result.p_adjusted[order] == pytest.approx(np.maximum.accumulate(step_down))
    assert result.p_value == pytest.approx((flipped >= observed - 1e-9).mean(axis=0))


def test_max_t_does_not_depend_on_the_units_of_a_metric():
    differences = np.random.default_rng(4).normal(0.3, 1, (25, 3))
    base, scaled = max_t(differences), max_t(differences * [1, 1000, 0.001])
    assert scaled.p_adjusted == pytest.approx(base.p_adjusted)
    assert scaled.statistic == pytest.approx(base.statistic)


def test_copies_of_a_metric_cost_nothing_and_bonferroni_would_charge_for_them():
    differences = np.random.default_rng(5).normal(0.8, 1, (20, 1))
    one, four = max_t(differences), max_t(np.repeat(differences, 4, axis=1))
    assert four.p_adjusted == pytest.approx(np.repeat(one.p_value, 4))
    assert bonferroni(four.p_value)[0] == pytest.approx(4 * one.p_value[0])


def test_max_t_flips_whole_clusters():
    rng = np.random.default_rng(6)
    differences = rng.normal(0.5, 1, (10, 2))
    copied = np.repeat(differences, 5, axis=0)
    by_company = max_t(copied, np.repeat(range(10), 5))
    assert by_company.p_adjusted == pytest.approx(max_t(differences).p_adjusted)
    assert by_company.n_clusters == 10


def test_a_metric_without_scores_somewhere_uses_the_rest():
    rng = np.random.default_rng(7)
    differences = rng.normal(0.5, 1, (12, 2))
    differences[3:5, 1] = np.nan
    differences = np.column_stack([differences, np.full(12, np.nan), np.zeros(12)])
    result = max_t(differences)
    kept = np.delete(differences[:, 1], [3, 4])
    assert result.statistic[1] == pytest.approx(kept.mean() / kept.std(ddof=1) * np.sqrt(10))
    assert np.isnan(result.p_adjusted[2])
    assert result.p_value[3] == 1.0
    without = max_t(differences[:, :2])
    assert result.p_adjusted[:2] == pytest.approx(without.p_adjusted)


def test_max_t_holds_the_family_wise_error_of_related_metrics():
    rng, codes, rejected = np.random.default_rng(8), np.repeat(range(15), 3), 0
    for seed in range(300):
        shared = rng.normal(size=(15, 1))[codes] + rng.normal(size=(45, 4))
        rejected += (max_t(shared, codes, 199, seed).p_adjusted <= 0.05).any()
    # Binomial(300, 0.05) lies at or below 0.09 with probability 0.998.
    assert 0.01 <= rejected / 300 <= 0.09


def test_bad_matrices_are_refused():
    with pytest.raises(ValueError, match="n_examples, n_metrics"):
        max_t([1.0, 2.0])
    with pytest.raises(ValueError, match="infinity"):
        max_t([[1.0], [np.inf]])
