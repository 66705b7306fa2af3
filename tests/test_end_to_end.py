"""The whole pipeline, every stage by its own command, on the real model at the smallest size."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from finllm.records import read_jsonl

ROOT = Path(__file__).parents[1]
TINY = {
    "sample": {"n_companies": 16, "n_calls": 24},
    "split": {
        "transfer_sectors": ["energy"],
        "max_train_examples": 8,
        "max_val_examples": 4,
        "max_test_examples": 12,
        "max_transfer_examples": 2,
        "min_test_companies": 2,
    },
    "train": {"max_steps": 2, "batch_size": 2, "evals_per_run": 1},
    "predict": {
        "max_new_tokens": 6,
        "few_shot": 1,
        "robustness_examples": 4,
        "latency_prompts": 1,
    },
    "significance": {"n_permutations": 199, "n_bootstrap": 199},
    "bayes_stats": {"n_draws": 200, "n_tune": 200, "n_chains": 2},
    "report": {"n_examples": 2},
}


def commands(source: str) -> list[str]:
    """The commands of dvc.yaml in the order of the file, which is the order of the pipeline."""
    found = []
    for stage in YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"].values():
        if "cmd" in stage:
            found.append(stage["cmd"].replace("${data.source}", source))
        else:
            for key, item in stage["foreach"].items():
                command = stage["do"]["cmd"].replace("${key}", key)
                for name, value in item.items():
                    command = command.replace(f"${{item.{name}}}", value)
                found.append(command)
    return found


@pytest.mark.slow
def test_the_pipeline_goes_from_nothing_to_a_verdict(tmp_path):
    for file in ("params.yaml", "requirements-models.txt"):
        shutil.copy(ROOT / file, tmp_path)
    data = ("data/lexicon", "data/raw/none", "data/ratings", "data/review/ratings", "docs/studies")
    for folder in (*data, "presets/accelerate"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    yaml = YAML()
    document = yaml.load(tmp_path / "params.yaml")
    for section, values in TINY.items():
        document[section].update(values)
    with open(tmp_path / "params.yaml", "w", encoding="utf-8") as file:
        yaml.dump(document, file)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for command in commands("sample"):
        done = subprocess.run(
            [sys.executable, *re.sub(r"\s+", " ", command).split()[1:]],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    metrics = {
        p.stem: json.loads(p.read_text()) for p in (tmp_path / "metrics/details").glob("*.json")
    }
    assert metrics["train"]["n_steps"] == 2
    assert metrics["split"]["audit"]["shared_companies"] == 0
    n_answers = metrics["predict_base"]["answers"]
    assert n_answers == metrics["predict_tuned"]["answers"] == 14
    scores = list(read_jsonl(tmp_path / "data/evaluate/scores.jsonl"))
    assert metrics["predict_fewshot"]["answers"] == 12
    # two models, four baselines, two oracles; the few-shot base on the test set alone
    n_val = metrics["split"]["sets"]["val"]["examples"]
    assert len(scores) == 8 * n_answers + 12 + 4 * n_val  # on validation the baselines alone
    scored = metrics["evaluate"]
    assert scored["counts"]["changed_answers"] == 2 * 2 * 4  # sets, models, examples
    assert scored["counts"]["free_answers"] == 2 * 4
    parts = {x["part"]: x for x in scored["parts_of_gain"] if x["metric"] == "number_accuracy"}
    assert list(parts) == ["tuning", "decoding", "both"]
    assert len({x["original"] for x in parts.values()}) == 1  # the base without rules
    assert {(x["set"], x["model"]) for x in scored["robustness"]} == {
        (changed, model) for changed in ("reworded", "noise") for model in ("base", "tuned")
    }
    losses = scored["reference_perplexity"]
    assert losses["base"]["perplexity"] > 1 and losses["difference"]["n_examples"] == 12
    assert metrics["verdict"]["verdict"] in ("better", "worse", "equivalent", "inconclusive")
    assert "fictional" in (tmp_path / "reports/report.md").read_text()
    assert (tmp_path / "reports/report.html").stat().st_size > 10_000
    assert not list(tmp_path.rglob("*.tmp"))
