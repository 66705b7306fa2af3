"""The folds of a cross-validation through DVC, on a pipeline whose stages only write."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import writing_pipeline as wp
from ruamel.yaml import YAML

from finllm import cli
from finllm.experiments import crossvalidation

ROOT = Path(__file__).parents[1]
# Stands in for the split stage: its test set is a note of the fold. It fails as the real one does
# where there are fewer companies than folds.
SPLIT = r"""
import json, pathlib, runpy
from ruamel.yaml import YAML

runpy.run_path("fake.py")
params = YAML(typ="safe").load(pathlib.Path("params.yaml").read_text())
p, source = params["split"], params["data"]["source"]
if source == "mine":
    assert pathlib.Path("data/raw/mine/calls.jsonl").read_text() == "a call\n"
if p["n_folds"] >= 14:
    raise SystemExit(f"split: 14 companies for split.n_folds {p['n_folds']}; need more")
note = json.dumps([p["fold"], p["n_folds"] or 1, source])
pathlib.Path("data/split/test.jsonl").write_text(note)
"""
# Stands in for the evaluate stage: the scores of the fold's companies, better for the tuned model.
EVALUATE = r"""
import json, os, pathlib, runpy, time
from finllm.records import METRICS, Score, write_jsonl

runpy.run_path("fake.py")
fold, n_folds, _ = json.loads(pathlib.Path("data/split/test.jsonl").read_text())
time.sleep(float(os.environ.get("PACE", 0)) if fold else 0)
rows = []
for i in range(fold, 14, n_folds):
    for k in range(3):
        for model, gain in (("base", 0.0), ("tuned", 0.1 + 0.01 * (i % 5))):
            values = dict.fromkeys(METRICS, 0.3 + gain + 0.01 * k)
            rows.append(Score(f"c{i:02}:{k}", model, "test", f"c{i:02}", "", "2021Q1",
                              "summarization", "human", values))
write_jsonl(pathlib.Path("data/evaluate/scores.jsonl"), rows)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = wp.write_project(
        tmp_path_factory.mktemp("folds"), scripts={"split": SPLIT, "evaluate": EVALUATE}
    )
    yaml = YAML()
    params = yaml.load(root / "params.yaml")
    params["bayes_stats"] |= {"n_draws": 200, "n_tune": 200, "n_chains": 2}
    params["significance"] |= {"n_permutations": 999, "n_bootstrap": 999}
    yaml.dump(params, root / "params.yaml")
    wp.git(root, "commit", "-qam", "quick statistics")
    return root


def crossvalidate(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "finllm", "crossvalidate", *arguments],
        cwd=root,
        env={**wp.environment(), "PYTHONPATH": str(ROOT), "COLUMNS": "100", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_one_command_runs_the_folds_and_prints_the_pooled_verdict(project):
    done = crossvalidate(project, "--folds", "3")
    assert done.returncode == 0, done.stderr
    assert "42 examples of 14 companies" in done.stdout
    assert "Better: fine-tuning raised number accuracy" in done.stdout
    assert "Over 3 folds: every company was tested once" in done.stdout
    assert "* number_accuracy" in done.stdout
    table = done.stdout[done.stdout.index("Over 3 folds") :]
    assert all(len(line) <= 100 for line in table.splitlines())
    said = done.stderr.splitlines()
    assert [line for line in said if line.startswith("fold 1 of 3: evaluate (")]
    assert [line for line in said if line.startswith("fold 2 of 3: ") and " left" in line]
    assert "\x1b" not in done.stdout and "Traceback" not in done.stderr
    assert not wp.git(project, "status", "--porcelain")  # the working folder did not change
    again = crossvalidate(project, "--folds", "3", "--json", "--out", "pooled.json")
    assert again.stderr.count("already done") == 3
    record = json.loads(again.stdout)
    assert record == json.loads((project / "pooled.json").read_text())
    assert (record["n_folds"], record["n_companies"]) == (3, 14)
    assert record["verdict"]["verdict"] == "better"
    (project / "pooled.json").unlink()


@pytest.mark.slow
def test_after_ctrl_c_the_same_command_goes_on(project):
    arguments = [sys.executable, "-m", "finllm", "crossvalidate", "--folds", "2"]
    environment = {**wp.environment(), "PYTHONPATH": str(ROOT), "PACE": "60"}
    running = subprocess.Popen(
        arguments, cwd=project, env=environment, stderr=subprocess.PIPE, text=True
    )
    said = []
    for line in running.stderr:
        said.append(line)
        if line.startswith("fold 2 of 2: evaluate"):
            break
    time.sleep(1)
    os.kill(running.pid, signal.SIGINT)
    rest = running.stderr.read()
    running.stderr.close()
    assert running.wait(60) == 130 and "run the same command to resume" in rest
    done = crossvalidate(project, "--folds", "2")
    assert done.returncode == 0, done.stderr
    assert "fold 1 of 2: already done" in done.stderr
    assert "14 companies" in done.stdout


@pytest.mark.slow
def test_a_source_that_nobody_tracks_is_copied_and_a_failing_fold_says_why(project):
    source = project / "data/raw/mine"
    source.mkdir()
    (source / "source.yaml").write_text("format: text\n")
    (source / "calls.jsonl").write_text("a call\n")
    done = crossvalidate(project, "--folds", "2", "-S", "data.source=mine")
    assert done.returncode == 0, done.stderr
    assert "neither Git nor DVC tracks it: data/raw/mine" in done.stderr
    done = crossvalidate(project, "--folds", "20", "-S", "data.source=mine")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("finllm crossvalidate: fold 1 of 20 failed: split: 14 companies for")
    assert "fold-0.log" in last and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--folds", "1"], "--folds is 1; it must be at least 2"),
        (["--folds", "3", "-S", "split.fold=1"], "the folds are set by --folds"),
        (["--folds", "3", "-S", "lora.rank=4"], "params.yaml has no lora.rank"),
        (["--folds", "3", "-S", "lora.r=0"], "lora.r is 0"),
        (["--folds", "3", "-S", "lora"], "must be KEY=VALUE"),
        (["--folds", "3"], "need a Git repository with a commit"),
    ],
)
def test_what_cannot_be_run_is_one_line(tmp_path, monkeypatch, arguments, words):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(SystemExit) as caught:
        cli.main(["crossvalidate", *arguments])
    assert str(caught.value).startswith("finllm crossvalidate: ") and words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_source_is_named(tmp_path):
    (tmp_path / "dvc.yaml").write_text("stages: {sample: {outs: [data/raw/sample]}}")
    with pytest.raises(ValueError, match="data/raw/mine: no such source folder"):
        crossvalidation.untracked(tmp_path, ["data/raw/sample", "data/raw/mine"])


def test_the_stage_and_the_last_words_are_read_from_dvcs_log(tmp_path):
    log = tmp_path / "log"
    log.write_text(
        "Stage 'sample' is cached - skipping run\nRunning stage 'split':\n> python -m "
        "stages.split\n"
        "split: 4 companies for split.n_folds 5; need more companies than folds\n"
        "ERROR: failed to reproduce 'split': failed to run: python, exited with 1\n"
    )
    assert crossvalidation.current_stage(log.read_text()) == "split"
    assert crossvalidation.last_words(log).startswith("split: 4 companies")
