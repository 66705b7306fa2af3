"""What a run was made with: what Git says of the tree, and how a reader is told."""

import dataclasses
import datetime
import json
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from finllm import cli
from finllm.model import arithmetic
from finllm.runtime import provenance
from finllm.runtime.provenance import KEY, Provenance, from_costs, line

ROOT = Path(__file__).parents[1]
FOUND = Provenance(
    commit="e88ba7e",
    clean=True,
    date="2026-11-29T08:30:00+00:00",
    processor="AMD EPYC 9B45, AVX-512, bfloat16",
    torch="2.13.0",
    python="3.13.0",
    dtype="bfloat16",
)


def git(folder, *words):
    person = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    subprocess.run(["git", *person, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "-q")
    for name in ("code.py", "dvc.lock", "metrics/details/train.json", "reports/report.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    return tmp_path


def made(folder):
    return provenance.provenance(processor="P", dtype="torch.float32", folder=folder)


def test_a_run_has_its_commit_and_its_day(repository):
    found = made(repository)
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=repository, text=True)
    assert head.startswith(found.commit) and len(found.commit) >= 7 and found.clean
    seconds = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(found.date)
    assert 0 <= seconds.total_seconds() < 60 and found.dtype == "float32"


def test_what_the_pipeline_writes_leaves_the_tree_clean_and_anything_else_does_not(repository):
    for name in ("dvc.lock", "metrics/details/train.json", "reports/report.md"):
        (repository / name).unlink()  # DVC removes what a stage will write
    (repository / "notes.txt").write_text("untracked")
    assert made(repository).clean and made(repository / "metrics").clean
    (repository / "code.py").write_text("2")
    assert not made(repository).clean and not made(repository / "metrics").clean


def test_every_file_that_a_stage_leaves_to_git_is_known_to_be_written():
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"].values()
    outs = [
        name
        for stage in (body.get("do", body) for body in stages)
        for kind in ("outs", "metrics", "plots")
        for out in stage.get(kind, [])
        if isinstance(out, dict)
        for name, options in out.items()
        if options.get("cache") is False
    ]
    assert len(outs) == 7
    assert {str(name).split("/")[0] for name in outs} <= set(provenance.WRITTEN)


def test_outside_of_git_and_without_it_there_is_no_commit(tmp_path, monkeypatch):
    assert (made(tmp_path).commit, made(tmp_path).clean) == ("", False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert made(ROOT).commit == "" and line(made(ROOT)).startswith("no commit, 20")


def test_a_reader_is_told_in_one_line_that_fits_a_terminal():
    assert line(FOUND) == (
        "commit e88ba7e (clean), 2026-11-29, AMD EPYC 9B45 (AVX-512, bfloat16), in bfloat16, "
        "torch 2.13.0"
    )
    assert "e88ba7e (not clean)" in line(dataclasses.replace(FOUND, clean=False))
    assert "NVIDIA H200, in" in line(dataclasses.replace(FOUND, processor="NVIDIA H200"))


def test_costs_give_it_back_and_old_ones_say_nothing():
    assert from_costs({KEY: dataclasses.asdict(FOUND)}) == FOUND
    assert from_costs({"cost": {}}) is None
    with pytest.raises(ValueError, match=r"costs.json: provenance must have commit, clean, date"):
        from_costs({KEY: {"commit": "e88ba7e"}}, file="costs.json")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("AMD EPYC 9B45 128-Core Processor", "AMD EPYC 9B45"),
        ("Intel(R) Xeon(R) CPU @ 2.20GHz", "Intel Xeon"),
        ("11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz", "11th Gen Intel Core i7-1165G7"),
        ("AMD Ryzen 7 7840U w/ Radeon 780M Graphics", "AMD Ryzen 7 7840U w/ Radeon 780M Graphics"),
    ],
)
def test_a_processor_is_called_by_what_tells_it_apart(name, words, monkeypatch):
    monkeypatch.setattr(arithmetic, "processor_name", lambda: name)
    monkeypatch.setattr(arithmetic, "onednn_isa", lambda: "AVX2")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    assert arithmetic.processor_in_words() == f"{words}, AVX2"


def test_the_verdict_says_what_it_was_made_with(tmp_path, capsys):
    costs = tmp_path / "predict_tuned.json"
    verdict = ["verdict", "--verdict", str(ROOT / "metrics/details/verdict.json")]
    costs.write_text(json.dumps({"cost": {}}))
    cli.main([*verdict, "--costs", str(costs)])
    assert "Made with" not in capsys.readouterr().out
    costs.write_text(json.dumps({KEY: dataclasses.asdict(FOUND)}))
    cli.main([*verdict, "--costs", str(costs)])
    shown = capsys.readouterr().out
    assert " ".join(shown.split()).endswith(f"Made with: {line(FOUND)}")
    assert max(map(len, shown.splitlines())) <= 100
    cli.main([*verdict, "--costs", str(costs), "--json"])
    assert json.loads(capsys.readouterr().out)[KEY]["commit"] == "e88ba7e"
