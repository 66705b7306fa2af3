"""One notation for amounts, and no value changed by it."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finllm.corpus.notation import (
    signature,
    standardise_notation,
    standardise_transcript,
)
from finllm.numbers import extract_quantities
from finllm.records import Transcript, Turn

DATA = Path(__file__).parents[1] / "../shared/data"


@pytest.mark.parametrize(
    ("text", "standard"),
    [
        ("USD 1.2bn", "$1.2 billion"),
        ("$1.2 billion", "$1.2 billion"),
        ("1,200 million dollars", "$1.2 billion"),
        ("US$452.2 mln", "$452.2 million"),
        ("0.8 billion dollars", "$0.8 billion"),
        ("$1,250.5 million", "$1.2505 billion"),
        ("56 cents", "$0.56"),
        ("EUR1.2bn", "EUR 1.2 billion"),
        ("1.2 million euros", "EUR 1.2 million"),
        ("5 percent", "5%"),
        ("5 pct", "5%"),
        ("50 BPs", "50 basis points"),
        ("$5", "$5"),
    ],
)
def test_amounts_come_out_in_one_notation(text, standard):
    assert standardise_notation(f"it was {text} then") == f"it was {standard} then"


@pytest.mark.parametrize(
    "text",
    [
        "fifty-six cents",
        "rupees 1,541 crores",
        "a dollar 83",
        "$2 and 7 cents",
        "S&P 500 and 10-K",
        "2 percentage points",
        "",
        "\n\n",
    ],
)
def test_what_no_rule_fits_stays_as_it_was(text):
    assert standardise_notation(text) == text


def test_words_between_amounts_are_untouched():
    text = "Sales  rose\t5 pct ,to USD 3mn !\n\n(net) "
    assert standardise_notation(text) == "Sales  rose\t5% ,to $3 million !\n\n(net) "


def test_standard_notation_is_a_fixed_point():
    once = standardise_notation("USD 1.2bn, 5 pct, 56 cents, EUR5m, $2 to $4 bln")
    assert standardise_notation(once) == once


NUMBERS = st.sampled_from(["0.5", "1", "1.2", "12", "1,200", "1,234.5", "56", "999", "two", "0"])
SHAPES = st.sampled_from(
    "${} million|${}|USD {}bn|{} million dollars|{} cents|{} pct|{} bps|EUR{} mln|({})%|-${}|$({})"
    "|${} to ${} billion|{} percent to {} percent|a loss of ${} mln|negative {} percent|{}x"
    "|{} stores|rupees {} crores|{} and {} percent|${} and {} cents|between ${} and ${} bln".split(
        "|"
    )
)
JOINTS = st.sampled_from([" ", ", ", " to ", " and ", "; ", " from ", "-", "\n", " or "])


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(SHAPES, NUMBERS, JOINTS), max_size=5))
def test_no_text_changes_the_multiset_of_its_quantities(parts):
    text = "".join(shape.replace("{}", number) + joint for shape, number, joint in parts)
    new = standardise_notation(text)
    assert signature(extract_quantities(new)) == signature(extract_quantities(text))


@pytest.mark.skipif(not (DATA / "ectsum").is_dir(), reason="the shared calls are not here")
@pytest.mark.parametrize("split", ["train", "val"])
def test_the_quantities_of_real_calls_and_summaries_do_not_change(split):
    # every eighth file here, to stay within seconds; benchmarks/numbers.py --notation reads all
    for folder in ("ects", "gt_summaries"):
        for path in sorted((DATA / "ectsum" / split / folder).glob("*.txt"))[::8]:
            text = path.read_text(encoding="utf-8")
            new = standardise_notation(text)
            assert signature(extract_quantities(new)) == signature(extract_quantities(text)), path


def test_a_call_and_its_summary_are_written_in_one_notation():
    turn = Turn("Ann", "executive", "prepared", "Sales of USD 1.2bn.\nThank you.")
    call = Transcript("a", "A", "", "", "x", (turn,), "Sales: 1,200 million dollars")
    new, n_lines = standardise_transcript(call)
    assert new.text == "Sales of $1.2 billion.\nThank you." and n_lines == 2
    assert new.summary == "Sales: $1.2 billion"
    assert standardise_transcript(new) == (new, 0)
