"""The evaluate stage as the pipeline runs it, with a stand-in for the neural encoder."""

import json
import sys
from pathlib import Path

import pytest
from conftest import make_example
from ruamel.yaml import YAML

from finllm.comparing import evaluation
from finllm.records import Prediction, ReferenceLoss, Transcript, read_scores, write_jsonl
from finllm.scoring.semantic import SemanticScores
from stages import evaluate

ROOT = Path(__file__).parents[1]
FILES = ("train", "val", "test", "transfer", "calls", "base", "tuned", "fewshot", "base_changed")
FILES += ("tuned_changed", "base_references", "tuned_references", "preferred")
FILES += ("preferred_changed", "preferred_references")


def ones(candidates, references, **_):
    return SemanticScores([1.0] * len(candidates), [1.0] * len(candidates), 0)


class Project:
    """A working folder with two examples of two companies, and what was answered."""

    def __init__(self, folder):
        self.folder = folder
        self.test = [
            make_example(
                f"{name}:summarization", company=name, answer="The flux index and EPS rose."
            )
            for name in ("a", "b")
        ]
        self.rows = {name: [] for name in FILES}
        self.rows |= {"train": self.test, "test": self.test}
        self.rows["calls"] = [Transcript("t1", "Acme", "2021Q3", "Energy", "sample", (), None)]
        for model in ("base", "tuned"):
            self.rows[model] = self.answers("The flux index rose.")

    def answers(self, text, *, prompt="p", asked=""):
        return [
            Prediction(example.id, "m", text, prompt, 9, 4, False, asked=asked)
            for example in self.test
        ]

    def evaluate(self, **knobs):
        yaml = YAML()
        params = yaml.load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        for section, values in {"evaluate": {"n_bootstrap": 199}, **knobs}.items():
            params[section].update(values)
        yaml.dump(params, self.folder / "params.yaml")
        for name, records in self.rows.items():
            write_jsonl(self.folder / f"{name}.jsonl", records)
        evaluate.main()
        return json.loads(Path("metrics.json").read_text())


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(evaluation, "semantic_scores", ones)
    arguments = [part for name in FILES for part in (f"--{name}", f"{name}.jsonl")]
    arguments += ["--scores", "scores.jsonl", "--changed", "changed.jsonl"]
    arguments += ["--metrics", "metrics.json", "--costs", "costs.json"]
    monkeypatch.setattr(sys, "argv", ["evaluate", *arguments])
    return Project(tmp_path)


def test_the_users_own_terms_count_in_term_recall(project):
    mine = "canonical\tcategory\tsynonyms\tcased\nflux index\tindustry\t\t\n"
    (project.folder / "mine.tsv").write_text(mine)
    for lexicon, recall in (("", 0), ("mine.tsv", 0.5)):  # EPS alone; the index and EPS
        metrics = project.evaluate(filter={"lexicon": lexicon})
        found = [s for s in read_scores(Path("scores.jsonl")) if s.model == "tuned"]
        assert [score.values["term_recall"] for score in found] == [recall] * 2
        assert metrics["test"]["tuned"]["term_recall"] == recall


def test_a_few_shot_base_stands_beside_the_others_and_none_is_no_model(project):
    assert "fewshot" not in project.evaluate()["test"]
    project.rows["fewshot"] = project.answers(project.test[0].answer, prompt="shown")
    metrics = project.evaluate()
    assert list(metrics["test"]["fewshot"]) == list(metrics["test"]["base"])
    assert metrics["test"]["fewshot"]["rougeL"] == 1 > metrics["test"]["base"]["rougeL"]
    models = [s.model for s in read_scores(Path("scores.jsonl"))]
    assert models[:6] == ["base"] * 2 + ["tuned"] * 2 + ["fewshot"] * 2


def test_changed_questions_and_reference_losses_are_in_the_metrics(project):
    metrics = project.evaluate()
    assert metrics["robustness"] == metrics["parts_of_gain"] == []
    for model, text in (("base", "The index."), ("tuned", "The flux index rose.")):
        project.rows[f"{model}_changed"] = project.answers(text, prompt="q", asked="noise")
        nats = 6.0 if model == "base" else 3.0
        losses = [ReferenceLoss(example.id, model, 3, nats) for example in project.test]
        project.rows[f"{model}_references"] = losses
    metrics = project.evaluate()
    changes = {(x["model"], x["metric"]): x for x in metrics["robustness"]}
    assert {x["set"] for x in metrics["robustness"]} == {"noise"}
    # of six words in the reference the first answer shares four, the changed one two: F .8 to .5
    change = changes["base", "rouge1"]
    assert change["original"] == pytest.approx(0.8) and change["changed"] == pytest.approx(0.5)
    assert change["estimate"] == pytest.approx(-0.3) and change["n_companies"] == 2
    assert changes["tuned", "rouge1"]["estimate"] == 0
    assert metrics["reference_perplexity"]["base"]["nats_per_token"] == 2
    assert metrics["reference_perplexity"]["difference"]["estimate"] == 1
    assert metrics["counts"]["changed_answers"] == 4
    again = read_scores(Path("changed.jsonl"))
    assert [(s.model, s.split) for s in again] == [("base", "noise")] * 2 + [("tuned", "noise")] * 2
    assert len(read_scores(Path("scores.jsonl"))) == 2 * len(metrics["test"])


def test_answers_without_rules_are_part_of_the_gain_and_no_changed_question(project):
    for model, text in (("base", "Nothing."), ("tuned", "The index.")):
        project.rows[f"{model}_changed"] = project.answers(text, asked="free")
    metrics = project.evaluate()
    assert metrics["robustness"] == []
    parts = {x["part"]: x for x in metrics["parts_of_gain"] if x["metric"] == "rouge1"}
    assert parts["tuning"]["original"] == 0  # of the six words of the reference two: F 1/2
    assert parts["tuning"]["estimate"] == pytest.approx(0.5)
    assert parts["decoding"]["estimate"] == pytest.approx(metrics["test"]["base"]["rouge1"])
    assert parts["both"]["estimate"] == pytest.approx(metrics["test"]["tuned"]["rouge1"])


def test_a_preferred_model_is_scored_beside_the_others_only_where_it_answered(project):
    assert "preferred" not in project.evaluate()["test"]
    project.rows["preferred"] = project.answers(project.test[0].answer)
    metrics = project.evaluate()
    assert metrics["test"]["preferred"]["rougeL"] == 1 > metrics["test"]["tuned"]["rougeL"]
    assert "preferred" in metrics["memorisation"]
    project.rows["preferred"] = project.answers("x", prompt="another")
    with pytest.raises(ValueError, match="preferred was given another prompt"):
        project.evaluate()
