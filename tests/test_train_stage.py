"""The train stage on a tiny model: what it writes, what it keeps, what it says when it stops."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch
from conftest import CHATML, byte_level_tokenizer, make_example, tiny_llama
from ruamel.yaml import YAML
from transformers import TrainerCallback

from finllm.records import write_jsonl
from finllm.training import run as training
from finllm.training.resume import Checkpointer
from stages import adapter, train

ROOT = Path(__file__).parents[1]
ANSWERS = ("Revenue rose 12%.", "Margin fell 50 basis points.", "We expect $17 billion.")


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A working folder with a tiny base model, six training and two validation examples."""
    tiny_llama().save_pretrained(tmp_path / "base")
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = byte_level_tokenizer(special, eos="<|im_end|>", template=CHATML)
    tokenizer.save_pretrained(tmp_path / "base")
    rows = [make_example(f"t{i}:s", answer=ANSWERS[i % 3] * (1 + i // 3)) for i in range(8)]
    write_jsonl(tmp_path / "train.jsonl", rows[:6])
    write_jsonl(tmp_path / "val.jsonl", rows[6:])
    shutil.copy(ROOT / "params.yaml", tmp_path)
    change(
        tmp_path,
        model={"name": "base", "gguf_package": "", "gguf_file": "", "quantization": "none"},
        train={"batch_size": 2, "checkpoint_every": 2, "evals_per_run": 3},
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FINLLM_CHECKPOINTS", raising=False)
    return tmp_path


def change(folder, **sections):
    yaml = YAML()
    document = yaml.load(folder / "params.yaml")
    for section, values in sections.items():
        document[section].update(values)
    with open(folder / "params.yaml", "w", encoding="utf-8") as file:
        yaml.dump(document, file)


def run(monkeypatch):
    """The stage as its command runs it; its metrics, with what it cost."""
    names = {"train": "train.jsonl", "val": "val.jsonl", "adapter": "models/adapter"}
    names |= {"curves": "plots/training", "metrics": "metrics/details/train.json"}
    names |= {"costs": "metrics/costs/train.json", "steps": "metrics/costs/steps.csv"}
    names |= {"launchers": str(ROOT / "presets" / "accelerate")}
    shutil.rmtree("models", ignore_errors=True)  # as DVC does before each run
    shutil.rmtree("plots", ignore_errors=True)
    flags = [part for name, path in names.items() for part in (f"--{name}", path)]
    monkeypatch.setattr(sys, "argv", ["train.py", *flags])
    adapter.run(train.main)
    found, costs = (json.loads(Path(names[kind]).read_text()) for kind in ("metrics", "costs"))
    assert "cost" not in found and set(costs) == {"cost", "provenance"}
    return {**found, "cost": costs["cost"]}


def refusal(monkeypatch, capsys):
    """The line that a run which fails says on the error stream."""
    with pytest.raises(SystemExit) as caught:
        run(monkeypatch)
    assert caught.value.code == 1
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("train: ")]
    return line


def interrupt_at(monkeypatch, step):
    on_step_end = Checkpointer.on_step_end

    def interrupted(self, args, state, control, **others):
        on_step_end(self, args, state, control, **others)
        if state.global_step == step:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpointer, "on_step_end", interrupted)


def curve(folder):
    (path,) = [p for p in folder.rglob("loss_nats.tsv") if "train" in p.parent.name]
    return [line.split("\t")[-2:] for line in path.read_text().splitlines()]


def test_an_interrupted_stage_goes_on_and_ends_as_if_nothing_had_been(
    workspace, monkeypatch, capsys
):
    whole = run(monkeypatch)
    whole_curve = curve(workspace / "plots")
    assert list((workspace / ".checkpoints").iterdir()) == []  # removed after success
    with monkeypatch.context() as patch:
        interrupt_at(patch, 5)
        with pytest.raises(SystemExit) as caught:
            run(patch)
    assert caught.value.code == 130
    assert "train: interrupted after step 5; the next run" in capsys.readouterr().err
    assert not (workspace / "models" / "adapter").exists()
    again = run(monkeypatch)
    assert "resumes from step 4" in capsys.readouterr().out
    assert whole.pop("cost")["n_resumes"] == 0 and again.pop("cost")["n_resumes"] == 1
    assert whole == again
    assert len(whole_curve) == 1 + whole["n_steps"] and curve(workspace / "plots") == whole_curve
    assert whole["reloaded_val_loss_nats"] == pytest.approx(whole["best_val_loss_nats"], rel=1e-6)


@pytest.mark.parametrize(
    "changes",
    [{"train": {"seed": 8}}, {"lora": {"r": 8}}, {"model": {"compute_dtype": "float32"}}, "data",
     "weights", "processor"],
)  # fmt: skip
def test_a_checkpoint_of_other_parameters_data_weights_or_processors_is_not_used(
    workspace, monkeypatch, capsys, changes
):
    with monkeypatch.context() as patch:
        interrupt_at(patch, 3)
        with pytest.raises(SystemExit):
            run(patch)
    if changes == "data":
        lines = (workspace / "train.jsonl").read_text().splitlines(keepends=True)
        (workspace / "train.jsonl").write_text("".join(reversed(lines)))
    elif changes == "weights":
        tiny_llama(seed=1).bfloat16().save_pretrained(workspace / "base")
    elif changes == "processor":
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")  # too late for this process, but read
    else:
        change(workspace, **changes)
    assert run(monkeypatch)["cost"]["n_resumes"] == 0
    assert "resumes" not in capsys.readouterr().out
    (left,) = (workspace / ".checkpoints").iterdir()  # that of the interrupted run, for its return
    assert [path.name for path in left.iterdir()] == ["step-000002"]


def test_an_experiment_killed_in_its_copy_goes_on_in_another_copy(workspace, monkeypatch, capsys):
    # OMP_NUM_THREADS is 1 in tests, and Numba's first kernel of a process makes it 2
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)

    def enter(name):
        copy = workspace / ".dvc" / "tmp" / "exps" / name
        copy.mkdir(parents=True)
        for file in ("params.yaml", "train.jsonl", "val.jsonl"):
            shutil.copy(workspace / file, copy)
        (copy / "base").symlink_to(workspace / "base")
        monkeypatch.chdir(copy)
        return copy

    first = enter("tmpfirst")
    with monkeypatch.context() as patch:
        interrupt_at(patch, 5)
        with pytest.raises(SystemExit):
            run(patch)
    shutil.rmtree(first)  # as DVC does
    change(enter("tmpother"), lora={"r": 2})
    assert run(monkeypatch)["cost"]["n_resumes"] == 0  # other settings, another folder
    enter("tmpsame")
    assert run(monkeypatch)["cost"]["n_resumes"] == 1
    assert "resumes from step 4" in capsys.readouterr().out
    assert list((workspace / ".checkpoints").iterdir()) == []


def test_a_checkpoint_written_at_another_pace_is_used(workspace, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        interrupt_at(patch, 3)
        with pytest.raises(SystemExit):
            run(patch)
    change(workspace, train={"checkpoint_every": 1})
    assert run(monkeypatch)["cost"]["n_resumes"] == 1


def test_an_empty_training_set_is_one_line_and_leaves_nothing(workspace, monkeypatch, capsys):
    (workspace / "train.jsonl").write_text("")
    said = refusal(monkeypatch, capsys)
    assert said.startswith("train: the training set is empty; see metrics/details/split.json")
    assert not (workspace / ".checkpoints").exists() and not (workspace / "models").exists()


def test_an_example_longer_than_the_context_is_named(workspace, monkeypatch, capsys):
    rows = [make_example(f"t{i}:s", excerpt="Revenue grew 12%. " * 300 * i) for i in range(3)]
    write_jsonl(workspace / "train.jsonl", rows)
    words = "train: 2 of the 3 training examples .* of 1024 tokens: 2, 3 .*templatize.max_tokens"
    assert re.search(words, refusal(monkeypatch, capsys))


def test_running_out_of_memory_is_one_line(workspace, monkeypatch, capsys):
    def exhausted(*_, **__):
        raise MemoryError

    monkeypatch.setattr(TrainerCallback, "on_step_begin", exhausted)
    assert re.search("train: out of memory.*train.batch_size", refusal(monkeypatch, capsys))


def test_an_adapter_that_is_not_what_was_chosen_is_an_error_and_checkpoints_stay(
    workspace, monkeypatch, capsys
):
    save = training.save_adapter

    def damaged(model, folder, *, weights, **names):
        wrong = {n: -value if "lora_B" in n else value for n, value in weights.items()}
        save(model, folder, weights=wrong, **names)

    monkeypatch.setattr(training, "save_adapter", damaged)
    assert "when reloaded" in refusal(monkeypatch, capsys)
    assert list((workspace / ".checkpoints").glob("*/step-*"))
    assert not Path("metrics/details/train.json").exists()
