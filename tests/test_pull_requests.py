"""What runs on a pull request: the scripts, on a clone without a cache, and the workflow."""

import json
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
        ("metrics/details/significance.json", "1", "2", "publish"),
    ],
)
def test_a_change_without_its_results_fails_and_names_the_stage(clone, file, old, new, stage):
    replace(clone / file, old, new)
    done = script(clone, CHECK)
    assert done.returncode == 1
    named = done.stderr.splitlines()[0].split(": ")[-1].split()
    assert stage in named and "sample" not in named
    assert "run: dvc repro && git add dvc.lock" in done.stderr


def test_a_value_that_was_run_before_is_stale_too_though_dvc_has_its_results(clone):
    replace(clone / "params.yaml", "  r: 16 ", "  r: 8 ")
    dvc(clone, "repro", "--quiet")
    assert script(clone, CHECK).returncode == 0
    replace(clone / "params.yaml", "  r: 8 ", "  r: 16 ")
    dvc(clone, "repro", "--quiet")
    replace(clone / "params.yaml", "  r: 16 ", "  r: 8 ")
    done = script(clone, CHECK)
    assert done.returncode == 1 and " train" in done.stderr.splitlines()[0]


def test_a_pipeline_that_cannot_be_read_fails_with_what_dvc_says(clone):
    (clone / "dvc.yaml").write_text("stages: [")
    done = script(clone, CHECK)
    assert done.returncode == 1
    assert "dvc.yaml" in done.stderr and "DVC cannot read the pipeline" in done.stderr


LIMIT = 15_000  # characters that a reviewer scrolls through


def test_the_comment_is_the_verdict_and_what_changed(clone):
    git(clone, "checkout", "-q", "-b", "rank-8")
    same = script(clone, COMMENT, "origin/main")
    assert same.returncode == 0, same.stderr
    report = (clone / "reports" / "report.md").read_text()
    assert same.stdout.startswith(report[: report.index("<details")])
    assert same.stdout.count("Nothing changed.") == 2
    replace(clone / "params.yaml", "  r: 16 ", "  r: 8 ")
    dvc(clone, "repro", "--quiet")
    git(clone, "commit", "-q", "-a", "-m", "rank 8")
    assert script(clone, CHECK).returncode == 0
    changed = script(clone, COMMENT, "origin/main").stdout
    verdict, params, metrics = changed.split("\n## ")
    first = verdict.splitlines()[0]
    assert first.startswith("**") and first.endswith(".**")  # the verdict in a sentence
    assert re.findall(r"!\[.+\]\((\w+\.svg)\)", verdict) == ["forest.svg", "posterior.svg"]
    assert "| lora.r | 16 | 8 |" in params
    rows = [line for line in metrics.splitlines() if line.startswith("|")][2:]
    assert "| Val_loss | 1.1 | 1.0 | -0.1 |" in rows and rows[0].startswith(("| Copying", "| Gain"))
    assert "<details>" not in changed and len(changed) < LIMIT / 2


def changed_value(value):
    """Another value of as many characters or one more."""
    if isinstance(value, dict):
        return {key: changed_value(inner) for key, inner in value.items()}
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return f"{value}x" if isinstance(value, str) else [*value, "x"]


def test_a_change_of_everything_is_whole_and_short(clone, tmp_path):
    git(clone, "checkout", "-q", "-b", "everything")
    params = YAML(typ="safe").load((clone / "params.yaml").read_text())
    with open(clone / "params.yaml", "w", encoding="utf-8") as file:
        YAML(typ="safe").dump(changed_value(params), file)
    summary = json.loads((clone / "metrics" / "summary.json").read_text())
    (clone / "metrics" / "summary.json").write_text(json.dumps(changed_value(summary)))
    git(clone, "commit", "-q", "-a", "-m", "everything")
    done = script(clone, COMMENT, "origin/main")
    assert done.returncode == 0, done.stderr
    _, parameters, metrics = done.stdout.split("\n## ")
    n_values = sum(1 for _ in leaves(params))
    assert len([line for line in parameters.splitlines() if line.startswith("| ")]) == n_values + 1
    assert len([line for line in metrics.splitlines() if line.startswith("| ")]) == len(summary) + 1
    assert parameters.count("<details>") == 1 and parameters.count("</details>") == 1
    assert done.stdout.rstrip().endswith("`metrics/details/`.")  # nothing is cut
    assert len(done.stdout) < LIMIT


def leaves(value):
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    else:
        yield value


def test_the_comment_on_the_committed_report_is_short():
    report = (ROOT / "reports" / "report.md").read_text()
    assert len(report[: report.index("<details")]) < 4000 and len(report) < 8000


def test_a_base_of_the_old_layout_leaves_its_thousand_numbers_out(clone):
    git(clone, "checkout", "-q", "-b", "old")
    (clone / "metrics" / "summary.json").unlink()
    (clone / "metrics" / "evaluate.json").write_text(json.dumps({f"n{i}": i for i in range(1000)}))
    text = (clone / "dvc.yaml").read_text()
    (clone / "dvc.yaml").write_text(text.replace("metrics/summary.json", "metrics/evaluate.json"))
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "as it was")
    git(clone, "checkout", "-q", "-b", "new")
    git(clone, "checkout", "-q", "origin/main", "--", "dvc.yaml", "metrics")
    git(clone, "commit", "-q", "-a", "-m", "as it is")
    done = script(clone, COMMENT, "old")
    assert done.returncode == 0, done.stderr
    assert "| Answer | - |" in done.stdout and "n999" not in done.stdout
    assert len(done.stdout) < LIMIT


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
