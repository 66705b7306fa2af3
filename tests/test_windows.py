import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finllm.instruct import windows
from finllm.languages.lexicon import BUILTIN, Lexicon

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


def contents_of(*sentences):
    lexicon = Lexicon(BUILTIN)
    return [windows.content(s, [term for term, *_ in lexicon.find(s)]) for s in sentences]


def test_every_headline_is_a_term_of_the_lexicon():
    assert set(windows.HEADLINES) <= set(Lexicon(BUILTIN).categories)


def test_a_headline_metric_is_worth_more_than_another_term_and_that_as_much_as_plain_words():
    share, sales, backlog, cost, plain = (
        content.worth
        for content in contents_of(
            "Earnings per share were 12.", "Net sales were 12.", "Backlog was 12.",
            "Costs were 12.", "We have 12 people.",
        )
    )  # fmt: skip
    assert share > sales > backlog > cost == plain == 0


def test_guidance_adds_worth():
    said, expected = contents_of("Revenue was 12.", "We expect revenue of 12.")
    assert expected.worth > said.worth


def test_the_figures_of_a_sentence_are_kept_as_written_without_its_full_stop():
    (content,) = contents_of("Sales rose 4.5%, to $1,200.50 in 2021.")
    assert content.figures == {"4.5", "1,200.50", "2021"}


contents = st.builds(
    windows.Content, st.frozensets(st.sampled_from("123456"), max_size=4), st.floats(0, 9)
)


@given(st.lists(st.tuples(contents, st.integers(1, 30)), max_size=30), st.integers(0, 99))
def test_the_most_telling_sentences_fit_the_budget_and_stay_in_order(rows, budget):
    chosen = windows.most_telling([c for c, _ in rows], [c for _, c in rows], budget)
    assert chosen == sorted(set(chosen))
    assert sum(rows[i][1] for i in chosen) <= budget
    if any(cost <= budget for _, cost in rows):
        assert chosen


@given(st.lists(st.tuples(contents, st.integers(1, 30)), min_size=1, max_size=9))
def test_the_choice_is_that_of_a_plain_greedy_search(rows):
    """Without the heap: at each step the best of all that fit, by the values of that moment."""
    told, costs = [c for c, _ in rows], [c for _, c in rows]
    budget = sum(costs) // 2 + 1
    greedy, left = [], budget
    while True:
        seen = set().union(*(told[i].figures for i in greedy))
        values = {}
        for i, content in enumerate(told):
            n_new = len(content.figures - seen)
            value = content.worth + windows.FIGURE * min(n_new, windows.MAX_FIGURES)
            value *= 1 if n_new else windows.FILLER
            values[i] = value / (1 + i / len(told)) / math.sqrt(costs[i])
        fit = [i for i in values if i not in greedy and costs[i] <= left]
        fit = [i for i in fit if values[i] > 0 or not greedy]
        if not fit:
            break
        greedy.append(max(fit, key=lambda i: (values[i], -i)))
        left -= costs[greedy[-1]]
    assert windows.most_telling(told, costs, budget) == sorted(greedy)


def test_a_repeated_figure_gives_way_to_a_new_one():
    said = contents_of("Revenue was $5.", "Again, revenue was $5.", "Costs were $7.")
    assert windows.most_telling(said, [5, 5, 5], 10) == [0, 2]
    assert windows.most_telling(said, [5, 5, 5], 15) == [0, 1, 2]


def test_the_earlier_of_two_equal_sentences_is_told_and_weightless_ones_are_left_out():
    said = contents_of("Net income was $3.", "Net income was $4.", "Thank you.")
    assert windows.most_telling(said, [5, 5, 5], 9) == [0]
    assert windows.most_telling(said, [5, 5, 5], 15) == [0, 1]


def test_a_short_sentence_gives_way_to_a_long_one_only_where_that_tells_more():
    said = contents_of("Sales were $3.", "Sales were $4, EPS 5 cents and free cash flow $6.")
    assert windows.most_telling(said, [5, 10], 10) == [1]
    assert windows.most_telling(said, [5, 200], 204) == [0]


def test_where_nothing_has_weight_the_first_sentence_stands_in():
    assert windows.most_telling(contents_of("Good morning.", "Thank you."), [5, 5], 20) == [0]


@given(costs, st.integers(0, 30), st.integers(0, 100))
def test_a_run_is_the_longest_that_fits(costs, start, budget):
    end = windows.contiguous(costs, start, budget)
    assert end >= start and sum(costs[start:end]) <= budget
    if end < len(costs):
        assert sum(costs[start : end + 1]) > budget


def test_guidance_is_known_by_its_words():
    assert windows.is_guidance("We reaffirm our outlook.")
    assert not windows.is_guidance("Revenue was flat.")
