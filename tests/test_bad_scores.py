"""Scores beyond statistics: a defined answer with its reason, or one clear error."""

import dataclasses
import json
import sys
from pathlib import Path

import pytest

from finllm.records import METRICS, Example, Score, write_jsonl
from finllm.report.outcome import outcome
from stages import bayes_stats, significance

ROOT = Path(__file__).parent.parent
PRIMARY = "number_accuracy"


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    for key, value in (("n_draws", 200), ("n_tune", 200), ("n_chains", 2), ("n_permutations", 199)):
        line = next(row for row in text.splitlines() if row.strip().startswith(f"{key}:"))
        text = text.replace(line, f"  {key}: {value}")
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def write(differences, companies, *, base=0.4):
    """Scores and examples of the primary metric alone; the others are not defined."""
    scores, examples = [], []
    for i, (difference, company) in enumerate(zip(differences, companies, strict=True)):
        facts = ("Energy", "2021Q3", "questions", "human")
        examples.append(
            Example(
                f"e{i}", f"t{i}", company, facts[1], facts[0], "s", *facts[2:], "?", "x", "y", 0, 0
            )
        )
        for model, value in (("base", base), ("tuned", base + difference)):
            values = {**dict.fromkeys(METRICS), PRIMARY: value}
            scores.append(Score(f"e{i}", model, "test", company, *facts, values))
    write_jsonl(Path("scores.jsonl"), scores)
    write_jsonl(Path("examples.jsonl"), examples)
    return scores


def run(stage, monkeypatch, **more):
    arguments = {"scores": "scores.jsonl", "metrics": f"{stage.__name__}.json", **more}
    if stage is bayes_stats:
        arguments |= {"costs": "costs.json"}
    words = [word for name, path in arguments.items() for word in (f"--{name}", path)]
    monkeypatch.setattr(sys, "argv", ["stage", *words])
    stage.main()
    return json.loads(Path(arguments["metrics"]).read_text(encoding="utf-8"))


def verdict(monkeypatch):
    tests = run(significance, monkeypatch, examples="examples.jsonl")
    posterior = run(bayes_stats, monkeypatch, posterior="posterior.csv")
    return outcome(tests, posterior, primary=PRIMARY, alpha=0.05, rope=0.02)


def test_all_differences_zero_are_equivalent(workspace, monkeypatch):
    write([0.0] * 8, "aabbccdd")
    found = verdict(monkeypatch)
    assert (found.verdict, found.p_corrected, found.low, found.high) == ("equivalent", 1.0, 0, 0)
    assert found.bayesian == "not usable"


def test_all_differences_equal_are_inconclusive_with_the_reason(workspace, monkeypatch):
    write([0.25] * 8, "aabbccdd", base=0.5)
    found = verdict(monkeypatch)
    assert (found.verdict, found.p_corrected, found.difference) == ("inconclusive", None, 0.25)
    assert "nothing varied between clusters" in found.reason


def test_two_companies_have_an_answer_as_wide_as_it_must_be(workspace, monkeypatch):
    write([0.1, 0.3], "ab")
    found = verdict(monkeypatch)
    assert found.verdict == "inconclusive" and found.n_companies == 2
    assert found.low < -1 and found.high > 1  # Student's t with one degree of freedom: 12.7


@pytest.mark.parametrize(("differences", "companies"), [([0.1], "a"), ([0.1, 0.2, 0.0], "aaa")])
def test_one_example_or_one_company_is_one_error_that_says_why(
    workspace, monkeypatch, differences, companies
):
    write(differences, companies)
    with pytest.raises(ValueError, match=f"{PRIMARY} is defined in 1 companies; at least 2"):
        run(significance, monkeypatch, examples="examples.jsonl")


def test_no_scores_at_all_are_one_error(workspace, monkeypatch):
    write([], "")
    for stage, more in (
        (significance, {"examples": "examples.jsonl"}),
        (bayes_stats, {"posterior": "p.csv"}),
    ):
        with pytest.raises(ValueError, match="no test scores of base and tuned; run evaluate"):
            run(stage, monkeypatch, **more)


def test_nan_is_no_score_and_infinity_is_an_error_that_names_the_example(workspace, monkeypatch):
    write([0.1, float("nan"), 0.2, 0.3], "abcd")
    tests = run(significance, monkeypatch, examples="examples.jsonl")
    assert tests["metrics"][PRIMARY]["n"] == 3 and tests["n_examples"] == 4
    write([0.1, float("-inf"), 0.2, 0.3], "abcd")
    with pytest.raises(ValueError, match=f"e1: {PRIMARY} is infinite"):
        run(significance, monkeypatch, examples="examples.jsonl")


def test_arms_that_differ_in_their_examples_are_an_error(workspace, monkeypatch):
    scores = write([0.1, 0.2, 0.3], "abc")
    write_jsonl(Path("scores.jsonl"), scores[:-1])
    with pytest.raises(ValueError, match="e2 was scored for one of base and tuned only"):
        run(significance, monkeypatch, examples="examples.jsonl")


def test_scores_of_an_older_version_are_an_error_that_names_the_metric(workspace, monkeypatch):
    scores = write([0.1, 0.2, 0.3], "abc")
    old = [dataclasses.replace(s, values={PRIMARY: s.values[PRIMARY]}) for s in scores]
    write_jsonl(Path("scores.jsonl"), old)
    with pytest.raises(ValueError, match=f"e0 has no {METRICS[0]}; run evaluate again"):
        run(significance, monkeypatch, examples="examples.jsonl")


def test_an_unknown_primary_metric_is_refused_with_those_there_are(workspace, monkeypatch):
    write([0.1, 0.2, 0.3], "abc")
    params = workspace / "params.yaml"
    text = params.read_text(encoding="utf-8").replace(
        f"primary_metric: {PRIMARY}", "primary_metric: sense"
    )
    params.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="primary_metric.*sense.*number_accuracy"):
        run(significance, monkeypatch, examples="examples.jsonl")
