import math

import numpy as np
import pytest

from finllm.comparing.pairs import pair
from finllm.records import METRICS, Score


def score(id, model, value, split="test", **values):
    return Score(
        id,
        model,
        split,
        f"company of {id}",
        "",
        "",
        "questions",
        "human",
        {**dict.fromkeys(METRICS, value), **values},
    )


def test_base_and_tuned_come_in_the_same_order_whatever_the_files_order():
    scores = [score("a", "tuned", 0.9), score("b", "base", 0.2), score("b", "tuned", 0.7)]
    scores += [score("a", "base", 0.1)]
    pairs = pair(scores, split="test")
    assert pairs.companies == [f"company of {i}" for i in pairs.example_ids]
    by_id = dict(zip(pairs.example_ids, pairs.difference("bleu"), strict=True))
    assert by_id == pytest.approx({"a": 0.8, "b": 0.5})  # tuned minus base


def test_only_the_split_that_was_asked_for_and_no_baseline_is_paired():
    scores = [score("a", model, 0.5) for model in ("base", "tuned", "lead")]
    scores += [score("b", model, 0.5, split="transfer") for model in ("base", "tuned")]
    assert pair(scores, split="test").example_ids == ["a"]
    assert pair(scores, split="transfer").example_ids == ["b"]


def test_a_metric_that_is_not_defined_is_nan_in_its_difference_only():
    scores = [score("a", model, 0.5, term_recall=None) for model in ("base", "tuned")]
    pairs = pair(scores, split="test")
    assert math.isnan(pairs.difference("term_recall")[0])
    assert pairs.difference("rouge1").tolist() == [0.0]
    assert pairs.base["rouge1"].dtype == np.float64


def test_an_example_of_one_model_only_is_named():
    with pytest.raises(ValueError, match="b was scored for one of base and tuned only"):
        pair([score("a", "base", 1), score("a", "tuned", 1), score("b", "base", 1)], split="test")


def test_an_example_that_was_scored_twice_is_named():
    rows = [score("a", "base", 0.1), score("a", "base", 0.9), score("a", "tuned", 1)]
    with pytest.raises(ValueError, match="a was scored twice for base"):
        pair(rows, split="test")
