import pytest

from finllm.scoring.coherence import coherence

CALL = (
    "In the third quarter revenue rose 12% to $452.2 million. Net loss was $3 million. "
    "Gross margin declined 50 basis points."
)
REFERENCE = "q3 revenue rose 12 percent.\nq3 gross margin fell 0.5 percentage points."


def shares(candidate, reference=""):
    found = coherence(candidate, reference, CALL)
    return found.supported, found.contradicted, found.unverifiable


@pytest.mark.parametrize(
    ("candidate", "verdicts"),
    [
        ("Revenue rose 12%.", (1, 0, 0)),
        ("Revenue increased 12 percent to $0.4522 billion in q3.", (1, 0, 0)),
        ("Revenue fell 12%.", (0, 1, 0)),
        ("Q2 revenue was $452.2 million.", (0, 1, 0)),
        ("Revenue was $452.2 billion.", (0, 1, 0)),
        ("Net loss of $3 million.", (1, 0, 0)),
        ("Backlog was $77 million.", (0, 0, 1)),
        ("Gross margin declined.", (1, 0, 0)),
        ("Gross margin improved.", (0, 1, 0)),
        ("Revenue rose 12%. Backlog was $77 million.", (1 / 2, 0, 1 / 2)),
        # said up and down of one quarter: whatever the call says, it contradicts itself
        ("Q3 backlog rose 7%. Q3 backlog fell 7%.", (0, 1, 0)),
    ],
)
def test_verdicts_by_the_source_alone(candidate, verdicts):
    assert shares(candidate) == pytest.approx(verdicts)


def test_the_reference_in_other_words_is_fully_coherent():
    found = coherence(
        "third quarter sales grew 12%.\nthird quarter gross margin declined 50 basis points.",
        REFERENCE,
        CALL,
    )
    assert (found.supported, found.coverage, found.score) == (1, 1, 1)


@pytest.mark.parametrize(
    "error",
    [
        REFERENCE.replace("rose", "fell"),
        REFERENCE.replace("q3 revenue", "q2 revenue"),
        REFERENCE.replace("gross margin", "net income"),
        REFERENCE.split("\n")[0],
    ],
)
def test_an_error_or_a_gap_costs(error):
    assert coherence(error, REFERENCE, CALL).score < 0.9


def test_the_score_is_what_a_hand_computes():
    # one of two statements of the reference: consistency 1, coverage 1/2
    assert coherence("q3 revenue rose 12%.", REFERENCE, CALL).score == pytest.approx(2 / 3)
    # the second one contradicted: consistency 1/2, coverage 1/2
    wrong = REFERENCE.replace("fell", "rose")
    assert coherence(wrong, REFERENCE, CALL).score == pytest.approx(1 / 2)


def test_an_answer_without_a_statement_is_not_coherent_where_one_was_asked():
    assert coherence("Good morning.", REFERENCE, CALL).score == 0
    assert coherence("", REFERENCE, CALL).score == 0
    assert coherence("", "Good day.", CALL).score == 0
    assert coherence("Good morning.", "Good day.", CALL).score == 1
    assert coherence("Good morning.", "", CALL).score == 0
