from dataclasses import replace

import pytest
from conftest import make_example

from finllm.records import METRICS, Prediction
from finllm.scoring.score import (
    Candidate,
    check_few_shot,
    check_models,
    check_paired,
    means,
    score_candidates,
)
from finllm.scoring.semantic import SemanticScores

EXAMPLES = [make_example("a"), make_example("b", answer="Good morning to you all.")]


def answers(*ids, model="base", prompt="p"):
    return [Prediction(i, model, "text", f"{prompt}-{i}", 9, 3, False) for i in ids]


def test_two_models_on_the_same_prompts_are_paired_in_any_order():
    check_paired(EXAMPLES, {"base": answers("a", "b"), "tuned": answers("b", "a")})


@pytest.mark.parametrize(
    ("tuned", "named"),
    [
        (answers("a"), "tuned do not pair with the test examples: b"),
        (answers("a", "b", "c"), "tuned do not pair with the test examples: c"),
        (answers("a", "b", "b"), "an example answered twice"),
        (answers("a", "a"), "tuned do not pair with the test examples: b"),
        ([], "tuned do not pair"),
    ],
)
def test_a_missing_a_foreign_or_a_second_answer_is_refused(tuned, named):
    with pytest.raises(ValueError, match=named):
        check_paired(EXAMPLES, {"base": answers("a", "b"), "tuned": tuned})


def test_another_prompt_is_refused_and_the_example_named():
    tuned = answers("a") + answers("b", prompt="other")
    with pytest.raises(ValueError, match="b: tuned was given another prompt"):
        check_paired(EXAMPLES, {"base": answers("a", "b"), "tuned": tuned})


def few_shot(*ids, weights="w", decoding="", model="fewshot"):
    rows = answers(*ids, model=model, prompt="shots")
    return [replace(row, weights_sha256=weights, decoding=decoding) for row in rows]


def test_a_few_shot_base_may_have_other_prompts_on_the_test_examples_alone():
    test, transfer = EXAMPLES[:1], EXAMPLES[1:]
    base = few_shot("a", "b", model="base")
    tuned = [replace(row, weights_sha256="other", model="tuned") for row in base]
    others = [replace(row, prompt_sha256="other") for row in tuned]
    models = {"base": base, "tuned": tuned}
    shown = [replace(row, prompt_sha256="shots") for row in few_shot("a")]
    check_models(test, transfer, {**models, "fewshot": shown})
    check_models(test, transfer, {**models, "fewshot": []})
    with pytest.raises(ValueError, match="tuned was given another prompt"):
        check_models(test, transfer, {**models, "tuned": others, "fewshot": []})


@pytest.mark.parametrize(
    ("shown", "named"),
    [
        (few_shot("a", weights="others"), "a: fewshot has other weights than base"),
        (few_shot("a", decoding="sampled"), "decoded in 2 ways"),
        (few_shot("b"), "fewshot do not pair with the test examples: a"),
        (few_shot("a", "a"), "fewshot do not pair"),
    ],
)
def test_a_few_shot_base_that_is_not_the_base_is_refused(shown, named):
    with pytest.raises(ValueError, match=named):
        check_few_shot(EXAMPLES[:1], shown, few_shot("a", "b", model="base"), model="fewshot")


def scored(*pairs, model="base", split="test", semantic=None):
    rows = [Candidate(model, split, example, text) for example, text in pairs]
    neural = semantic or SemanticScores([1.0] * len(rows), [1.0] * len(rows), 0)
    return score_candidates(rows, neural, lexicon="", n_workers=1)


def test_a_perfect_answer_scores_one_on_every_metric():
    (row,) = scored((EXAMPLES[0], EXAMPLES[0].answer))
    assert row.values == pytest.approx(dict.fromkeys(METRICS, 1.0))


def test_an_empty_answer_scores_nothing_and_stays_in_the_count():
    rows = scored(
        (EXAMPLES[0], ""),
        (EXAMPLES[0], EXAMPLES[0].answer),
        semantic=SemanticScores([0.0, 1.0], [0.0, 1.0], 0),
    )
    assert set(rows[0].values.values()) == {0.0}
    assert means(rows) == pytest.approx(dict.fromkeys(METRICS, 0.5))


def test_a_row_says_whose_it_is_and_holds_every_metric_in_the_tables_order():
    rows = scored(
        (EXAMPLES[0], "x"),
        (EXAMPLES[1], "y"),
        model="tuned",
        split="transfer",
        semantic=SemanticScores([0.1, 0.2], [0.3, 0.4], 0),
    )
    assert [tuple(row.values) for row in rows] == [METRICS, METRICS]
    assert [(r.example_id, r.model, r.split) for r in rows] == [
        ("a", "tuned", "transfer"),
        ("b", "tuned", "transfer"),
    ]
    assert [row.values["bertscore"] for row in rows] == [0.1, 0.2]
    assert [row.values["similarity"] for row in rows] == [0.3, 0.4]


def test_an_example_without_a_term_leaves_the_mean_of_term_recall_alone():
    rows = scored((EXAMPLES[0], EXAMPLES[0].answer), (EXAMPLES[1], EXAMPLES[1].answer))
    assert rows[1].values["term_recall"] is None
    assert means(rows)["term_recall"] == 1.0


def test_a_missing_neural_score_is_an_error_and_not_a_shorter_table():
    with pytest.raises(ValueError):
        scored((EXAMPLES[0], "x"), (EXAMPLES[1], "y"), semantic=SemanticScores([0.0], [0.0], 0))


def test_rows_keep_their_order_whatever_is_scored_together():
    pairs = [(EXAMPLES[i % 2], text) for i, text in enumerate(["x", "y", "revenue rose", "z"])]
    assert [row for pair in pairs for row in scored(pair)] == scored(*pairs)


@pytest.mark.slow
def test_two_processes_score_as_one_does():
    rows = [
        Candidate(model, "test", make_example(f"e{i}", answer=f"Revenue rose {i}%."), text)
        for model, text in (("base", "Revenue rose 3%."), ("tuned", "Margin fell 7%."))
        for i in range(68)
    ]
    neural = SemanticScores([0.5] * len(rows), [0.5] * len(rows), 0)
    one, two = (score_candidates(rows, neural, lexicon="", n_workers=n) for n in (1, 2))
    assert one == two
