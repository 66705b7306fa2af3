"""What DVC's commands print fits a screen: rows, columns and characters are counted."""

import csv
import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from writing_pipeline import SCRIPTS, dvc, environment, git, write_project

from benchmarks import terminal

ROOT = Path(__file__).parents[1]
SUMMARY = json.loads((ROOT / "metrics" / "summary.json").read_text(encoding="utf-8"))
VERDICT = json.loads((ROOT / "metrics/details/verdict.json").read_text(encoding="utf-8"))
PIPELINE = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
EVERYDAY = (ROOT / "docs" / "everyday.md").read_text(encoding="utf-8")
DROPPED = ".*/|Created"  # what the page drops to fit 120 columns
COST = re.compile(r"seconds|tokens_per_second|memory|latency|timing|_gb\b|_mb\b")


def outs(kind):
    """What the stages declare under ``kind``, as a path with its options."""
    for stage in PIPELINE["stages"].values():
        for out in stage.get("do", stage).get(kind, []):
            yield next(iter(out.items())) if isinstance(out, dict) else (out, {})


def keys(value, path=""):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from keys(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner, path)
    else:
        yield path


# --- what is committed


def test_the_metrics_are_one_file_of_at_most_forty_numbers():
    assert [path for path, _ in outs("metrics")] == ["metrics/summary.json"]
    assert "metrics" not in PIPELINE
    assert 25 <= len(SUMMARY) <= 40
    assert all(isinstance(value, int | float | str) for value in SUMMARY.values())


def test_what_dvc_sorts_first_is_the_verdict():
    names = sorted(SUMMARY)
    assert names[0] == "Answer" and SUMMARY["Answer"] == VERDICT["verdict"]
    capital = [name[0].isupper() for name in names]
    assert all(before >= after for before, after in pairwise(capital))
    wanted = {"Answer", "Base", "Tuned", "Gain", "Gain_low", "Gain_high", "Val_loss"}
    wanted |= {"Copying"} if "copying" in VERDICT else set()
    assert {name for name in names if "/" not in name} == wanted


def test_the_summary_says_what_the_details_say():
    assert SUMMARY["Base"] == VERDICT["base_mean"] and SUMMARY["Gain"] == VERDICT["difference"]
    train = json.loads((ROOT / "metrics/details/train.json").read_text(encoding="utf-8"))
    assert SUMMARY["Val_loss"] == train["best_val_loss_nats"]


def test_no_time_and_no_memory_is_a_metric_or_a_detail():
    assert not [name for name in SUMMARY if COST.search(name)]
    details = sorted((ROOT / "metrics" / "details").glob("*.json"))
    assert len(details) == 15
    for path in details:
        found = json.loads(path.read_text(encoding="utf-8"))
        assert not [key for key in keys(found) if COST.search(key)], path.name
    for path in (ROOT / "metrics" / "costs").glob("*.json"):
        is_off = path.name in (
            "prefer.json",
            "predict_preferred.json",
        )  # unless prefer.method is set
        assert json.loads(path.read_text(encoding="utf-8")) or is_off, path.name
    drawn = list((ROOT / "plots").rglob("*"))
    assert drawn and not [path for path in drawn if COST.search(path.name)]


def test_details_and_costs_are_plain_outputs_that_git_keeps():
    plain = {path: options for path, options in outs("outs") if path.startswith("metrics/")}
    assert plain == {"metrics/details": {"cache": False}, "metrics/costs": {"cache": False}}


def test_the_page_is_in_the_cache_and_the_markdown_in_git():
    pages = {path: options for path, options in outs("outs") if path.startswith("reports/")}
    assert pages.pop("reports/report.html") == {}
    assert len(pages) == 3 and all(options == {"cache": False} for options in pages.values())
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"/reports/report.html", "/data/results/"} <= set(ignored)
    assert "/reports/report.md" not in ignored


def test_the_adapter_is_declared_as_a_model():
    (artifact,) = PIPELINE["artifacts"].values()
    assert artifact["type"] == "model" and artifact["path"] == "models/adapter"
    assert artifact["path"] in dict(outs("outs"))


# --- what the commands print, on the committed numbers


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The pipeline with `dvc exp run -S lora.r=8` behind it."""
    root = write_project(tmp_path_factory.mktemp("project"), scripts=SCRIPTS)
    dvc(root, "exp", "run", "-S", "lora.r=8")
    return root


def in_a_terminal(root, *arguments, columns=120):
    """What DVC shows in a terminal of so many columns."""
    text = terminal.shown(
        [sys.executable, "-m", "dvc", *arguments],
        columns=columns,
        cwd=root,
        env=environment(),
        stderr=subprocess.DEVNULL,
    )
    text = terminal.OTHER_CODE.sub("", text)
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def test_what_if_shows_rank_verdict_and_loss_in_120_columns(project):
    lines = in_a_terminal(project, "exp", "show", "--only-changed", "--drop", DROPPED)
    assert max(map(len, lines)) <= 120
    header = next(line for line in lines if "Experiment" in line).split()
    assert header[0] == "Experiment" and header[-1] == "lora.r" and "…" not in header
    assert {"Gain", "Gain_low", "Gain_high", "Tuned", "Val_loss"} <= set(header)
    row = next(line for line in lines if line.strip().startswith("└──"))
    assert row.split()[-1] == "8" and "…" not in row


def test_even_where_every_answer_changes_the_table_fits():
    """The widest words and numbers that a column can hold, at three characters between columns."""
    shown = {name: 9 for name in SUMMARY if "/" not in name and name != "Base"}
    shown |= {"Answer": len("inconclusive"), "Copying": len("unbeaten"), "Tuned": 7, "Val_loss": 6}
    shown |= {"Experiment": len("└── cf1a831 [dizzy-pyre]"), "lora.r": 2}
    assert sum(max(len(name), n) for name, n in shown.items()) + 3 * len(shown) <= 120


def test_without_only_changed_there_are_few_columns(project):
    rows = list(
        csv.DictReader(dvc(project, "exp", "show", "--drop", ".*[/.]", "--csv").splitlines())
    )
    assert {"Experiment", "Answer", "Gain", "Val_loss"} <= set(rows[0]) and len(rows[0]) <= 45


def test_the_page_gives_these_lines():
    assert f"dvc exp show --only-changed --drop '{DROPPED}'" in EVERYDAY
    assert "dvc exp show --drop '.*[/.]'" in EVERYDAY


def test_metrics_show_is_one_screen(project):
    assert len(dvc(project, "metrics", "show", "--md")) < 3000


def test_metrics_diff_after_a_what_if_has_few_rows_the_verdict_on_top(project):
    rows = dvc(project, "metrics", "diff", "--md").strip().splitlines()[2:]
    assert 5 <= len(rows) <= 40
    names = [row.split("|")[2].strip() for row in rows]
    assert names == sorted(names) and names[0] in ("Copying/gain", "Gain")
    assert max(map(len, rows)) <= 100


def test_all_metrics_of_a_run_are_rows_that_fit(project):
    rows = dvc(project, "metrics", "diff", "--all", "--md").strip().splitlines()[2:]
    assert len(rows) == len(SUMMARY) and max(map(len, rows)) <= 100
    assert "dvc metrics diff --all " in EVERYDAY


def test_a_rebuild_that_changes_nothing_shows_no_metric_and_no_file_but_costs(project, tmp_path):
    git(tmp_path, "clone", "-q", str(project), "clone")
    clone = tmp_path / "clone"
    dvc(clone, "repro", "--force", "--quiet")
    assert dvc(clone, "metrics", "diff").strip() == ""
    changed = {line.split()[-1] for line in git(clone, "status", "--short").splitlines()}
    costs = {"metrics/costs/train.json", "metrics/costs/train_steps.csv"}
    assert changed == {"dvc.lock", *costs}
    locked = git(clone, "diff", "--unified=0", "dvc.lock").splitlines()
    moved = [x for x in locked if x.startswith("+") and "md5" not in x and "size" not in x][1:]
    assert not moved  # hashes and sizes of the costs


def test_a_commit_of_the_old_layout_is_compared_in_few_rows(project, tmp_path):
    """With --targets, as the page says, its hundreds of numbers stay out."""
    git(tmp_path, "clone", "-q", str(project), "clone")
    clone = tmp_path / "clone"
    old = clone / "metrics" / "train.json"
    old.write_text(json.dumps({"loss": {f"n{i}": i for i in range(100)}}))
    (clone / "metrics" / "summary.json").unlink()
    text = (clone / "dvc.yaml").read_text()
    (clone / "dvc.yaml").write_text(text.replace("metrics/summary.json", "metrics/train.json"))
    git(clone, "config", "user.email", "test@example.org")
    git(clone, "config", "user.name", "test")
    git(clone, "add", "-A", "-f", "metrics")
    git(clone, "commit", "-q", "-a", "-m", "as it was")
    git(clone, "checkout", "-q", "HEAD~1", "--", "dvc.yaml", "metrics/summary.json")
    said = dvc(clone, "metrics", "diff", "HEAD", "--targets", "metrics/summary.json", "--md")
    assert 5 <= said.count("\n") <= 43 and "Answer" in said and "train.json" not in said
    assert "--targets metrics/summary.json" in EVERYDAY
