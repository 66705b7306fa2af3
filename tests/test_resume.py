"""A training that was killed goes on with the same bits, wherever it was killed.

Run as a script, this file is the training that its own tests kill.
"""

import dataclasses
import functools
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch
from conftest import CHATML, byte_level_tokenizer, tiny_llama
from transformers import TrainerCallback

from finllm.instruct.chat import Encoded
from finllm.model import attention
from finllm.model.adapter import save_adapter
from finllm.model.loading import add_lora
from finllm.training import checkpoints
from finllm.training.arguments import training_arguments
from finllm.training.checkpoints import newest_checkpoint
from finllm.training.resume import Checkpointer
from finllm.training.trainer import fit

SETTINGS = {
    "n_train": 7,
    "learning_rate": 1e-2,
    "warmup_share": 0.1,
    "schedule": "cosine",
    "epochs": 3.0,
    "max_steps": 0,
    "batch_size": 2,
    "accumulation": 1,
    "max_grad_norm": 1.0,
    "weight_decay": 0.01,
    "optimizer": "adamw",
    "evals_per_run": 4,
    "seed": 3,
    "bfloat16": False,
}


class Killed(BaseException):
    """What a kill is to the files: nothing after it happens."""


class Kill(TrainerCallback):
    """Ends the training when a step is done, before that step's checkpoint is written."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **_):
        if state.global_step == self.step:
            raise Killed


class Tell(TrainerCallback):
    """Prints each step as it ends."""

    def on_step_end(self, args, state, control, **_):
        print(f"step {state.global_step}", flush=True)


class Log(TrainerCallback):
    """Keeps the trainer's whole log, without its timings."""

    def on_train_end(self, args, state, control, **_):
        timed = ("runtime", "per_second", "total_flos", "train_loss")
        self.rows = [
            {name: value for name, value in row.items() if not name.endswith(timed)}
            for row in state.log_history
        ]


def rows(n, seed=0):
    """Examples of random tokens, each of another length."""
    torch.manual_seed(seed)
    return [Encoded(torch.randint(3, 300, (6 + 2 * i,)).tolist(), 3) for i in range(n)]


def train(
    folder, *, every=1, kill=None, patience=0, seed=0, callbacks=(), dtype=torch.float32, **changes
):
    """The adapter's bytes, the fit and its log; ``folder`` holds checkpoints and results."""
    tokenizer = byte_level_tokenizer(
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], eos="<|im_end|>", template=CHATML
    )
    model = add_lora(
        tiny_llama(attention.NAME).to(dtype),
        r=4,
        alpha=8,
        dropout=0.1,
        targets="all-linear",
        checkpoint_layers=0,
        seed=seed,
    )
    log, checkpointer = Log(), Checkpointer(folder / "run", every=every)
    done = fit(
        model,
        tokenizer,
        train=rows(7),
        val=rows(3, seed=1),
        arguments=training_arguments(
            output_dir=str(folder / "scratch"), **{**SETTINGS, "seed": seed, **changes}
        ),
        patience=patience,
        min_improvement=100.0 if patience else 0.0,
        checkpointer=checkpointer,
        callbacks=[log, *([Kill(kill)] if kill else []), *callbacks],
    )
    save_adapter(model, folder / "adapter", base_name="tiny", revision="")
    content = (folder / "adapter" / "adapter_model.safetensors").read_bytes()
    return content, done, log.rows


@functools.cache
def uninterrupted(**changes):
    """What ``train`` returns without checkpoints or a kill."""
    with tempfile.TemporaryDirectory() as folder:
        return train(Path(folder), every=0, **changes)


def same(first, second):
    """Equal adapters, results and logs, but for the clock and the number of resumes."""
    (adapter, done, log), (other_adapter, other_done, other_log) = first, second
    clock = {"seconds": 0, "n_resumes": 0}
    return (
        adapter == other_adapter
        and dataclasses.replace(done, **clock) == dataclasses.replace(other_done, **clock)
        and log == other_log
    )


def steps(folder):
    return sorted(path.name for path in (folder / "run").iterdir())


@pytest.mark.parametrize(
    ("kill", "every", "changes"),
    [
        (2, 1, {}),  # in the midst of the first epoch
        (5, 4, {}),  # gone on from the end of an epoch (4 steps)
        (11, 3, {}),  # in the midst of the third epoch
        (5, 2, {"accumulation": 2}),
        (6, 4, {"dtype": torch.bfloat16}),  # fused layers, which draw their own masks
        (9, 4, {"learning_rate": 0.2, "evals_per_run": 12}),  # the best was long before
    ],
)
def test_a_killed_training_goes_on_to_the_same_adapter_and_log(tmp_path, kill, every, changes):
    whole = uninterrupted(**changes)
    with pytest.raises(Killed):
        train(tmp_path, every=every, kill=kill, **changes)
    last = int(newest_checkpoint(tmp_path / "run").name[5:])
    assert last == (kill - 1) // every * every
    torch.rand(17)  # a new process has other random states
    again = train(tmp_path, every=every, **changes)
    assert again[1].n_resumes == 1 and whole[1].n_resumes == 0
    assert same(whole, again)


def test_a_best_adapter_from_before_the_kill_is_the_one_that_is_saved(tmp_path):
    changes = {"learning_rate": 0.2, "evals_per_run": 12}
    with pytest.raises(Killed):
        train(tmp_path, every=4, kill=9, **changes)
    assert train(tmp_path, every=4, **changes)[1].best_step < 8


def test_a_training_that_is_killed_again_and_again_comes_to_the_same_end(tmp_path):
    whole = uninterrupted()
    for step in (2, 3, 6, 8):
        with pytest.raises(Killed):
            train(tmp_path, kill=step)
    again = train(tmp_path)
    assert again[1].n_resumes == 4
    assert same(whole, again)


@pytest.mark.parametrize("kill", [2, 4])
def test_early_stopping_counts_on_over_a_kill(tmp_path, kill):
    changes = {"evals_per_run": 12, "patience": 4}
    whole = uninterrupted(**changes)
    assert whole[1].stopped_early and whole[1].n_steps == 4
    with pytest.raises(Killed):
        train(tmp_path, kill=kill, **changes)
    assert same(whole, train(tmp_path, **changes))


def test_writing_checkpoints_changes_nothing(tmp_path):
    assert same(uninterrupted(), train(tmp_path, every=1))


def test_no_more_than_the_last_two_checkpoints_stay_and_none_at_the_last_step(tmp_path):
    train(tmp_path)
    assert steps(tmp_path) == ["step-000010", "step-000011"]


def test_a_truncated_checkpoint_is_skipped_in_words_and_the_one_before_is_used(tmp_path, capsys):
    whole = uninterrupted()
    with pytest.raises(Killed):
        train(tmp_path, kill=7)
    path = tmp_path / "run" / "step-000006" / "tensors.safetensors"
    os.truncate(path, path.stat().st_size // 2)
    again = train(tmp_path)
    out, err = capsys.readouterr()
    assert "step-000006 is skipped: tensors.safetensors is not what was written" in err
    assert "resumes from step 5" in out
    assert same(whole, again)


def test_one_seed_gives_the_same_adapter_byte_for_byte_and_another_gives_another(tmp_path):
    adapters = [train(tmp_path / name, seed=seed)[0] for name, seed in (("a", 1), ("b", 1))]
    assert adapters[0] == adapters[1] != train(tmp_path / "c", seed=2)[0]


def test_an_interrupted_training_says_where_it_goes_on(tmp_path):
    class Interrupt(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            if state.global_step == 6:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="interrupted after step 6; .* resumes from step 4"):
        train(tmp_path, every=4, callbacks=[Interrupt()])
    with pytest.raises(KeyboardInterrupt, match="no checkpoint was written yet"):
        train(tmp_path / "other", every=7, callbacks=[Interrupt()])


def test_a_full_disk_stops_with_the_checkpoint_before_intact(tmp_path, monkeypatch):
    write = checkpoints._write

    def full(path, content):
        if "000005" in str(path):
            write(path, content[:100])
            raise OSError(28, "No space left on device")
        write(path, content)

    whole = uninterrupted()
    monkeypatch.setattr(checkpoints, "_write", full)
    with pytest.raises(OSError, match="step 5 .*disk is full.*FINLLM_CHECKPOINTS.*from step 4"):
        train(tmp_path)
    assert steps(tmp_path) == ["step-000003", "step-000004"]
    monkeypatch.undo()
    assert same(whole, train(tmp_path))


def script(folder, *arguments):
    """This file as a process of its own."""
    root = Path(__file__).parents[1]
    return subprocess.Popen(
        [sys.executable, __file__, str(folder), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
    )


def test_kill_9_at_a_random_moment_and_within_a_write_leaves_the_same_adapter(tmp_path):
    whole, *_ = uninterrupted()
    within = script(tmp_path, "4")  # kills itself with half a checkpoint written
    said, _ = within.communicate()
    assert within.returncode == -signal.SIGKILL, said
    assert steps(tmp_path) == ["step-000002", "step-000003", "step-000004.tmp"]
    with script(tmp_path) as process:
        for line in process.stdout:
            if line.endswith("step 6\n"):
                time.sleep(int.from_bytes(os.urandom(1)) / 5000)  # up to 51 ms, some two steps
                process.kill()
                break
    last = script(tmp_path)
    out, _ = last.communicate()
    assert last.returncode == 0, out
    assert "resumes from step" in out and "step 3\n" not in out
    assert (tmp_path / "adapter" / "adapter_model.safetensors").read_bytes() == whole


def main():
    folder = Path(sys.argv[1])
    if len(sys.argv) > 2:
        write = checkpoints._write

        def half(path, content):
            if f"step-{int(sys.argv[2]):06d}" in str(path):
                write(path, content[: len(content) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            write(path, content)

        checkpoints._write = half
    train(folder, callbacks=[Tell()])


if __name__ == "__main__":
    main()
