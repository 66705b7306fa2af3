"""The evaluate stage as the pipeline runs it, with a stand-in for the neural encoder."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from conftest import make_example
from ruamel.yaml import YAML

from finllm.records import Prediction, Transcript, read_scores, write_jsonl
from finllm.scoring.semantic import SemanticScores
from stages import evaluate

ROOT = Path(__file__).parents[1]
FILES = ("train", "test", "transfer", "calls", "base", "tuned")


def ones(candidates, references, **_):
    return SemanticScores([1.0] * len(candidates), [1.0] * len(candidates), 0)


@pytest.fixture
def term_recall_of(tmp_path, monkeypatch):
    """The tuned model's term recall in a project whose ``filter.lexicon`` is given."""
    example = make_example("a:summarization", answer="The flux index and revenue rose.")
    call = Transcript("t1", "Acme", "2021Q3", "Energy", "sample", (), None)
    predictions = [Prediction(example.id, "m", "The flux index rose.", "0", 9, 4, False)]
    rows = {"train": [example], "test": [example], "transfer": [], "base": predictions}
    rows["calls"] = [call]
    for name, records in {**rows, "tuned": predictions}.items():
        write_jsonl(tmp_path / f"{name}.jsonl", records)
    mine = "canonical\tcategory\tsynonyms\tcased\nflux index\tindustry\t\t\n"
    (tmp_path / "mine.tsv").write_text(mine)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(evaluate, "semantic_scores", ones)
    arguments = [part for name in FILES for part in (f"--{name}", f"{name}.jsonl")]
    arguments += ["--scores", "scores.jsonl", "--metrics", "metrics.json"]
    monkeypatch.setattr(sys, "argv", ["evaluate", *arguments])

    def run(lexicon):
        yaml = YAML()
        params = yaml.load(tmp_path / "params.yaml")
        params["filter"]["lexicon"] = lexicon
        yaml.dump(params, tmp_path / "params.yaml")
        evaluate.main()
        metrics = json.loads((tmp_path / "metrics.json").read_text())
        (score,) = [s for s in read_scores(tmp_path / "scores.jsonl") if s.model == "tuned"]
        assert metrics["test"]["tuned"]["term_recall"] == score.values["term_recall"]
        return score.values["term_recall"]

    return run


def test_the_users_own_terms_count_in_term_recall(term_recall_of):
    assert term_recall_of("") == 0  # revenue is wanted and not named
    assert term_recall_of("mine.tsv") == 0.5  # of the index and revenue
