"""Bit-exact resumption of a killed training: checkpoint content and restoration.

The trainer's own resume logic finds the epoch and skips the batches that were trained on. It draws
their order anew from the global generators, so these are set to what they were when the epoch
began, and after the skipping to what they were at the checkpoint. A sampler may therefore draw from
the global generators, or from the seed and the epoch, but not keep a generator of its own.
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
    """A callback whose state belongs to the training's: it is in every checkpoint."""

    def state_dict(self) -> dict[str, Any]:
        """What the callback knows: tensors and plain values."""
        raise NotImplementedError

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what ``state_dict`` returned."""
        raise NotImplementedError


class Checkpointer(Remembering):
    """Writes a checkpoint every few steps, and finds the newest to resume from.

    None is written where the training ends, for the adapter is saved then. What FSDP has sharded is
    brought together for it, and sharded again when it is read. DeepSpeed keeps its optimizer to
    itself, and its own checkpoints are pickles, so under ZeRO there are none.

    Parameters
    ----------
    run
        The folder of this run's checkpoints.
    every
        Optimizer steps between two checkpoints; 0 writes none, and resumes from none.
    """

    def __init__(self, run: Path, *, every: int) -> None:
        self.run = run
        self.every = every
        self.n_resumes = 0
        self.seconds_before = 0.0  # of the steps in the checkpoint
        self._started = time.monotonic()
        self._epoch_start: list[dict[str, Any]] = []  # random states, one a process
        self._saved: dict[str, Any] | None = None  # the checkpoint that is gone on from

    def find(self) -> str | None:
        """The checkpoint to resume from, None for a start from the first step."""
        folder = newest_checkpoint(self.run) if self.every else None
        if folder is None:
            if self.every and (other := on_other_devices(self.run)):
                screen.say(f"train: {other}")
            return None
        self._saved = unpacked(read_checkpoint(folder))
        screen.say(f"training resumes from step {int(folder.name[5:])} ({folder})")
        return str(folder)

    def remove(self) -> None:
        """Remove the run's checkpoints, once its result is saved."""
        shutil.rmtree(self.run, ignore_errors=True)

    def save(self, trainer: Trainer) -> None:
        """Write all of the trainer's state; of several processes the first writes it."""
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
        """Put the trained weights back."""
        put_weights(trainer.model, self._saved["weights"])

    def load_rest(self, trainer: Trainer) -> None:
        """Put optimizer, schedule, loss scale and callbacks back."""
        state = sharded_state(self._saved["optimizer"], trainer.optimizer)
        trainer.optimizer.load_state_dict(state)
        trainer.lr_scheduler.load_state_dict(self._saved["schedule"])
        if trainer.accelerator.scaler:
            trainer.accelerator.scaler.load_state_dict(self._saved["scaler"])
        for callback, state in zip(_remembering(trainer), self._saved["callbacks"], strict=True):
            callback.load_state_dict(state)
        trainer.args.eval_on_start = False  # that evaluation was made, and counted

    def load_random(self, trainer: Trainer) -> None:
        """Put the random generators back: the last of the checkpoint, and at the right moment."""
        set_random_state(self._saved["random"][trainer.args.process_index])
        self._saved = None

    def state_dict(self) -> dict[str, Any]:
        """Seconds of training, times that it went on, random states at the start of the epoch."""
        return {
            "seconds": self.seconds_before + time.monotonic() - self._started,
            "n_resumes": self.n_resumes,
            "epoch_start": self._epoch_start,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what ``state_dict`` returned."""
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
        """Note from which random states the epoch's order is drawn, or put them back."""
        if self._saved is None:
            self._epoch_start = gather_object([random_state()])
        elif state.epoch % 1:  # in the midst of an epoch
            set_random_state(self._epoch_start[args.process_index])
        else:  # the trainer puts the checkpoint's back before it draws the order
            self._epoch_start = self._saved["random"]

    def on_step_end(
        self, args: SFTConfig, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Ask the trainer for a checkpoint where one is due."""
        due = self.every and state.global_step % self.every == 0
        control.should_save = bool(due) and state.global_step < state.max_steps


def _remembering(trainer: Trainer) -> list[Remembering]:
    return [c for c in trainer.callback_handler.callbacks if isinstance(c, Remembering)]
