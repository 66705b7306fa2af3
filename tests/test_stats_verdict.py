"""The verdict: four answers, two schools, and the companies that would settle it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finllm.stats.power import required_n
from finllm.stats.verdict import VERDICTS, clusters_needed, decide

NAN = float("nan")


def verdict_of(**changes):
    case = {
        "estimate": 0.05,
        "low": 0.03,
        "high": 0.07,
        "p_value": 0.001,
        "alpha": 0.05,
        "rope_low": -0.02,
        "rope_high": 0.02,
        "p_better": 0.999,
        "p_rope": 0.001,
        "bayes_usable": True,
        "n_clusters": 40,
        "cluster_sd": 0.06,
    }
    return decide(**{**case, **changes})


def test_better_when_both_schools_say_so():
    verdict = verdict_of()
    assert verdict.verdict == verdict.frequentist == verdict.bayesian == "better"
    assert verdict.disagreement == ""
    assert verdict.n_clusters_needed is None
    assert "clears the region of equivalence" in verdict.reason


def test_better_but_small_says_that_it_overlaps():
    assert "still overlaps" in verdict_of(low=0.005).reason


def test_worse_is_the_mirror_of_better():
    verdict = verdict_of(estimate=-0.05, low=-0.07, high=-0.03, p_better=0.001)
    assert verdict.verdict == "worse"
    assert "below zero" in verdict.reason


def test_equivalent_even_when_significant():
    verdict = verdict_of(estimate=0.008, low=0.002, high=0.014, p_rope=0.99, p_better=0.99)
    assert verdict.verdict == verdict.bayesian == "equivalent"
    assert "although it excludes zero" in verdict.reason


def test_inconclusive_says_how_many_companies_would_settle_it():
    verdict = verdict_of(estimate=0.03, low=-0.01, high=0.07, p_value=0.14, p_better=0.93)
    assert verdict.verdict == verdict.bayesian == "inconclusive"
    assert verdict.n_clusters_needed == required_n(0.02 / 0.06, alpha=0.05, power=0.8)
    assert f"About {verdict.n_clusters_needed} companies (here 40)" in verdict.reason


def test_a_corrected_p_value_above_alpha_is_not_better():
    verdict = verdict_of(p_value=0.08)
    assert verdict.frequentist == "inconclusive"
    assert "excludes zero, but p = 0.08" in verdict.reason


def test_a_disagreement_is_explained_and_the_measured_error_rate_decides():
    verdict = verdict_of(estimate=0.03, low=-0.001, high=0.06, p_value=0.06, p_better=0.98)
    assert (verdict.verdict, verdict.bayesian) == ("inconclusive", "better")
    assert "The interval says inconclusive, the posterior better" in verdict.disagreement
    shrunk = verdict_of(p_better=0.96, p_rope=0.1)
    assert (shrunk.verdict, shrunk.bayesian) == ("better", "inconclusive")
    assert "prior draws the estimate towards zero" in shrunk.disagreement


def test_figures_have_the_digits_that_they_have_in_the_tables():
    better = verdict_of(low=0.06749, high=0.22749, p_value=0.0018)
    assert "[0.067, 0.227] lies above zero (p = 0.002, below 0.05)" in better.reason
    assert better.reason.endswith("equivalence [−0.02, 0.02].")
    assert "(p < 0.001, below 0.05)" in verdict_of(p_value=0.0001).reason
    assert "(p = 0.0499, below 0.05)" in verdict_of(p_value=0.04994).reason
    open_ = verdict_of(low=-0.01234, p_value=0.0512, p_better=0.99987, rope_low=-0.0125)
    assert "[−0.012, 0.070] includes zero and reaches outside [−0.0125, 0.02]" in open_.reason
    assert "detect a difference of 0.0125 with power 0.8" in open_.reason
    assert "P(better) > 0.999, P(in the region of equivalence) = 0.001" in open_.disagreement
    point = verdict_of(low=-0.01, p_value=0.2, p_better=0.9, rope_low=0.0, rope_high=0.0)
    assert "detect a difference of 0.050 with" in point.reason


def test_opposite_answers_are_inconclusive():
    verdict = verdict_of(p_better=0.001)
    assert verdict.verdict == "inconclusive"
    assert "contradict" in verdict.disagreement


def test_an_unusable_posterior_is_named_and_not_used():
    verdict = verdict_of(bayes_usable=False, p_better=NAN, p_rope=NAN)
    assert (verdict.verdict, verdict.bayesian) == ("better", "not usable")
    assert "diagnostics" in verdict.disagreement


def test_nothing_to_judge_by_is_inconclusive():
    verdict = verdict_of(low=NAN, high=NAN, p_value=NAN, cluster_sd=0.0, bayes_usable=False)
    assert verdict.verdict == "inconclusive"
    assert "nothing varied" in verdict.reason
    assert verdict.n_clusters_needed is None
    same = verdict_of(estimate=0.0, low=0.0, high=0.0, p_value=1.0, p_better=0.5, p_rope=1.0)
    assert same.verdict == "equivalent"


def test_without_a_region_the_observed_difference_is_what_must_be_shown():
    needed = clusters_needed(0.03, 0.06, 0.0, 0.0, alpha=0.05, power=0.8)
    assert needed == required_n(0.5, alpha=0.05, power=0.8)
    assert clusters_needed(0.0, 0.06, 0.0, 0.0, alpha=0.05, power=0.8) is None
    assert clusters_needed(1e-9, 1.0, 0.0, 0.0, alpha=0.05, power=0.8) is None


def test_enough_companies_already_is_said_as_such():
    verdict = verdict_of(estimate=0.01, low=-0.005, high=0.025, p_value=0.2, n_clusters=400)
    assert "400 companies are enough" in verdict.reason


@given(st.floats(-1, 1), st.floats(0, 0.5), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_every_input_has_one_verdict_and_swapping_arms_mirrors_it(
    estimate, half, p_value, p_better, p_rope
):
    forward = verdict_of(
        estimate=estimate,
        low=estimate - half,
        high=estimate + half,
        p_value=p_value,
        p_better=p_better,
        p_rope=p_rope,
    )
    back = verdict_of(
        estimate=-estimate,
        low=-estimate - half,
        high=-estimate + half,
        p_value=p_value,
        p_better=1 - p_better,
        p_rope=p_rope,
    )
    mirror = {"better": "worse", "worse": "better"}
    assert forward.verdict in VERDICTS
    assert back.frequentist == mirror.get(forward.frequentist, forward.frequentist)
    assert back.n_clusters_needed == forward.n_clusters_needed


def test_impossible_inputs_are_refused():
    with pytest.raises(ValueError, match="p_better is 1.2"):
        verdict_of(p_better=1.2)
    with pytest.raises(ValueError, match="it must include zero"):
        verdict_of(rope_low=0.01)
