import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finllm.instruct import windows

costs = st.lists(st.integers(1, 30), max_size=30)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("It rose 4.5%. Thank you.", ["It rose 4.5%.", "Thank you."]),
        ("Revenue was $1.2 billion. $3 was cash.", ["Revenue was $1.2 billion.", "$3 was cash."]),
        ("One line\nanother", ["One line", "another"]),
        ("  \n\n ", []),
        ("", []),
        ("Up? Yes! Good.", ["Up?", "Yes!", "Good."]),
        ("We won. and lost", ["We won. and lost"]),
    ],
)
def test_a_text_is_cut_where_a_sentence_ends(text, parts):
    assert windows.sentences(text) == parts


@pytest.mark.parametrize(
    "text",
    [
        "I hand over to Mr. Smith now.",
        "Ms. Jones and Mrs. Lee met Dr. Brown.",
        "The U.S. Government paid.",
        "It was 5 vs. 7 last year.",
    ],
)
def test_an_abbreviation_does_not_end_a_sentence(text):
    assert windows.sentences(text) == [text]


def test_a_closing_quotation_mark_stays_with_its_sentence():
    assert windows.sentences('He said "no." She left.') == ['He said "no."', "She left."]


@given(st.text(alphabet="aB1$ .!?\"')]\n", max_size=80))
def test_no_character_but_blanks_is_lost_or_moved(text):
    joined = "".join(windows.sentences(text))
    assert re.sub(r"\s", "", joined) == re.sub(r"\s", "", text)


def test_a_sentence_with_guidance_outweighs_one_with_figures_and_that_one_plain_words():
    plain = windows.weight("Our people did well.", 0)
    figures = windows.weight("Revenue was 12.", 1)
    guidance = windows.weight("We expect revenue of 12.", 1)
    assert plain == 0 < figures < guidance


def test_digits_beyond_the_eighth_add_no_weight():
    assert windows.weight("1" * 8, 0) == windows.weight("1" * 80, 0) == 4


@given(st.lists(st.tuples(st.floats(0, 9), st.integers(1, 30)), max_size=30), st.integers(0, 99))
def test_the_densest_sentences_fit_the_budget_and_stay_in_order(rows, budget):
    chosen = windows.densest([w for w, _ in rows], [c for _, c in rows], budget)
    assert chosen == sorted(set(chosen))
    assert sum(rows[i][1] for i in chosen) <= budget


def test_the_densest_are_the_weightiest_that_fit_and_weightless_ones_are_left_out():
    assert windows.densest([1, 5, 0, 3], [10, 10, 1, 10], 21) == [1, 3]
    assert windows.densest([2, 2], [5, 5], 5) == [0]


def test_where_nothing_has_weight_the_first_sentence_stands_in():
    assert windows.densest([0, 0], [5, 5], 20) == [0]


@given(costs, st.integers(0, 30), st.integers(0, 100))
def test_a_run_is_the_longest_that_fits(costs, start, budget):
    end = windows.contiguous(costs, start, budget)
    assert end >= start and sum(costs[start:end]) <= budget
    if end < len(costs):
        assert sum(costs[start : end + 1]) > budget


def test_guidance_is_known_by_its_words():
    assert windows.is_guidance("We reaffirm our outlook.")
    assert not windows.is_guidance("Revenue was flat.")
