"""Studies through DVC, on a pipeline whose stages only write known scores."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import writing_pipeline as wp

from finllm import cli

ROOT = Path(__file__).parents[1]
DVC = """
stages:
  split:
    cmd: python split.py
    params: [split]
    deps: [split.py]
    outs: [data/split/test.jsonl, data/raw/sample]
  train:
    cmd: python train.py
    params: [lora, train]
    deps: [train.py, data/split/test.jsonl]
    outs: [models/adapter, data/results/metrics/details/train.json]
  prefer:
    cmd: python prefer.py
    params: [prefer]
    deps: [prefer.py, models/adapter]
    outs: [models/preferred]
  evaluate:
    cmd: python evaluate.py
    params: [evaluate]
    deps: [evaluate.py, models/adapter, models/preferred, data/split/test.jsonl]
    outs: [data/evaluate/scores.jsonl]
"""
SPLIT = """
import os, pathlib
with open(os.environ["STARTS"], "a") as file:
    file.write("split\\n")
pathlib.Path("data/split").mkdir(parents=True, exist_ok=True)
pathlib.Path("data/raw/sample").mkdir(parents=True, exist_ok=True)
pathlib.Path("data/raw/sample/calls.txt").write_text("a call")
pathlib.Path("data/split/test.jsonl").write_text("x")
"""
# The adapter is its rank and seed; one training fails. PACE: the seconds of seed 3.
TRAIN = """
import json, os, pathlib, time
from ruamel.yaml import YAML

params = YAML(typ="safe").load(pathlib.Path("params.yaml").read_text())
r, seed = params["lora"]["r"], params["train"]["seed"]
with open(os.environ["STARTS"], "a") as file:
    file.write(f"train {r} {seed}\\n")
if (r, seed) == (8, 4):
    raise SystemExit("train: diverged, as it was told")
time.sleep(float(os.environ.get("PACE", 0)) if seed == 3 else 0)
pathlib.Path("models/adapter").mkdir(parents=True, exist_ok=True)
pathlib.Path("models/adapter/adapter.txt").write_text(f"{r} {seed}")
results = pathlib.Path("data/results/metrics/details")
results.mkdir(parents=True, exist_ok=True)
results.joinpath("train.json").write_text(json.dumps({"forgetting": {"ratio": 1 + r / 100}}))
"""
PREFER = """
import pathlib
from ruamel.yaml import YAML

method = YAML(typ="safe").load(pathlib.Path("params.yaml").read_text())["prefer"]["method"]
pathlib.Path("models/preferred").mkdir(parents=True, exist_ok=True)
pathlib.Path("models/preferred/method.txt").write_text(method)
"""
# A rank of 16 scores 0.2 more than any other, and the preferred model 0.1 more than the tuned one;
# seeds and companies differ by a little.
EVALUATE = """
import pathlib
from finllm.records import METRICS, Score, write_jsonl

r, seed = map(int, pathlib.Path("models/adapter/adapter.txt").read_text().split())
rows = []
for i in range(12):
    for k in range(2):
        noise = 0.01 * ((i * 7 + r * 3 + seed * 5) % 5) + 0.005 * ((seed + r) % 3)
        tuned = (0.3 if r == 16 else 0.1) + noise
        models = {"base": 0.0, "tuned": tuned}
        if pathlib.Path("models/preferred/method.txt").read_text() != "none":
            models["preferred"] = tuned + 0.1 + 0.005 * ((i * seed) % 4)
        for model, gain in models.items():
            values = dict.fromkeys(METRICS, 0.3 + gain + 0.01 * k)
            rows.append(Score(f"c{i:02}:{k}", model, "test", f"c{i:02}", "", "2021Q1",
                              "summarization", "human", values))
write_jsonl(pathlib.Path("data/evaluate/scores.jsonl"), rows)
"""
STUDY = """
claim: Rank 16 is best.
question: best
factor: lora.r
levels: [8, 16]
reference: 16
seeds: [1, 2, 3, 4]
metric: number_accuracy
margin: 0.02
hours: 1
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("study")
    scripts = {"split.py": SPLIT, "train.py": TRAIN, "prefer.py": PREFER}
    scripts |= {"evaluate.py": EVALUATE, "dvc.yaml": DVC}
    for name, text in scripts.items():
        (root / name).write_text(text)
    (root / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    (root / "data/raw/none").mkdir(parents=True)
    (root / "data/raw/none/README.md").write_text("no source")
    (root / ".gitignore").write_text(
        "/data/*\n!/data/raw\n/data/raw/*\n!/data/raw/none\n/models\n/.search\n/starts\n"
    )
    wp.git(root, "init", "-q", "-b", "main")
    wp.git(root, "config", "user.email", "test@example.org")
    wp.git(root, "config", "user.name", "test")
    wp.dvc(root, "init", "-q")
    wp.git(root, "add", "-A")
    wp.git(root, "commit", "-q", "-m", "start")
    (root / "studies").mkdir()
    return root


def environment(root: Path, **more: str) -> dict[str, str]:
    return {**wp.environment(), "PYTHONPATH": str(ROOT), "STARTS": str(root / "starts"), **more}


def study(root: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "finllm", "study", *arguments],
        cwd=root, env=environment(root), capture_output=True, text=True, check=False,
    )  # fmt: skip


def starts(root: Path) -> list[str]:
    return (root / "starts").read_text().splitlines()


def test_a_killed_study_goes_on_past_a_failed_run_to_the_right_answer(project):
    (project / "studies/rank.yaml").write_text(STUDY)
    running = subprocess.Popen(
        [sys.executable, "-m", "finllm", "study", "studies/rank.yaml"],
        cwd=project, env=environment(project, PACE="60"), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    said = []
    for line in running.stderr:
        said.append(line)
        if line.startswith("run 5 of 8, 8, seed 3: train"):
            break
    time.sleep(0.5)
    os.kill(running.pid, signal.SIGINT)
    rest = running.stderr.read()
    running.stderr.close()
    assert running.wait(60) == 130, said + [rest]
    assert "run the same command to resume" in rest
    assert any(" left" in line for line in said)
    done = study(project, "studies/rank.yaml")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Confirmed: number_accuracy, 16 against 8: 0.198")
    ran = starts(project)
    assert ran.count("split") == 1, "a stage that does not depend on the factor ran twice"
    assert ran.count("train 8 1") == 1 and ran.count("train 16 3") == 1
    result = json.loads((project / "docs/studies/rank/result.json").read_text())
    assert result["verdict"] == "confirmed" and result["companies"] == 12
    assert [len(level["runs"]) for level in result["levels"]] == [3, 4]
    assert "train: diverged, as it was told" in result["levels"][0]["failed"][0]["why"]
    assert result["findings"][0]["low"] < 0.2 < result["findings"][0]["high"]
    assert "| 8 | 4 | train: diverged" in (project / "docs/studies/rank/result.md").read_text()
    page = (project / "docs/claims.md").read_text()
    assert (
        "| Rank 16 is best. | confirmed | Confirmed: number_accuracy, 16 against 8: 0.198" in page
    )
    assert (project / "docs/studies/rank/result.svg").read_text().count("<circle") == 7
    listed = wp.git(project, "for-each-ref", "--format=%(refname)", "refs/exps")
    assert listed.count("/rank-") == 7  # `dvc exp show` has them


PREFERRED = """
claim: Preferences raise number accuracy.
question: better
levels:
  tuned: {prefer.method: none}
  preferred: {prefer.method: dpo, verdict.candidate: preferred}
reference: tuned
seeds: [5, 6, 7]
metric: number_accuracy of candidate
margin: 0.02
hours: 1
"""


def test_a_study_compares_the_preferred_model_with_the_tuned_one_of_the_same_training(project):
    (project / "studies/preferred.yaml").write_text(PREFERRED)
    done = study(project, "studies/preferred.yaml")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Confirmed: number_accuracy of candidate, preferred against tun")
    result = json.loads((project / "docs/studies/preferred/result.json").read_text())
    assert result["findings"][0]["estimate"] == pytest.approx(0.1, abs=0.015)
    assert [starts(project).count(f"train 16 {seed}") for seed in (5, 6, 7)] == [1, 1, 1]


# Scores of a level that is its own mean; `low` cannot be run with seed 2. Companies and seeds vary.
COMMAND = """
import json, sys
level, seed, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
if level == "low" and seed == 2:
    sys.exit("no low today")
with open("ran", "a") as file:
    file.write(f"{level} {seed}\\n")
with open(out, "w") as file:
    for i in range(10):
        noise = ((i * 7 + seed * 5 + len(level)) % 5) / 100
        value = {"low": 1.0, "half": 2.0, "whole": 4.0}[level] + noise
        file.write(json.dumps({"example": f"e{i}", "company": f"c{i}", "value": value}) + "\\n")
"""
BY_COMMAND = """
claim: Half of the whole is enough.
question: at_least
levels: [half, whole]
reference: whole
times: 0.4
seeds: [1, 2, 3, 4, 5]
metric: share
command: python write.py {level} {seed} {out}
hours: 1
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    (tmp_path / "write.py").write_text(COMMAND)
    (tmp_path / "studies").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def by_command(folder: Path, capsys, *edits: tuple[str, str], name: str = "half") -> dict:
    text = BY_COMMAND
    for edit in edits:
        text = text.replace(*edit)
    (folder / f"studies/{name}.yaml").write_text(text)
    cli.main(["study", f"studies/{name}.yaml", "--json"])
    return json.loads(capsys.readouterr().out)


def test_a_sequential_study_stops_when_a_look_decides(folder, capsys):
    result = by_command(folder, capsys, ("hours: 1", "hours: 1\nstop: sequential"))
    assert result["verdict"] == "confirmed" and result["seeds"] == [1, 2, 3]
    assert result["stopped"] == "decided after 3 of 5 seeds"
    assert result["findings"][0]["estimate"] == pytest.approx(0.5, abs=0.01)
    assert len((folder / "ran").read_text().splitlines()) == 6
    all_seeds = by_command(folder, capsys, name="all")
    assert all_seeds["verdict"] == "confirmed" and len(all_seeds["seeds"]) == 5


def test_a_claim_that_does_not_hold_is_refuted_and_a_bound_on_the_truth_is_undecided(
    folder, capsys
):
    refuted = by_command(folder, capsys, ("times: 0.4", "times: 0.6"), name="more")
    assert refuted["verdict"] == "refuted" and "less than 0.6 times" in refuted["sentence"]
    truth = refuted["findings"][0]["estimate"]
    open_ = by_command(folder, capsys, ("times: 0.4", f"times: {truth:.5f}"), name="open")
    assert open_["verdict"] == "undecided"
    assert "would settle it" in open_["sentence"] or "would not settle it" in open_["sentence"]


def test_a_failed_run_costs_its_seed_and_runs_again_when_it_is_asked_to(folder, capsys):
    edits = [("[half, whole]", "[low, half, whole]"), ("times: 0.4", "times: 0.2")]
    result = by_command(folder, capsys, *edits)
    assert result["levels"][0]["failed"] == [{"seed": 2, "why": "no low today"}]
    assert result["verdict"] == "confirmed" and len(result["levels"][0]["runs"]) == 4
    n_ran = len((folder / "ran").read_text().splitlines())
    (folder / "write.py").write_text(COMMAND.replace("no low today", "never"))
    by_command(folder, capsys, *edits)
    assert len((folder / "ran").read_text().splitlines()) == n_ran
    cli.main(["study", "studies/half.yaml", "--json", "--retry"])
    again = json.loads(capsys.readouterr().out)
    assert again["levels"][0]["failed"] == [{"seed": 2, "why": "never"}]


def test_a_level_that_always_fails_confirms_nothing(folder, capsys):
    (folder / "write.py").write_text(COMMAND.replace(" and seed == 2", ""))
    result = by_command(
        folder, capsys, ("[half, whole]", "[low, half, whole]"), ("times: 0.4", "times: 0.2")
    )
    assert result["left_out"] == ["low"] and result["verdict"] == "undecided"
    assert [row["verdict"] for row in result["findings"]] == ["confirmed"]


def test_an_edited_study_is_another_one_and_its_results_are_not_mixed(folder, capsys):
    by_command(folder, capsys)
    with pytest.raises(SystemExit, match="another file is another study"):
        by_command(folder, capsys, ("seeds: [1, 2, 3, 4, 5]", "seeds: [1, 2, 3]"))


def test_scores_of_one_company_cannot_be_compared(folder):
    (folder / "write.py").write_text(COMMAND.replace('f"c{i}"', '"Acme"'))
    (folder / "studies/half.yaml").write_text(BY_COMMAND)
    with pytest.raises(SystemExit, match="all 10 examples are of one company, Acme"):
        cli.main(["study", "studies/half.yaml"])


def test_beyond_its_hours_a_study_begins_no_run(folder, capsys):
    result = by_command(folder, capsys, ("hours: 1", "hours: 0.00000001"))
    assert result["verdict"] == "undecided" and len(result["levels"][0]["runs"]) == 1
    assert result["stopped"] == "the limit of 1e-08 hours was reached after 1 runs"


def test_what_is_counted_has_no_error(folder, capsys):
    exact = ("seeds: [1, 2, 3, 4, 5]", "exact: true")
    result = by_command(folder, capsys, exact, ("times: 0.4", "times: 0.5"))
    assert result["verdict"] == "confirmed" and "[" not in result["sentence"]


def test_the_dry_run_prints_minutes_and_power_and_runs_nothing(folder, capsys):
    power = "power: {means: [2, 4], company_sd: 0.1, seed_sd: 0.1, rest_sd: 0.1, companies: 10}"
    (folder / "studies/half.yaml").write_text(BY_COMMAND + power)
    cli.main(["study", "studies/half.yaml", "--dry"])
    said = capsys.readouterr().out
    assert "10 runs of a command" in said and "power, under its assumptions: 1.00 confirmed" in said
    assert not (folder / "ran").exists() and not (folder / "docs").exists()


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (("[8, 16]", "[0, 16]"), "level 0: lora.r is 0; it must be at least 1"),
        (("lora.r", "lora.rank"), "params.yaml has no lora.rank"),
        (("number_accuracy", "number_acuracy"), "did you mean number_accuracy?"),
        (("number_accuracy", "train.trainable_params"), "did you mean train.trainable_parameters?"),
        (("[1, 2, 3, 4]", "[1]"), "at least 3 different seeds"),
        (("[1, 2, 3, 4]", "[1, 1, 2]"), "at least 3 different seeds"),
        (("[8, 16]", "[16, 16.0]"), "levels has 16 twice"),
        (("[8, 16]", "[16]"), "levels has 1; a comparison needs at least 2"),
        (("margin: 0.02", "margin: 0"), "margin is 0; it must be above 0"),
        (("margin: 0.02", ""), "margin is None"),
        (("reference: 16", "reference: 32"), "reference is 32; it must be one of 8, 16"),
        (("question: best", "question: bset"), "question is 'bset'; it must be one of better"),
        (("hours: 1", "hour: 1"), "unknown key hour; did you mean hours?"),
        (("hours: 1", "hours: 0"), "hours is 0; it must be above 0"),
        (("claim: Rank 16 is best.", "claim: [}"), "not valid YAML"),
    ],
)
def test_what_cannot_be_a_study_is_one_line(tmp_path, monkeypatch, edit, words):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    for kind in ("details", "costs"):
        (tmp_path / "metrics" / kind).mkdir(parents=True)
        copied = (ROOT / "metrics" / kind / "train.json").read_text()
        (tmp_path / "metrics" / kind / "train.json").write_text(copied)
    (tmp_path / "one.yaml").write_text(STUDY.replace(*edit))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        cli.main(["study", "one.yaml"])
    said = str(caught.value)
    assert said.startswith("finllm study: one.yaml: ") and words in said and "\n" not in said


def test_levels_that_are_the_same_settings_are_refused(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    levels = "levels:\n  as it is: {}\n  written out: {lora.r: 16}"
    text = STUDY.replace("levels: [8, 16]", levels).replace("factor: lora.r\n", "")
    (tmp_path / "one.yaml").write_text(text.replace("reference: 16", "reference: as it is"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="as it is and written out have equal settings"):
        cli.main(["study", "one.yaml"])
