import pytest

from finllm.scoring.figures import ERRORS, figures, number_report

CALL = "Revenue rose 12% to $452.2 million in the third quarter. Net loss was $3 million."
REFERENCE = "q3 revenue rose 12 percent.\nq3 net loss $3 million."


@pytest.mark.parametrize(
    ("candidate", "error"),
    [
        ("q3 revenue rose 12 percent.\nq3 net loss $3 billion.", "wrong_magnitude"),
        ("q3 revenue rose 12 percent.\nq3 net income $3 million.", "wrong_sign"),
        ("q3 revenue fell 12 percent.\nq3 net loss $3 million.", "wrong_sign"),
        ("q2 revenue rose 12 percent.\nq3 net loss $3 million.", "wrong_period"),
        ("q3 backlog rose 12 percent.\nq3 net loss $3 million.", "wrong_item"),
        ("q3 revenue rose 17 percent.\nq3 net loss $3 million.", "invented"),
    ],
)
def test_each_error_has_its_name(candidate, error):
    found = number_report(candidate, REFERENCE, CALL)
    wanted = dict.fromkeys(ERRORS, 0) | {error: 1}
    if error == "wrong_sign" and "income" in candidate:
        assert found.errors[error] == 1
    else:
        assert found.errors == wanted


def test_another_figure_of_the_call_is_no_error_and_no_recall():
    found = number_report("q3 revenue was $452.2 million.", REFERENCE, CALL)
    assert not any(found.errors.values())
    assert (found.recall, found.precision, found.support) == (0, 0, 1)


def test_recall_precision_and_support_are_what_a_hand_computes():
    # of two figures one is the reference's, one is invented; the reference has two
    found = number_report("q3 revenue rose 12%, and backlog was $77 million.", REFERENCE, CALL)
    assert (found.recall, found.precision, found.support) == (1 / 2, 1 / 2, 1 / 2)
    assert found.recall_by_kind == {"money": 0, "percent": 1}


def test_figures_are_matched_one_to_one_and_by_what_they_are_attached_to():
    both = "q1 revenue $5 million.\nq2 income $5 million."
    assert number_report(both, both, "").recall == 1
    assert number_report("q1 revenue $5 million.", both, "").recall == 1 / 2


def test_years_and_dates_are_figures_and_names_are_not():
    assert [f.text for f in figures("as of june 30, 2021, covid-19")] == ["count 30", "year 2021"]
