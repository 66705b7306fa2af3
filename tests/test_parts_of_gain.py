"""What tuning and what the rules of decoding give, by hand."""

import pytest
from test_scoring_robustness import SETTINGS, score

from finllm.comparing.parts_of_gain import parts_of_gain

# base and tuned, free and by the rules; d was not drawn, and the transfer set is another question
VALUES = {"a": (0.2, 0.3, 0.5, 0.7), "b": (0.4, 0.5, 0.5, 0.7), "c": (0.1, 0.1, 0.2, 0.4)}
COMPANY = {"a": "A", "b": "A", "c": "B", "d": "C"}


def scores(place, model, split):
    return [
        score(i, COMPANY[i], values[place], model=model, split=split)
        for i, values in VALUES.items()
    ]


FREE = scores(0, "base", "free") + scores(2, "tuned", "free")
RULED = scores(1, "base", "test") + scores(3, "tuned", "test")


def test_each_part_is_paired_with_the_free_base_over_the_drawn_examples():
    others = [score("d", "C", 1.0), score("d", "C", 0.0, model="tuned")]
    again = scores(3, "base", "noise")  # another prompt: no part of this
    rows = parts_of_gain(RULED + others, FREE + again, **SETTINGS)
    found = {row.part: row for row in rows if row.metric == "number_accuracy"}
    assert {(row.n_companies, row.n_examples) for row in found.values()} == {(2, 3)}
    assert all(row.original == pytest.approx((0.3 + 0.1) / 2) for row in found.values())
    gains = {part: row.estimate for part, row in found.items()}
    assert gains == pytest.approx({"tuning": 0.15, "decoding": 0.05, "both": 0.35})
    assert all(row.low < row.estimate < row.high for row in found.values())


def test_without_free_answers_there_are_no_parts():
    assert parts_of_gain(RULED, scores(3, "base", "noise"), **SETTINGS) == []
