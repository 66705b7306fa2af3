"""A user's mistake ends in one line that says what to do: no traceback, nothing half-written."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
COMMANDS = {
    name: re.sub(r"\s+", " ", stage["cmd"]).split()
    for name, stage in YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"].items()
    if "cmd" in stage
}


@pytest.fixture
def workspace(tmp_path):
    """An empty working folder with the shipped params.yaml, cut down to a small sample."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    change(tmp_path, "sample", n_companies=12, n_calls=12, n_duplicates=0)
    return tmp_path


def change(folder: Path, section: str, **values: object) -> None:
    yaml = YAML()
    document = yaml.load(folder / "params.yaml")
    document[section].update(values)
    with open(folder / "params.yaml", "w", encoding="utf-8") as file:
        yaml.dump(document, file)


def stage(folder: Path, name: str) -> subprocess.CompletedProcess:
    """Run one stage by its own command from dvc.yaml."""
    command = COMMANDS[name]
    if any("${data.source}" in part for part in command):
        source = YAML(typ="safe").load(folder / "params.yaml")["data"]["source"]
        command = [part.replace("${data.source}", source) for part in command]
    return subprocess.run(
        [sys.executable, *command[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def files(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


def assert_refuses(folder: Path, name: str, *words: str, keeps: bool = True) -> None:
    """The stage ends with exit code 1 and one line that has these words, and writes nothing."""
    before = files(folder)
    done = stage(folder, name)
    message = [line for line in done.stderr.splitlines() if "call/s" not in line]
    assert done.returncode == 1, done.stderr
    assert len(message) == 1 and "Traceback" not in done.stderr, done.stderr
    for word in words:
        assert word in message[0]
    if keeps:
        assert files(folder) == before


def runs(folder: Path, *names: str) -> None:
    for name in names:
        done = stage(folder, name)
        assert done.returncode == 0, done.stderr


def test_a_misspelt_key_is_named_with_the_right_one(workspace):
    text = (workspace / "params.yaml").read_text()
    (workspace / "params.yaml").write_text(text.replace("  r: 16 ", "  rnak: 16 "))
    assert_refuses(workspace, "sample", "params.yaml", "lora.rnak")


def test_a_wrong_type_is_named_with_the_value_and_what_is_allowed(workspace):
    change(workspace, "lora", r="eight")
    assert_refuses(workspace, "sample", "lora.r", "'eight'", "whole number")


def test_a_value_out_of_range_is_named_with_its_bounds(workspace):
    change(workspace, "lora", dropout=1.5)
    assert_refuses(workspace, "sample", "lora.dropout", "1.5", "at most 0.9")


def test_a_broken_params_file_is_named(workspace):
    (workspace / "params.yaml").write_text("lora: [")
    assert_refuses(workspace, "sample", "params.yaml", "not valid YAML")


def test_a_missing_source_folder_is_named(workspace):
    change(workspace, "data", source="nowhere")
    assert_refuses(workspace, "clean", "data/raw/nowhere", "no such source folder")


def test_a_source_without_a_description_is_told_what_to_write(workspace):
    change(workspace, "data", source="mine")
    (workspace / "data/raw/mine").mkdir(parents=True)
    assert_refuses(workspace, "clean", "source.yaml", "format")


def test_an_empty_source_is_named(workspace):
    change(workspace, "data", source="mine")
    (workspace / "data/raw/mine").mkdir(parents=True)
    (workspace / "data/raw/mine/source.yaml").write_text("format: text\n")
    assert_refuses(workspace, "clean", "data/raw/mine", "no text records")


def test_a_source_of_which_every_call_is_filtered_out_is_told_why(workspace):
    change(workspace, "filter", min_words=19000)
    runs(workspace, "sample", "clean")
    assert_refuses(workspace, "filter", "all ", "too_short", "filter.min_words")


def test_a_source_of_unreadable_records_is_an_error_with_its_share(workspace):
    change(workspace, "data", source="mine")
    folder = workspace / "data/raw/mine"
    folder.mkdir(parents=True)
    (folder / "source.yaml").write_text("format: jsonl\npath: calls.jsonl\nfields: {text: words}\n")
    (folder / "calls.jsonl").write_text('{"words": "Revenue rose."}\n{"words": \n{"wor\n')
    assert_refuses(workspace, "clean", "2 of 3", "max_reject_share", keeps=False)
    assert (workspace / "data/clean/rejects.jsonl").read_text().count("\n") == 2
    assert not (workspace / "data/results").exists()


@pytest.mark.slow
def test_a_test_split_too_small_for_statistics_says_what_to_change(workspace):
    change(workspace, "split", transfer_sectors=[])
    runs(workspace, "sample", "clean", "filter", "templatize")
    assert_refuses(workspace, "split", "split.min_test_companies", "split.test_share")


@pytest.mark.slow
def test_a_sector_that_the_source_has_not_is_named_with_those_it_has(workspace):
    change(workspace, "split", transfer_sectors=["whaling"])
    runs(workspace, "sample", "clean", "filter", "templatize")
    assert_refuses(workspace, "split", "whaling", "banking")


def test_a_paged_optimizer_without_a_gpu_says_what_to_use():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU, where the optimizer is allowed")
    from finllm.training.arguments import training_arguments

    with pytest.raises(ValueError, match="use adamw"):
        training_arguments(
            output_dir="unused",
            n_train=8,
            learning_rate=1e-3,
            warmup_share=0.0,
            schedule="cosine",
            epochs=1.0,
            max_steps=0,
            batch_size=4,
            accumulation=1,
            max_grad_norm=1.0,
            weight_decay=0.0,
            optimizer="paged_adamw_8bit",
            evals_per_run=1,
            seed=1,
            bfloat16=True,
        )
