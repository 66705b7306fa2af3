"""Each corruption makes an error that only its content tells from the original."""

import re

import numpy as np
import pytest

from finllm.preference.corruptions import (
    ERRORS,
    flip_direction,
    invent_number,
    scale_number,
    swap_number,
    wrong_period,
)


def results(edit, summary, call=""):
    return {edit(summary, call, np.random.default_rng(seed)) for seed in range(24)}


def test_another_figure_is_of_the_same_kind_and_never_of_the_same_value():
    call = "Margin was 31%, or 40 basis points more; sales were $4.2 billion, costs $900 million."
    assert results(swap_number, "margin was 12%", call) == {"margin was 31%"}
    assert results(swap_number, "sales were $4,200 million", call) == {"sales were $900 million"}
    assert results(swap_number, "eps was $0.14", call) == {"eps was $0.14"}
    assert results(swap_number, "rose 12 stores", call) == {"rose 12 stores"}


def test_another_figure_is_written_as_the_summary_writes_its_units():
    call = "Growth was 31%. Sales were $4.2 billion."
    assert results(swap_number, "up 2.5 percent", call) == {"up 31 percent"}
    assert results(swap_number, "sales $900 mln", call) == {"sales $4.2 bln"}
    assert results(swap_number, "Sales $900 Million", call) == {"Sales $4.2 Billion"}


def test_a_figure_with_another_of_its_kind_is_chosen_where_there_is_one():
    call = "Sales were $4.2 billion against $3.1 billion."
    found = results(swap_number, "eps $0.14\nsales $4.2 billion", call)
    assert found == {"eps $0.14\nsales $3.1 billion"}


@pytest.mark.parametrize("call", ["Der Umsatz stieg um 13,9 Prozent.", "Plus von 13,9% auf 62,8."])
def test_numbers_with_a_decimal_comma_are_no_figures_of_an_english_summary(call):
    assert results(swap_number, "revenue rose 13.9 percent", call) == {"revenue rose 13.9 percent"}
    assert results(swap_number, "rose 13.9 to 70", call) == {"rose 13.9 to 70"}


def test_an_invented_figure_keeps_its_grouping_and_decimals():
    for text in results(invent_number, "sales were $1,200.5 million"):
        assert re.fullmatch(r"sales were \$[1-3],\d{3}\.\d million", text)


@pytest.mark.parametrize(
    ("edit", "said", "changed"),
    [
        (scale_number, "Revenue was $4.2 Billion", {"Revenue was $4.2 Million"}),
        (flip_direction, "Q2 revenue Up 5%", {"Q2 revenue Down 5%"}),
        (flip_direction, "REVENUE ROSE 5%", {"REVENUE FELL 5%"}),
        (flip_direction, "Higher margins", {"Lower margins"}),
        (wrong_period, "Q2 revenue", {"Q1 revenue", "Q3 revenue", "Q4 revenue"}),
        (wrong_period, "in the Second quarter",
         {f"in the {n} quarter" for n in ("First", "Third", "Fourth")}),
        (ERRORS["flipped sign"], "Net loss narrowed", {"Net income narrowed"}),
        (ERRORS["swapped item"], "Gross margin fell", {"Operating margin fell"}),
    ],
)  # fmt: skip
def test_words_are_found_in_any_case_and_replaced_in_theirs(edit, said, changed):
    assert results(edit, said) == changed
