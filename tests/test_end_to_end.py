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


def set_params(folder: Path, sections: dict) -> None:
    yaml = YAML()
    document = yaml.load(folder / "params.yaml")
    for section, values in sections.items():
        document[section].update(values)
    with open(folder / "params.yaml", "w", encoding="utf-8") as file:
        yaml.dump(document, file)


def run(folder: Path, *parts: str) -> None:
    """Every stage's command, or those that hold one of the parts."""
    for command in commands("sample"):
        if parts and not any(part in command for part in parts):
            continue
        done = subprocess.run(
            [sys.executable, *re.sub(r"\s+", " ", command).split()[1:]],
            cwd=folder,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    """The folder of a project whose every stage has run."""
    folder = tmp_path_factory.mktemp("pipeline")
    for file in ("params.yaml", "requirements-models.txt"):
        shutil.copy(ROOT / file, folder)
    data = ("data/lexicon", "data/raw/none", "data/ratings", "data/review/ratings", "docs/studies")
    for name in (*data, "presets/accelerate"):
        shutil.copytree(ROOT / name, folder / name)
    set_params(folder, TINY)
    run(folder)
    return folder


@pytest.mark.slow
def test_the_pipeline_goes_from_nothing_to_a_verdict(pipeline):
    tmp_path = pipeline
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


@pytest.mark.slow
def test_preference_tuning_that_is_off_again_leaves_no_byte_behind(pipeline, tmp_path):
    shutil.copytree(pipeline, tmp_path / "project")
    folder = tmp_path / "project"
    stages = (
        "stages.prefer ",
        "models/preferred --shots",
        "stages.evaluate",
        "stages.significance",
    )

    def written():
        kept = [*(folder / "data").rglob("*"), *(folder / "models").rglob("*")]
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in kept
            if path.is_file() and "costs" not in path.parts  # seconds
        }

    before = written()
    weights = {"corrupted": 0.5, "sampled": 0.0, "rated": 0.5}
    set_params(folder, {"prefer": {"beta": 0.3, "weights": weights}})
    run(folder, *stages)
    assert written() == before  # whatever else is set: it is off
    only = {"corrupted": 1.0, "sampled": 0.0, "rated": 0.0}
    on = {"method": "dpo", "weights": only, "max_pairs": 8, "batch_size": 2, "val_share": 0.3}
    set_params(folder, {"prefer": on, "verdict": {"candidate": "preferred"}})
    run(folder, *stages)
    changed = {name for name, content in written().items() if before.get(name) != content}
    assert changed == {
        *("models/preferred/adapter_config.json", "models/preferred/adapter_model.safetensors"),
        *("data/prefer/pairs.jsonl", "data/results/plots/preference.csv"),
        *("data/predict/preferred.jsonl", "data/predict/preferred_changed.jsonl"),
        *("data/predict/preferred_references.jsonl", "data/evaluate/scores.jsonl"),
        "data/evaluate/changed.jsonl",
        *(
            f"data/results/metrics/details/{name}.json"
            for name in ("prefer", "predict_preferred", "evaluate", "significance")
        ),
    }
    significance = json.loads(
        (folder / "data/results/metrics/details/significance.json").read_text()
    )
    assert [row["after"] for row in significance["chain"]] == ["tuned", "preferred"]
    set_params(folder, {"prefer": {"method": "none"}, "verdict": {"candidate": "tuned"}})
    run(folder, *stages)
    assert written() == before
