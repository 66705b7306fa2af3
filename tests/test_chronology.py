from dataclasses import replace

import pytest
from test_splits import assign, corpus, sets_of

from finllm.instruct import chronology

PERIODS = [f"{year}Q{quarter}" for year in (2020, 2021) for quarter in (1, 2, 3, 4)]


def dated(n_companies=20):
    return [
        replace(e, period=PERIODS[int(e.transcript_id[4:])]) for e in corpus(n_companies, n_calls=8)
    ]


@pytest.mark.parametrize("embargo", [0, 1, 3])
def test_what_is_tested_is_later_than_all_training_and_the_embargo(embargo):
    examples = dated()
    split_of = assign(examples, sectors=("Health",))
    cutoff = chronology.choose_cutoff(examples, split_of, embargo_quarters=embargo)
    reasons = chronology.out_of_time(examples, split_of, cutoff=cutoff, embargo_quarters=embargo)
    kept = [e for e in examples if e.id not in reasons]
    sets = sets_of(kept, split_of)
    assert all(sets.values())
    latest = max(e.period for e in sets["train"] + sets["val"])
    first = min(e.period for e in sets["test"] + sets["transfer"])
    gap = chronology.quarter_number(first) - chronology.quarter_number(latest)
    assert gap == embargo + 1
    assert chronology.n_too_early(sets, embargo_quarters=embargo) == 0
    assert chronology.n_too_early(sets, embargo_quarters=embargo + 1) > 0
    found = set(reasons.values())
    assert found == {"before_cutoff", "after_cutoff"} | ({"in_embargo"} if embargo else set())


def test_without_an_embargo_the_cutoff_halves_an_even_calendar():
    examples = dated()
    cutoff = chronology.choose_cutoff(examples, assign(examples), embargo_quarters=0)
    assert cutoff == chronology.quarter_number("2021Q1")


def test_a_call_without_a_period_is_in_no_set():
    examples = [replace(dated()[0], period="")]
    reasons = chronology.out_of_time(examples, {"c00": "train"}, cutoff=0, embargo_quarters=0)
    assert list(reasons.values()) == ["no_period"]


def test_an_embargo_longer_than_the_corpus_is_an_error_that_names_it():
    examples = dated()
    with pytest.raises(ValueError, match="split.embargo_quarters 9"):
        chronology.choose_cutoff(examples, assign(examples), embargo_quarters=9)
