import pytest
from hypothesis import given
from hypothesis import strategies as st

from finllm.languages.lexicon import BUILTIN, Lexicon
from finllm.numbers.support import stated_figures
from finllm.scoring.domain import (
    composite,
    fidelity,
    number_accuracy,
    term_precision,
    term_recall,
)

CALL = "Revenue rose 12% to $452.2 million. Net loss was $3 million. Margin was 18.5%."


@pytest.fixture(scope="module")
def lexicon():
    return Lexicon(BUILTIN)


@pytest.mark.parametrize(
    ("candidate", "reference", "score"),
    [
        ("Revenue was $452.2 million.", "Revenue was $452.2 million.", 1.0),
        # one of the two figures of the reference, and nothing false: 2 * 1/2 / (3/2)
        ("It rose 12%.", "It rose 12% to $452.2 million.", 2 / 3),
        # both, and one that was never said: recall 1, support 2/3
        ("Up 12% to $452.2 million, from $7 million.", "Up 12% to $452.2 million.", 0.8),
        # nothing of the reference, though the call says it
        ("Margin was 18.5%.", "It rose 12%.", 0.0),
        # nothing of the reference, and false
        ("It was $9 billion.", "It rose 12%.", 0.0),
        ("Revenue rose.", "It rose 12%.", 0.0),
        ("", "It rose 12%.", 0.0),
        # a reference without figures asks for nothing false only
        ("Revenue rose.", "Revenue rose.", 1.0),
        ("Margin was 18.5%, up from $9 billion.", "Margins were fine.", 0.5),
        # and an empty answer says nothing at all
        ("", "Margins were fine.", 0.0),
    ],
)
def test_number_accuracy_is_what_a_hand_computes(candidate, reference, score):
    assert number_accuracy(candidate, reference, CALL) == pytest.approx(score)


def test_a_million_is_not_a_billion():
    reference = "Revenue was $452.2 million."
    assert number_accuracy("Revenue was $452.2 million.", reference, CALL) == 1
    assert number_accuracy("Revenue was $452.2 billion.", reference, CALL) == 0


def test_a_loss_is_not_a_profit_of_the_same_size():
    reference = "Net loss was $3 million."
    assert number_accuracy("A net loss of $3 million.", reference, CALL) == 1
    assert number_accuracy("A net income of $3 million.", reference, CALL) == 0


def test_a_percentage_is_not_an_amount():
    assert number_accuracy("It was $12.", "It was 12%.", CALL) == 0


def test_a_figure_may_be_rounded():
    assert number_accuracy("About $452 million.", "Revenue was $452.2 million.", CALL) == 1


def test_saying_one_figure_twice_does_not_state_two():
    reference = "Up 12% to $452.2 million."
    assert number_accuracy("Up 12%, yes 12%.", reference, CALL) == pytest.approx(2 / 3)


def test_periods_and_years_are_no_figures():
    assert [q.kind for q in stated_figures("In 2021 and Q3 2022 it was $5 million.")] == ["money"]


@given(st.lists(st.sampled_from(["$5 million", "12%", "$9 billion", "rose"]), max_size=6))
def test_number_accuracy_stays_between_nothing_and_one(parts):
    assert 0 <= number_accuracy(", ".join(parts), "Up 12% to $5 million.", CALL) <= 1


def test_term_recall_is_the_share_of_the_references_terms(lexicon):
    reference = "Gross margin, free cash flow and capital expenditures."
    assert len(set(lexicon.canonical_terms(reference))) == 3
    assert term_recall("Gross margin rose.", reference, lexicon) == pytest.approx(1 / 3)
    assert term_recall("Free cash flow fell as gross margin fell.", reference, lexicon) == (
        pytest.approx(2 / 3)
    )
    assert term_recall("", reference, lexicon) == 0


def test_a_synonym_counts_as_the_term(lexicon):
    assert term_recall("CapEx rose.", "Capital expenditures rose.", lexicon) == 1


def test_a_reference_without_a_term_leaves_term_recall_undefined(lexicon):
    assert term_recall("Revenue rose.", "Good morning.", lexicon) is None


def test_up_is_not_down_for_a_change():
    assert number_accuracy("Revenue fell 12%.", "Revenue rose 12%.", CALL) == 0
    assert number_accuracy("Revenue climbed 12%.", "Revenue rose 12%.", CALL) == 1


def test_the_right_figure_of_another_item_or_quarter_is_half_right():
    reference = "Q3 revenue was $5 million."
    assert number_accuracy("Q3 revenue of $5 million.", reference, CALL) == 1
    # recall 1/2, support 1
    assert number_accuracy("Q3 net income of $5 million.", reference, CALL) == pytest.approx(2 / 3)
    assert number_accuracy("Q2 revenue of $5 million.", reference, CALL) == pytest.approx(2 / 3)


def test_the_year_of_a_period_is_a_figure():
    assert number_accuracy("Sees FY 2022 growth.", "Sees FY 2021 growth.", CALL) == 0


def test_term_precision_is_the_share_of_the_candidates_terms(lexicon):
    assert term_precision("Gross margin and backlog.", "Gross margin.", lexicon) == 0.5
    assert term_precision("Good morning.", "Gross margin.", lexicon) == 0
    assert term_precision("Good morning.", "Good day.", lexicon) is None


def test_fidelity_of_a_small_case_is_what_a_hand_computes():
    # Q3 revenue up 5% | Q3 revenue down 5%: a subsequence of 3 of 4; 3 of 5 pairs with both ends
    assert fidelity("Q3 sales grew 5%", "third quarter revenue fell 5 percent") == pytest.approx(
        (3 / 4 + 3 / 5) / 2
    )


def test_fidelity_asks_for_the_order_and_not_for_the_wording():
    reference = "Q3 revenue rose 5% to $1.2 billion"
    assert fidelity("third quarter sales grew 5 percent to $1,200 million", reference) == 1
    assert fidelity("$1.2 billion to 5% rose revenue Q3", reference) < 0.5


def test_the_composite_is_the_weighted_mean_of_its_parts():
    candidate, reference = "Q3 net income rose 12%.", "Q3 revenue rose 12%."
    # number accuracy 2/3 (half attached); coherence 0 (no statement of the reference is made);
    # fidelity: a subsequence of 3 of 4 tokens, 3 of 5 pairs; no item in common
    assert composite(candidate, reference, CALL) == pytest.approx(
        0.3 * 2 / 3 + 0.3 * 0 + 0.3 * (3 / 4 + 3 / 5) / 2
    )


def test_a_composite_without_a_reference_asks_the_source():
    assert composite("Revenue rose 12%.", "", CALL) == 1
    assert composite("Revenue fell 12%.", "", CALL) < 0.2
    assert composite("", "", CALL) == 0


def test_two_texts_that_say_nothing_do_not_agree_on_it():
    assert composite("Good morning.", "Thank you all.", CALL) == 0
    assert composite("Thank you all.", "Thank you all.", CALL) == 1
