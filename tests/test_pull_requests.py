"""What runs on a pull request: the scripts, on a clone without a cache, and the workflow."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from writing_pipeline import SCRIPTS as STANDINS
from writing_pipeline import dvc, environment, git, write_project

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SCRIPTS = sorted((ROOT / ".github" / "scripts").glob("*.sh"))
CHECK, COMMENT = "pipeline_is_current.sh", "comment.sh"


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    return write_project(tmp_path_factory.mktemp("origin"), scripts=STANDINS)


@pytest.fixture
def clone(origin, tmp_path):
    """A fresh clone: what DVC tracks is not there, nor is a cache."""
    git(tmp_path, "clone", "-q", str(origin), "clone")
    git(tmp_path / "clone", "config", "user.email", "test@example.org")
    git(tmp_path / "clone", "config", "user.name", "test")
    assert not (tmp_path / "clone" / "data" / "split").exists()
    return tmp_path / "clone"


def script(folder, name, *arguments):
    return subprocess.run(
        [str(ROOT / ".github" / "scripts" / name), *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def replace(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_clone_without_data_and_cache_is_current(clone):
    done = script(clone, CHECK)
    assert (done.returncode, done.stderr) == (0, "")
    assert "every stage is as dvc.lock says" in done.stdout


@pytest.mark.parametrize(
    ("file", "old", "new", "stage"),
    [
        ("params.yaml", "  r: 16 ", "  r: 8 ", "train"),
        ("params.yaml", "prior_scale: 0.707", "prior_scale: 1.0", "bayes_stats"),
        ("stages/clean.py", '"""', '"""Now ', "clean"),
        ("metrics/details/significance.json", "1", "2", "significance"),
    ],
)
def test_a_change_without_its_results_fails_and_names_the_stage(clone, file, old, new, stage):
    replace(clone / file, old, new)
    done = script(clone, CHECK)
    assert done.returncode == 1
    named = done.stderr.splitlines()[0].split(": ")[-1].split()
    assert stage in named and "sample" not in named
    assert "run: dvc repro && git add dvc.lock" in done.stderr


def test_a_pipeline_that_cannot_be_read_fails_with_what_dvc_says(clone):
    (clone / "dvc.yaml").write_text("stages: [")
    done = script(clone, CHECK)
    assert done.returncode == 1
    assert "dvc.yaml" in done.stderr and "DVC cannot read the pipeline" in done.stderr


def test_the_comment_is_the_report_and_what_changed(clone):
    git(clone, "checkout", "-q", "-b", "rank-8")
    same = script(clone, COMMENT, "origin/main")
    assert same.returncode == 0, same.stderr
    assert same.stdout.startswith((clone / "reports" / "report.md").read_text())
    assert same.stdout.count("Nothing changed.") == 2
    replace(clone / "params.yaml", "  r: 16 ", "  r: 8 ")
    dvc(clone, "repro", "--quiet")
    git(clone, "commit", "-q", "-a", "-m", "rank 8")
    assert script(clone, CHECK).returncode == 0
    changed = script(clone, COMMENT, "origin/main").stdout
    _, params, metrics = changed.split("\n## ")
    assert re.search(r"\| params.yaml +\| lora.r +\| 16 +\| 8 +\|", params)
    assert re.search(r"\| metrics/summary.json +\| Val_loss +\| 1.1 +\| 1.0 +\|", metrics)


def test_a_comment_that_is_too_long_is_cut_and_says_so(clone):
    (clone / "reports" / "report.md").write_text("long\n" * 20_000)
    done = script(clone, COMMENT, "HEAD")
    assert done.returncode == 0, done.stderr
    assert 60_000 < len(done.stdout) < 65_536
    assert done.stdout.rstrip().endswith("`dvc metrics diff`)")


def test_the_comment_needs_a_base(clone):
    done = script(clone, COMMENT)
    assert (done.returncode, done.stdout) == (2, "") and "usage" in done.stderr


def steps():
    for path in WORKFLOWS:
        for job in YAML(typ="safe").load(path.read_text())["jobs"].values():
            yield from job["steps"]


def test_every_script_is_executable_valid_shell_and_used():
    assert [path.name for path in SCRIPTS] == [COMMENT, CHECK]
    commands = "\n".join(step.get("run", "") for step in steps())
    for path in SCRIPTS:
        assert os.access(path, os.X_OK), path
        subprocess.run(["bash", "-n", str(path)], check=True)
        assert f".github/scripts/{path.name}" in commands
    for name in re.findall(r"\.github/scripts/([\w.]+)", commands):
        assert (ROOT / ".github" / "scripts" / name).is_file()


def test_the_workflow_may_read_and_only_the_comment_may_write():
    (path,) = WORKFLOWS
    workflow = YAML(typ="safe").load(path.read_text())
    assert set(workflow["on"]) == {"pull_request"}  # not pull_request_target, which has secrets
    assert workflow["permissions"] == {"contents": "read"}
    assert "permissions" not in workflow["jobs"]["check"]
    assert workflow["jobs"]["comment"]["permissions"] == {
        "contents": "read",
        "pull-requests": "write",
    }
    for step in steps():  # text from outside reaches the shell by the environment alone
        assert "${{" not in step.get("run", "")


def test_the_workflows_actions_and_its_python_are_pinned():
    used = [step for step in steps() if "uses" in step]
    assert used
    for step in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"]), step["uses"]
        if "setup-python" in step["uses"]:
            assert step["with"]["python-version"] == "3.11"


def test_the_make_targets_of_the_workflow_exist():
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"\bmake (\w+)", "\n".join(step.get("run", "") for step in steps()))
    assert set(targets) == {"lint", "test"}
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.M)
