"""What a changed question costs, by hand."""

import dataclasses

import pytest
from conftest import make_example

from finllm.comparing.robustness import robustness
from finllm.records import METRICS, Prediction, Score
from finllm.scoring.score import changed_examples

SETTINGS = {"confidence": 0.95, "n_bootstrap": 199, "seed": 1}


def score(example_id, company, value, *, model="base", split="test"):
    values = {**dict.fromkeys(METRICS, value), "term_recall": None}
    return Score(example_id, model, split, company, "", "", "t", "human", values)


BEFORE = [score("a", "A", 0.5), score("b", "A", 0.7), score("c", "B", 0.2), score("d", "C", 0.9)]
AFTER = [
    score("a", "A", 0.4, split="noise"),  # a lost .1, b .3: company A lost .2
    score("b", "A", 0.4, split="noise"),
    score("c", "B", 0.1, split="noise"),
]


def test_the_change_is_paired_by_example_and_a_mean_of_company_means():
    found = {row.metric: row for row in robustness(BEFORE, AFTER, **SETTINGS)}
    row = found["number_accuracy"]
    assert (row.set, row.model, row.n_companies, row.n_examples) == ("noise", "base", 2, 3)
    assert row.original == pytest.approx((0.6 + 0.2) / 2)
    assert row.changed == pytest.approx((0.4 + 0.1) / 2)
    assert row.estimate == pytest.approx(-0.15)
    assert row.estimate == pytest.approx(row.changed - row.original)
    assert row.low < row.estimate < row.high
    assert "term_recall" not in found, "defined nowhere"


def test_every_set_and_model_has_its_rows_in_the_tables_order():
    after = [
        dataclasses.replace(row, split=split, model=model)
        for split in ("noise", "reworded")
        for model in ("tuned", "base")
        for row in AFTER
    ]
    before = BEFORE + [dataclasses.replace(row, model="tuned") for row in BEFORE]
    found = robustness(before, after, **SETTINGS)
    assert [(r.set, r.model) for r in found if r.metric == "rouge1"] == [
        ("reworded", "base"),
        ("reworded", "tuned"),
        ("noise", "base"),
        ("noise", "tuned"),
    ]
    same = robustness(before, after, **SETTINGS)
    assert same == found


def test_one_company_carries_no_interval_and_is_left_out():
    assert robustness(BEFORE, AFTER[:2], **SETTINGS) == []
    assert robustness(BEFORE, [], **SETTINGS) == []


def asked(*ids, model="base", set="noise", prompt="p"):
    return [Prediction(i, model, "x", f"{prompt}{i}", 1, 1, False, asked=set) for i in ids]


def test_the_changed_questions_pair_by_set():
    test = [make_example("a"), make_example("b")]
    found = changed_examples(
        test,
        {
            "base": asked("b", "a") + asked("a", set="reworded", prompt="q"),
            "tuned": asked("a", "b") + asked("a", set="reworded", prompt="q"),
        },
    )
    assert {name: [row.id for row in rows] for name, rows in found.items()} == {
        "noise": ["b", "a"],
        "reworded": ["a"],
    }
    assert changed_examples(test, {"base": [], "tuned": []}) == {}


@pytest.mark.parametrize(
    ("tuned", "named"),
    [
        (asked("a"), "tuned do not pair"),
        (asked("a", "b", prompt="other"), "tuned was given another prompt"),
        (asked("a", "b", "z"), "z was asked as noise but is not a test example"),
        ([], "tuned do not pair"),
    ],
)
def test_models_that_were_asked_other_questions_are_refused(tuned, named):
    test = [make_example("a"), make_example("b")]
    with pytest.raises(ValueError, match=named):
        changed_examples(test, {"base": asked("a", "b"), "tuned": tuned})
