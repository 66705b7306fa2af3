"""`python -m finllm repro` and `verdict`: what they print on a pipeline whose stages only write."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from writing_pipeline import FAKE, ROOT, environment, git, write_project

from finllm.commands.doctor.currency import currency

KILLED = f"""
import os, signal
from ruamel.yaml import YAML
r = YAML(typ="safe").load(open("params.yaml"))["lora"]["r"]
if r == 3:
    os.kill(os.getpid(), signal.SIGKILL)
if r == 5:
    raise SystemExit(130)  # as after Ctrl-C
{FAKE}
"""
REPORT = f"""
{FAKE}
known = pathlib.Path("known.json").read_text()
pathlib.Path("data/results/metrics/details/verdict.json").write_text(known)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "metrics" / "details" / "verdict.json", root / "known.json")
    return write_project(root, scripts={"train": KILLED, "report": REPORT})


def finllm(root: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "finllm", *arguments],
        cwd=root, capture_output=True, text=True, env=environment(), check=False,
    )  # fmt: skip


@pytest.fixture
def change(project):
    """Set a parameter for the test; afterwards the file and the outputs are as they were."""
    path = project / "params.yaml"
    before = path.read_bytes()

    def change(section: str, key: str, value: object) -> None:
        document = YAML().load(path)
        document[section][key] = value
        with open(path, "w", encoding="utf-8") as file:
            YAML().dump(document, file)

    yield change
    path.write_bytes(before)
    assert finllm(project, "repro").returncode == 0


def test_an_unchanged_pipeline_is_a_sentence(project):
    done = finllm(project, "repro")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Nothing has changed: all stages are up to date\n"


def test_dvc_s_own_messages_are_in_its_log_and_not_on_the_screen(project, change):
    change("bayes_stats", "prior_scale", 1.0)
    done = finllm(project, "repro")
    assert done.returncode == 0 and done.stderr == ""
    # stages that only write say nothing; the constants that they write end the run at once
    assert done.stdout.strip().startswith("2 stages ran in ")
    assert done.stdout.strip().endswith("; logs are in logs/")
    log = (project / "logs" / "dvc.log").read_text()
    assert "Running stage 'bayes_stats'" in log and "git add" in log


def test_a_killed_stage_is_named_with_the_signal_and_how_to_go_on(project, change):
    change("lora", "r", 3)
    done = finllm(project, "repro")
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if line != "Killed"]  # that is the shell's
    assert said == [
        "train: ended by signal 9 (out of memory? `python -m finllm plan` estimates the memory); "
        "run `make repro` or `dvc repro` to resume",
        "train: see logs/train.log",
    ]
    changed = {line.split()[-1] for line in git(project, "status", "--short").splitlines()}
    assert changed <= {"params.yaml", "dvc.lock"}  # the committed figures are of one run


def test_a_value_that_was_run_before_is_taken_from_the_cache(project, change):
    change("lora", "r", 8)
    first = finllm(project, "repro")
    assert "train" not in first.stdout and "\n3 stages ran in " in first.stdout
    change("lora", "r", 16)
    done = finllm(project, "repro")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "train           restored from DVC's run cache" in lines
    assert lines[-1].startswith("1 stage ran, 2 were restored from the cache, in ")
    assert max(map(len, lines)) <= 100


def test_after_ctrl_c_the_stage_has_said_all(project, change):
    change("lora", "r", 5)
    done = finllm(project, "repro")
    assert (done.returncode, done.stderr) == (130, "")


def test_what_dvc_itself_fails_over_is_a_line_with_its_log(project):
    lexicon = project / "data" / "lexicon"
    lexicon.rename(project / "elsewhere")
    done = finllm(project, "repro")
    (project / "elsewhere").rename(lexicon)
    assert finllm(project, "repro").returncode == 0  # DVC had removed outputs before it looked
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("repro: ") and "data/lexicon" in line
    assert line.endswith("(DVC log: logs/dvc.log)")


def test_an_unknown_stage_is_a_line(project):
    done = finllm(project, "repro", "tarin")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("repro: dvc.yaml has no stage 'tarin'; its stages are ")
    assert {"check", "predict@tuned", "train"} <= set(
        done.stderr.strip().split(" are ")[1].split(", ")
    )


def test_a_downloaded_archive_runs_and_says_what_git_is_needed_for(project, tmp_path):
    archive = tmp_path / "archive"
    ignored = shutil.ignore_patterns(".git", "tmp", "logs")
    shutil.copytree(project, archive, ignore=ignored)
    done = finllm(archive, "repro")
    assert done.returncode == 0, done.stderr
    assert "git init && git add -A && git commit -m start" in done.stdout
    assert currency(archive).stages == []


def screen_of(project: Path) -> list[str]:
    done = finllm(project, "verdict")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def not_current(project: Path) -> list[str]:
    return json.loads(finllm(project, "verdict", "--json").stdout)["not_current"]


def test_a_current_verdict_says_nothing_of_it(project):
    assert screen_of(project)[0].startswith("Number accuracy, the primary metric")
    assert not_current(project) == []


def test_a_verdict_from_before_a_change_says_so_first(project, change):
    change("verdict", "primary_metric", "rougeL")
    first, empty, *_ = screen_of(project)
    assert first.startswith("Out of date: ") and first.endswith(
        " changed since the run; run `make repro`"
    )
    assert "significance" in first and len(first) <= 100 and empty == ""
    found = not_current(project)
    assert {"significance", "bayes_stats", "report"} <= set(found)
    assert not {"train", "predict@base", "clean"} & set(found)


def test_a_verdict_beside_an_interrupted_run_says_so(project):
    lost = project / "data" / "results" / "metrics" / "details" / "train.json"
    before = lost.read_bytes()
    lost.unlink()
    first = screen_of(project)[0]
    found = not_current(project)
    lost.write_bytes(before)
    assert first.startswith("Results are from the last commit: outputs of ") and "train" in first
    assert len(first) <= 100
    assert "train" in found and "report" in found


def test_a_verdict_where_dvc_cannot_say_is_printed_with_the_reason(tmp_path):
    (tmp_path / "metrics" / "details").mkdir(parents=True)
    shutil.copy(ROOT / "metrics" / "details" / "verdict.json", tmp_path / "metrics" / "details")
    done = subprocess.run(
        [sys.executable, "-m", "finllm", "verdict"], cwd=tmp_path, capture_output=True, text=True,
        env={**environment(), "PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Could not check whether the results are up to date: ")
