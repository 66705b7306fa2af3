import pytest
from conftest import make_example

from finllm.corpus.lexicon import BUILTIN, Lexicon
from finllm.records import METRICS, Prediction
from finllm.scoring.score import check_paired, means, score_rows, score_texts
from finllm.scoring.semantic import SemanticScores

EXAMPLES = [make_example("a"), make_example("b", answer="Good morning to you all.")]


@pytest.fixture(scope="module")
def lexicon():
    return Lexicon(BUILTIN)


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


def test_a_perfect_answer_scores_one_on_every_metric(lexicon):
    example = EXAMPLES[0]
    values = score_texts(example.answer, example, lexicon=lexicon)
    assert values == pytest.approx(dict.fromkeys(values, 1.0))


def test_an_empty_answer_scores_nothing_and_stays_in_the_count(lexicon):
    rows = score_rows(
        "base",
        "test",
        EXAMPLES[:1] * 2,
        ["", EXAMPLES[0].answer],
        SemanticScores([0.0, 1.0], [0.0, 1.0], 0),
        lexicon=lexicon,
    )
    assert set(rows[0].values.values()) == {0.0}
    assert means(rows) == pytest.approx(dict.fromkeys(METRICS, 0.5))


def test_a_row_says_whose_it_is_and_holds_every_metric_in_the_tables_order(lexicon):
    rows = score_rows(
        "tuned",
        "transfer",
        EXAMPLES,
        ["x", "y"],
        SemanticScores([0.1, 0.2], [0.3, 0.4], 0),
        lexicon=lexicon,
    )
    assert [tuple(row.values) for row in rows] == [METRICS, METRICS]
    assert [(r.example_id, r.model, r.split) for r in rows] == [
        ("a", "tuned", "transfer"),
        ("b", "tuned", "transfer"),
    ]
    assert [row.values["bertscore"] for row in rows] == [0.1, 0.2]
    assert [row.values["similarity"] for row in rows] == [0.3, 0.4]


def test_an_example_without_a_term_leaves_the_mean_of_term_recall_alone(lexicon):
    rows = score_rows(
        "base",
        "test",
        EXAMPLES,
        [EXAMPLES[0].answer, EXAMPLES[1].answer],
        SemanticScores([1.0, 1.0], [1.0, 1.0], 0),
        lexicon=lexicon,
    )
    assert rows[1].values["term_recall"] is None
    assert means(rows)["term_recall"] == 1.0


def test_a_missing_text_is_an_error_and_not_a_shorter_table(lexicon):
    with pytest.raises(ValueError):
        score_rows("base", "test", EXAMPLES, ["x"], SemanticScores([0], [0], 0), lexicon=lexicon)
