from collections import Counter

from conftest import make_call
from test_disclaimers import NOTICE, said

from finllm.corpus import disclaimers
from finllm.corpus.cleaning import Cleaned, cleaner
from finllm.corpus.intake import Intake
from finllm.records import Line, Reject


def test_calls_read_are_kept_or_rejected_whatever_the_batches():
    intake = Intake()
    reject = Reject("b", "sample", 2, "empty_text", "")
    batches = [
        Cleaned(["a"], [reject], Counter(records_read=2, words_after=7), Counter(sample=1)),
        Cleaned(["c"], [], Counter(records_read=1, without_company=1), Counter(sample=1)),
    ]
    n_kept = len(list(intake.lines(batches)))
    metrics = intake.metrics(n_kept)
    assert metrics["records_read"] == 3 == metrics["kept"] + metrics["rejected"]
    assert metrics["rejected_by_reason"] == {"empty_text": 1}
    assert metrics["kept_by_source"] == {"sample": 2}
    assert metrics["without_company"] == 1
    assert metrics["text"] == {"words_after": 7}


def test_repeated_disclaimers_go_in_a_second_pass_and_the_counts_still_add_up(tmp_path):
    calls = [said(name, NOTICE.format(name), f"Sales of {name} rose.") for name in "abc"]
    calls.append(said("d", NOTICE.format("d")))  # nothing else: a reject of the second pass
    calls.append(make_call("e"))
    clean = cleaner(
        repair_mojibake=True, infer_turns=False, removable=["repeated_disclaimer"],
        standardise_notation=False, company_for_missing="id",
    )  # fmt: skip
    intake = Intake()
    first = list(intake.lines([clean(calls)]))
    erase = disclaimers.eraser(disclaimers.repeated(intake.disclaimers))
    rows = [Line(tmp_path, n, line) for n, line in enumerate(first, 1)]
    second = list(intake.lines([erase(rows[:2]), erase(rows[2:])]))
    metrics = intake.metrics(len(second))
    assert metrics["records_read"] == 5 == metrics["kept"] + metrics["rejected"]
    assert sum(metrics["kept_by_source"].values()) == 4
    text = metrics["text"]
    assert text["words_removed_repeated_disclaimer"] == 4 * len(NOTICE.split())
    assert text["words_before"] == text["words_after"] + text["words_removed_repeated_disclaimer"]
