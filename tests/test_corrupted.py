"""A corrupted pair prefers only what the excerpt states, and its rejected answer is worse."""

import re
from dataclasses import replace

import numpy as np
import pytest
from conftest import make_example

from finllm.fiction.synthetic import iter_calls
from finllm.numbers.support import stated_figures, unstated_spans
from finllm.preference.corrupted import EDITS, FIGURES, INVENTED, corrupted_pairs, stated_lines
from finllm.preference.pairs import rank

CALL = "In q3 2021 revenue rose 12% to $4.2 billion and net income was $310 million."
ANSWER = "q3 revenue rose 12% to $4.2 billion\nnet income was $310 million"


def example(**changes):
    return replace(make_example(excerpt=CALL, answer=ANSWER), **changes)


def of(language):
    """Summaries of fictional calls in a language, with what the call does not state."""
    calls = iter_calls(
        n_companies=6, n_calls=6, first_year=2020, rng=np.random.default_rng(3), language=language
    )
    for call in calls:
        excerpt = "\n".join(turn.text for turn in call.turns)
        unstated = unstated_spans(call.summary, stated_figures(excerpt, language))
        yield example(id=call.id, excerpt=excerpt, answer=call.summary, unstated=unstated)


def corrupted(examples, seed=3):
    kept, _ = stated_lines(examples)
    return corrupted_pairs(kept, np.random.default_rng(seed))[0]


def form(text):
    """A text with its numbers as "0" and its magnitudes as "million"."""
    return re.sub(r"\d{1,3}(,\d{3})+(\.\d+)?|\d+(\.\d+)?", "0", text).replace("billion", "million")


def test_each_kind_of_error_makes_one_thing_wrong_in_the_reference():
    found = corrupted([example()])
    assert [one.fault for one in found] == [fault for fault in EDITS if fault != INVENTED]
    assert all(one.chosen == ANSWER != one.rejected for one in found)
    by_fault = {one.fault: one.rejected for one in found}
    assert by_fault["another scale"] in (
        ANSWER.replace("4.2 billion", "4.2 million"),
        ANSWER.replace("310 million", "310 billion"),
    )
    assert by_fault["another direction"] == ANSWER.replace("rose", "fell")


def test_an_error_that_does_not_fit_gives_no_pair():
    found = corrupted([example(answer="good morning")])
    assert [one.fault for one in found] == ["repeated bullet"]


def test_neither_answer_states_a_figure_that_the_excerpt_lacks_but_for_the_error():
    at = len(ANSWER) + len("\nmargin was ")
    row = example(answer=f"{ANSWER}\nmargin was 31%\n", unstated=[[at, at + 3]])
    kept, n_left_out = stated_lines([row])
    assert n_left_out == 1 and kept[0].answer == ANSWER
    found = corrupted([row])
    assert found and all(one.chosen == ANSWER and "31%" not in one.rejected for one in found)


def test_a_reference_of_unstated_figures_gives_no_pair():
    row = example(answer="margin was 31%", unstated=[[11, 14]])
    assert stated_lines([row])[1] == 1 and corrupted([row]) == []


def test_a_question_is_only_repeated_for_it_states_nothing_that_could_be_wrong():
    row = example(template="questions", answer="Are you more confident in q3, or less so?")
    assert [one.fault for one in corrupted([row])] == ["repeated bullet"]


@pytest.mark.parametrize(
    "excerpt", ["Der Umsatz stieg um 13,9 % auf 62,8 Mio. Euro, nach 40,1 Mio.", CALL]
)
def test_where_no_figure_of_the_excerpt_fits_one_is_invented_and_called_so(excerpt):
    found = corrupted([example(excerpt=excerpt, answer="eps $0.14 of 13.9 points")])
    by_fault = {one.fault: one.rejected for one in found}
    assert "another figure" not in by_fault and "," not in by_fault[INVENTED]


def test_another_number_that_no_metric_reads_as_a_figure_gives_no_pair_and_is_counted():
    row = example(excerpt="It filed 20 forms.", answer="filed its 10-k")
    found, left_out = corrupted_pairs([row], np.random.default_rng(3))
    assert [one.fault for one in found] == ["repeated bullet"] and left_out == {"not_worse": 1}


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_wrong_figure_ranks_below_the_right_one_and_has_its_form(language):
    examples = list(of(language))
    kept, _ = stated_lines(examples)
    by_id = {row.id: row for row in kept}
    n = dict.fromkeys(FIGURES, 0)
    for seed in range(4):
        for one in corrupted(examples, seed):
            row = by_id[one.example_id]
            assert one.rejected.strip() != one.chosen.strip() == row.answer
            assert unstated_spans(one.chosen, stated_figures(row.excerpt, language)) == []
            if one.fault in FIGURES:
                n[one.fault] += 1
                assert rank(one.rejected, row) < rank(one.chosen, row)
                assert form(one.rejected) == form(one.chosen)
    other, invented, scaled = n.values()
    assert scaled > 20 and (other if language == "en" else invented) > 20
    assert not (invented if language == "en" else other)
