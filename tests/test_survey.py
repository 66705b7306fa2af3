import math

import pytest
from conftest import make_call

from finllm.corpus.survey import Survey
from finllm.records import Turn

DISCLAIMER = "These statements are not guarantees of the future " * 3  # 24 words


def said(id, *lines):
    return make_call(id, turns=(Turn("Ann", "executive", "prepared", "\n".join(lines)),))


def leaves(value):
    return [x for v in value.values() for x in (leaves(v) if isinstance(v, dict) else [v])]


def test_a_paragraph_that_two_calls_share_is_counted_and_one_said_twice_in_a_call_is_not():
    survey = Survey()
    own = " ".join(f"word{i}" for i in range(24))
    survey.add(said("a", DISCLAIMER, own, own, "Thank you."))
    survey.add(said("b", DISCLAIMER.upper()))
    assert survey.metrics({"the": 1})["paragraphs"] == {
        "n_paragraphs": 3,
        "n_distinct": 2,
        "n_in_several_calls": 1,
        "share_of_words_repeated": pytest.approx(48 / 72),
        "n_distinct_but_for_a_few_words": 2,
        "n_near_in_several_places": 1,
        "n_paragraphs_near_repeated": 2,
        "share_of_words_near_repeated": pytest.approx(48 / 72),
    }


def test_a_paragraph_with_another_word_counts_as_nearly_repeated_and_not_as_repeated():
    survey = Survey()
    words = [f"word{chr(97 + i)}" for i in range(24)]
    survey.add(said("a", " ".join(words)))
    survey.add(said("b", " ".join([*words[:12], "other", *words[13:]])))
    found = survey.metrics({"the": 1})["paragraphs"]
    assert (found["n_distinct"], found["n_in_several_calls"]) == (2, 0)
    assert (found["n_distinct_but_for_a_few_words"], found["n_near_in_several_places"]) == (1, 1)
    assert found["share_of_words_near_repeated"] == 1 and found["share_of_words_repeated"] == 0


def test_surveys_of_two_halves_merge_to_the_survey_of_the_whole():
    calls = [said(name, DISCLAIMER, f"Sales of {name} in Q3 2021 rose.") for name in "abcd"]
    whole, one, other = Survey(), Survey(), Survey()
    for survey, part in ((whole, calls), (one, calls[:1]), (other, calls[1:])):
        for call in part:
            survey.add(call)
    one.merge(other)
    assert one.metrics({"the": 1}) == whole.metrics({"the": 1})


def test_the_periods_and_the_words_of_all_calls_are_in_the_metrics():
    survey = Survey()
    survey.add(said("a", "Sales in the third quarter of 2021 rose."))
    survey.add(said("b", "Sales in the second quarter of 2020 rose."))
    found = survey.metrics({"sales": 2, "margin": 2})
    assert found["temporal"]["share_period_named"] == 0.5
    assert found["temporal"]["n_repeated_periods"] == 1
    assert found["vocabulary"]["share_of_reference_seen"] == 0.5


@pytest.mark.parametrize("calls", [[], [make_call()]])
def test_every_metric_is_a_finite_scalar_so_that_dvc_can_compare_it(calls):
    survey = Survey()
    for call in calls:
        survey.add(call)
    found = leaves(survey.metrics({"the": 1}))
    assert found and all(isinstance(x, int | float) and math.isfinite(x) for x in found)
