"""Bit-exact resumption of a killed training: checkpoint contents and how they are restored.

The trainer's own resume logic finds the epoch and skips the batches already trained on. It draws
their order again from the global random generators, so these are set to their state at the start of
the epoch, and after the skipping to their state at the checkpoint. A sampler may therefore draw
from the global generators, or from the seed and the epoch, but must not keep a generator of its
own.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from pathlib import Path
from typing import Any

from accelerate.utils import gather_object
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState
from transformers.trainer import TRAINER_STATE_NAME
from trl import SFTConfig

from finllm.runtime import screen
from finllm.training.checkpoints import (
    newest_checkpoint,
    on_other_devices,
    read_checkpoint,
    write_checkpoint,
)
from finllm.training.distributed import (
    put_weights,
    sharded_state,
    trained_weights,
    whole_state,
)
from finllm.training.snapshot import packed, random_state, set_random_state, unpacked


class Remembering(TrainerCallback):
    """Callback whose state is part of the training's state and is stored in every checkpoint."""

    def state_dict(self) -> dict[str, Any]:
        """Return the callback's state: tensors and plain values."""
        raise NotImplementedError

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state that ``state_dict`` returned."""
        raise NotImplementedError


class Checkpointer(Remembering):
    """Callback that writes a checkpoint every few steps, and finds the newest to resume from.

    No checkpoint is written at the last step, because the adapter is saved then. Tensors sharded by
    FSDP are gathered for a checkpoint, and sharded again when it is read. Under ZeRO there are no
    checkpoints: DeepSpeed does not expose its optimizer, and its own checkpoints are pickles.

    Parameters
    ----------
    run
        The folder of this run's checkpoints.
    every
        Optimizer steps between checkpoints; 0 disables writing and resuming.
    """

    def __init__(self, run: Path, *, every: int) -> None:
        self.run = run
        self.every = every
        self.n_resumes = 0
        self.seconds_before = 0.0  # spent on the steps before the checkpoint
        self._started = time.monotonic()
        self._epoch_start: list[dict[str, Any]] = []  # random states, one per process
        self._saved: dict[str, Any] | None = None  # the checkpoint to resume from

    def find(self) -> str | None:
        """Return the checkpoint to resume from, or None to start from the first step."""
        folder = newest_checkpoint(self.run) if self.every else None
        if folder is None:
            if self.every and (other := on_other_devices(self.run)):
                screen.say(f"train: {other}")
            return None
        self._saved = unpacked(read_checkpoint(folder))
        screen.say(f"training resumes from step {int(folder.name[5:])} ({folder})")
        return str(folder)

    def remove(self) -> None:
        """Remove the run's checkpoints once its result is saved."""
        shutil.rmtree(self.run, ignore_errors=True)

    def save(self, trainer: Trainer) -> None:
        """Write the trainer's complete state; with several processes, the first one writes it."""
        if trainer.control.should_training_stop:  # by early stopping, at this step
            return
        states = gather_object([random_state()])
        weights = trained_weights(trainer.model)
        optimizer = whole_state(trainer.optimizer.state_dict())
        if not trainer.is_world_process_zero():
            return
        scaler = trainer.accelerator.scaler
        tree = {
            "weights": weights,
            "optimizer": optimizer,
            "schedule": trainer.lr_scheduler.state_dict(),
            "scaler": scaler.state_dict() if scaler else None,
            "random": states,
            "callbacks": [callback.state_dict() for callback in _remembering(trainer)],
        }
        state = json.dumps(dataclasses.asdict(trainer.state)).encode()
        files = {**packed(tree), TRAINER_STATE_NAME: state}
        write_checkpoint(self.run, trainer.state.global_step, files)

    def load_weights(self, trainer: Trainer) -> None:
        """Restore the trained weights."""
        put_weights(trainer.model, self._saved["weights"])

    def load_rest(self, trainer: Trainer) -> None:
        """Restore the optimizer, schedule, loss scale and callbacks."""
        state = sharded_state(self._saved["optimizer"], trainer.optimizer)
        trainer.optimizer.load_state_dict(state)
        trainer.lr_scheduler.load_state_dict(self._saved["schedule"])
        if trainer.accelerator.scaler:
            trainer.accelerator.scaler.load_state_dict(self._saved["scaler"])
        for callback, state in zip(_remembering(trainer), self._saved["callbacks"], strict=True):
            callback.load_state_dict(state)
        trainer.args.eval_on_start = False  # already evaluated and recorded before the kill

    def load_random(self, trainer: Trainer) -> None:
        """Restore the random generators, the last part of the checkpoint to be loaded."""
        set_random_state(self._saved["random"][trainer.args.process_index])
        self._saved = None

    def state_dict(self) -> dict[str, Any]:
        """Return seconds of training, number of resumes, and random states at the epoch's start."""
        return {
            "seconds": self.seconds_before + time.monotonic() - self._started,
            "n_resumes": self.n_resumes,
            "epoch_start": self._epoch_start,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state that ``state_dict`` returned, and count one more resume."""
        self.seconds_before = state["seconds"]
        self.n_resumes = state["n_resumes"] + 1
        self._epoch_start = state["epoch_start"]

    def on_train_begin(
        self, args: SFTConfig, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start the clock."""
        self._started = time.monotonic()

    def on_epoch_begin(
        self, args: SFTConfig, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Record the random states from which the epoch's order is drawn, or restore them."""
        if self._saved is None:
            self._epoch_start = gather_object([random_state()])
        elif state.epoch % 1:  # in the middle of an epoch
            set_random_state(self._epoch_start[args.process_index])
        else:  # the trainer restores the checkpoint's states before it draws the order
            self._epoch_start = self._saved["random"]

    def on_step_end(
        self, args: SFTConfig, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Ask the trainer for a checkpoint if one is due."""
        due = self.every and state.global_step % self.every == 0
        control.should_save = bool(due) and state.global_step < state.max_steps


def _remembering(trainer: Trainer) -> list[Remembering]:
    return [c for c in trainer.callback_handler.callbacks if isinstance(c, Remembering)]
