"""Every command of the README's everyday table, on the pipeline whose stages only write."""

import csv
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from writing_pipeline import SCRIPTS, dvc, environment, git, write_project

from finllm.experiments.experiment import read_result

TRAINED, COSTS = "metrics/details/train.json", "metrics/costs/train.json"
TIMEOUT = 900  # seconds: a busy machine is no failure


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = write_project(tmp_path_factory.mktemp("project"), scripts=SCRIPTS)
    (root / ".venv").mkdir()
    return root


def clone_of(project, folder, *, cache):
    """A clone, with the project's cache or with none."""
    git(folder, "clone", "-q", str(project), "clone")
    clone = folder / "clone"
    git(clone, "config", "user.email", "test@example.org")
    git(clone, "config", "user.name", "test")
    if cache:
        dvc(clone, "cache", "dir", "--local", str(project / ".dvc" / "cache"))
    return clone


@pytest.fixture(scope="module")
def what_if(project, tmp_path_factory):
    """A clone in which `dvc exp run -S lora.r=8` was run."""
    clone = clone_of(project, tmp_path_factory.mktemp("what_if"), cache=True)
    said = dvc(clone, "exp", "run", "-S", "lora.r=8", "-n", "rank-8")
    return clone, said


def test_exp_run_changes_a_parameter_and_runs_what_depends_on_it(what_if):
    clone, said = what_if
    assert re.search(r"^  r: 8 +# rank$", (clone / "params.yaml").read_text(), re.M)
    ran = set(re.findall(r"Running stage '(.+)'", said))
    assert {"train", "predict@tuned"} <= ran and "clean" not in ran
    assert json.loads((clone / TRAINED).read_text())["best_val_loss_nats"] == 1.0


def test_going_back_to_an_earlier_value_does_not_train_again(project, what_if, tmp_path):
    clone = clone_of(project, tmp_path, cache=True)
    dvc(clone, "checkout", "-q")
    back = dvc(clone, "exp", "run", "-S", "lora.r=8")  # run before in another clone
    for stage in ("train", "predict@tuned", "report"):
        assert f"Stage '{stage}' is cached - skipping run" in back
    for path in (TRAINED, COSTS, "metrics/summary.json"):  # the costs of the run that made it
        assert (clone / path).read_bytes() == (what_if[0] / path).read_bytes(), path
    again = dvc(clone, "exp", "run", "-S", "lora.r=16")
    assert "Stage 'train' is cached - skipping run" in again
    assert set(re.findall(r"Running stage '(.+)'", again)) == {"check", "publish"}
    assert git(clone, "diff", "--stat", "--", "metrics", "plots", "reports", "dvc.lock") == ""


def test_until_the_end_of_the_pipeline_the_figures_in_git_are_of_one_run(project, tmp_path):
    clone = clone_of(project, tmp_path, cache=True)
    dvc(clone, "checkout", "-q")
    text = (clone / "params.yaml").read_text()
    (clone / "params.yaml").write_text(text.replace("  r: 16 ", "  r: 64 ", 1))
    dvc(clone, "repro", "train")  # as a run that is stopped after it
    fresh = json.loads((clone / "data" / "results" / TRAINED).read_text())
    assert fresh["best_val_loss_nats"] == pytest.approx(1.3)
    assert git(clone, "status", "--short").split() == ["M", "dvc.lock", "M", "params.yaml"]
    dvc(clone, "repro")
    assert json.loads((clone / TRAINED).read_text()) == fresh


def test_params_diff_shows_the_changed_parameter_alone(what_if):
    rows = dvc(what_if[0], "params", "diff", "--md").strip().splitlines()[2:]
    assert len(rows) == 1
    assert [cell.strip() for cell in rows[0].split("|")[1:-1]] == [
        "params.yaml",
        "lora.r",
        "16",
        "8",
    ]


def test_metrics_diff_main_is_a_table_for_a_pull_request(what_if):
    rows = dvc(what_if[0], "metrics", "diff", "main", "--md").strip().splitlines()
    assert set(rows[1]) <= set("|-: ")
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows[2:]]
    assert len(cells) <= 40
    assert ["metrics/summary.json", "Val_loss", "1.1", "1.0"] in [row[:4] for row in cells]


def test_plots_diff_draws_both_curves(what_if, tmp_path):
    clone = what_if[0]
    curve = "plots/training/plots/metrics/val/loss_nats.tsv"
    dvc(clone, "plots", "diff", "main", "--targets", curve, "-o", str(tmp_path / "out"))
    page = (tmp_path / "out" / "index.html").read_text()
    assert "loss_nats" in page and '"main"' in page and '"workspace"' in page


def queue(project):
    """The states of the queue's tasks, by experiment."""
    rows = [line.split() for line in dvc(project, "queue", "status").splitlines()]
    states = ("Queued", "Running", "Success", "Failed", "Killed")
    return {row[1]: row[-1] for row in rows if row and row[-1] in states}


def drained(project, *names):
    """The states of these experiments, once the queue has done with them."""
    until = time.monotonic() + TIMEOUT
    while time.monotonic() < until:
        states = queue(project)
        if all(states[name] not in ("Queued", "Running") for name in names):
            return [states[name] for name in names]
        time.sleep(2)
    raise AssertionError(f"the queue is not done: {states}")


@pytest.fixture
def workers(project):
    """Start the queue's worker; afterwards there is none.

    A worker ends with its queue. It is stopped only where it does not: a stop without a worker
    waits in the queue for the next one, and ends it after its first task.
    """

    def start():
        subprocess.run(  # the worker keeps the outputs open: reading them would wait for its end
            [sys.executable, "-m", "dvc", "queue", "start", "--jobs", "1"],
            cwd=project,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )

    yield start
    if not ended(project, seconds=60):
        dvc(project, "queue", "stop", "--kill")
    assert ended(project, seconds=TIMEOUT)


def ended(project, *, seconds):
    """Whether the queue's worker ends within some time; DVC notes its process on disk."""
    file = project / ".dvc" / "tmp" / "exps" / "celery" / "dvc-exp-worker-1.json"
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not alive(json.loads(file.read_text())["pid"]):
            return True
        time.sleep(0.5)
    return False


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def experiments(project):
    """Rank, learning rate and validation loss of each experiment, by name."""
    rows = csv.DictReader(dvc(project, "exp", "show", "--csv").splitlines())
    names = ("lora.r", "train.learning_rate", "Val_loss")
    return {row["Experiment"]: [row[name] for name in names] for row in rows if row["Experiment"]}


def test_a_queued_grid_runs_all_and_the_best_can_be_applied(project, workers):
    grid = ["-S", "lora.r=8,32", "-S", "train.learning_rate=1e-4,2e-4"]
    dvc(project, "exp", "run", "--queue", *grid)
    queued = queue(project)
    assert list(queued.values()) == ["Queued"] * 4
    workers()
    assert drained(project, *queued) == ["Success"] * 4
    assert git(project, "status", "--short") == ""  # the workspace is not touched
    found = {name: row for name, row in experiments(project).items() if name in queued}
    drawn = {(int(r), float(rate)) for r, rate, _ in found.values()}
    assert drawn == {(r, rate) for r in (8, 32) for rate in (1e-4, 2e-4)}
    best = min(found, key=lambda name: float(found[name][2]))
    assert (int(found[best][0]), float(found[best][1])) == (8, 2e-4)
    dvc(project, "exp", "apply", best)
    try:
        params = YAML(typ="safe").load((project / "params.yaml").read_text())
        assert (params["lora"]["r"], params["train"]["learning_rate"]) == (8, 2e-4)
        assert (project / "models" / "adapter" / "adapter.txt").read_text() == "8 0.0002"
        assert "train" not in dvc(project, "status")  # nothing is left to run
    finally:
        git(project, "checkout", "-q", ".")
        dvc(project, "checkout", "-q")


def test_a_queued_run_that_was_killed_goes_on_from_its_checkpoint(project, workers, monkeypatch):
    monkeypatch.setenv("PACE", str(TIMEOUT))
    setting = ["-S", "lora.r=512", "-S", "train.learning_rate=1e-3"]
    dvc(project, "exp", "run", "--queue", *setting, "-n", "killed")
    checkpoint = project / ".checkpoints" / "r512-rate0.001"
    workers()
    until = time.monotonic() + TIMEOUT
    while not checkpoint.is_file() and time.monotonic() < until:
        time.sleep(0.1)
    copy = Path(json.loads(checkpoint.read_text())["where"])
    assert copy.parent == project / ".dvc" / "tmp" / "exps"
    dvc(project, "queue", "kill", "killed")
    assert drained(project, "killed") != ["Success"]
    assert checkpoint.is_file() and not copy.exists()
    assert ended(project, seconds=TIMEOUT)
    monkeypatch.setenv("PACE", "0")
    dvc(project, "exp", "run", "--queue", *setting, "-n", "again")
    workers()
    assert drained(project, "again") == ["Success"]
    ref = reference(project, "again")
    metrics, costs = (json.loads(git(project, "show", f"{ref}:{x}")) for x in (TRAINED, COSTS))
    assert costs["cost"]["n_resumes"] == 1
    assert metrics["n_ignored"] == 0  # neither .venv nor .checkpoints is in the copy
    assert not checkpoint.exists()


def reference(project, name):
    """The Git reference of an experiment."""
    names = git(project, "for-each-ref", "--format=%(refname)", "refs/exps").split()
    (found,) = [one for one in names if one.endswith(f"/{name}")]
    return found


def test_a_remote_in_three_lines_and_a_fresh_clone_runs_nothing(project, tmp_path):
    team = clone_of(project, tmp_path, cache=True)
    dvc(team, "remote", "add", "-d", "store", str(tmp_path / "store"))
    dvc(team, "checkout")
    dvc(team, "push")
    git(team, "commit", "-q", "-a", "-m", "a remote")
    (tmp_path / "other").mkdir()
    fresh = clone_of(team, tmp_path / "other", cache=False)
    assert not (fresh / "data" / "split").exists()
    dvc(fresh, "pull")
    assert (fresh / "models" / "adapter" / "adapter.txt").is_file()
    said = dvc(fresh, "repro")
    assert "Running stage" not in said
    assert said.strip().splitlines()[-1] == "Data and pipelines are up to date."
    assert git(fresh, "status", "--short") == ""


def finllm(project, *arguments, pace):
    return subprocess.Popen(
        [sys.executable, "-m", "finllm", *arguments],
        cwd=project,
        env={**environment(), "PACE": str(pace)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_search_goes_on_after_ctrl_c_and_leaves_experiments_to_apply(project, tmp_path):
    clone = clone_of(project, tmp_path, cache=True)
    dvc(clone, "checkout", "-q")
    text = (clone / "params.yaml").read_text()
    (clone / "params.yaml").write_text(text.replace("  r: 16 ", "  r: 256 ", 1))
    (tmp_path / "two.yaml").write_text("lora.r: {values: [10, 256]}\n")
    command = ["search", "--trials", "3", "--space", str(tmp_path / "two.yaml"), "--json"]

    first = finllm(clone, *command, pace=TIMEOUT)  # begins with 256, which takes so long
    until = time.monotonic() + TIMEOUT
    while not list(clone.glob(".search/*/checkpoints/*")) and time.monotonic() < until:
        assert first.poll() is None, first.communicate()
        time.sleep(0.1)
    first.send_signal(signal.SIGINT)
    out, said = first.communicate(timeout=TIMEOUT)
    assert first.returncode == 130, said
    assert json.loads(out)["trials"] == []
    assert list(clone.glob(".search/*/checkpoints/*"))
    assert not list((clone / ".dvc" / "tmp" / "exps" / "standalone").glob("tmp*"))

    second = finllm(clone, *command, pace=0)
    out, said = second.communicate(timeout=TIMEOUT)
    assert second.returncode == 0, said
    found = json.loads(out)
    assert len(found["trials"]) == 3
    trial, best = found["trials"][0], found["best"]
    assert (trial["state"], trial["settings"]) == ("complete", {"lora.r": 256})
    name, results = trial["experiment"], "data/results"
    metrics, costs = (
        json.loads(read_result(clone, name, f"{results}/{x}")) for x in (TRAINED, COSTS)
    )
    assert costs["cost"]["n_resumes"] == 1 and metrics["n_ignored"] == 0
    assert best["settings"] == {"lora.r": 10}
    assert best["val_loss_nats"] == pytest.approx(0.7 + math.log2(10) / 10)
    status = git(clone, "status", "--short").split()
    assert status == ["M", "dvc.lock", "M", "params.yaml"]  # DVC notes for what `check` was run
    assert found["commands"][0] == f"dvc exp apply {best['experiment']} && dvc repro"
    assert found["commands"][1] == "dvc exp run -S lora.r=10"
    changed = (clone / "params.yaml").read_text()
    dvc(clone, "exp", "run", "-S", "lora.r=16", "-n", "another")  # a workspace of other settings
    said = dvc(clone, *found["commands"][1].split()[1:])
    assert "Stage 'train' is cached - skipping run" in said  # the search trained it
    git(clone, "checkout", "-q", ".")
    (clone / "params.yaml").write_text(changed)
    dvc(clone, "exp", "apply", best["experiment"])
    said = dvc(clone, "repro")
    assert "Running stage 'train'" not in said  # its adapter came with the experiment
    # as in the test of a new rank, whose run the cache may hold
    assert re.search(r"Running stage 'predict@tuned'|Stage 'predict@tuned' is cached", said)


def test_search_stops_a_trial_that_is_behind(project, tmp_path):
    clone = clone_of(project, tmp_path, cache=True)
    dvc(clone, "checkout", "-q")
    text = (clone / "params.yaml").read_text()
    (clone / "params.yaml").write_text(text.replace("n_startup_trials: 5", "n_startup_trials: 1"))
    (tmp_path / "two.yaml").write_text("lora.r: {values: [16, 1024]}\n")
    command = ["search", "--trials", "3", "--space", str(tmp_path / "two.yaml"), "--json"]
    searching = finllm(clone, *command, pace=TIMEOUT)
    out, said = searching.communicate(timeout=TIMEOUT)
    assert searching.returncode == 0, said
    rows = json.loads(out)["trials"]
    states = {(row["settings"]["lora.r"], row["state"]) for row in rows}
    assert states == {(16, "complete"), (1024, "pruned")}
    assert not list(clone.glob(".search/*/checkpoints"))
    assert not list((clone / ".dvc" / "tmp" / "exps" / "standalone").glob("tmp*"))
    assert os.listdir(clone / ".search")
