"""Callbacks of a training run: best adapter, early stopping, checks of loss and gradients."""

from __future__ import annotations

import math
from typing import Any

import torch
from peft import PeftModel
from transformers import TrainerCallback, TrainerControl, TrainerState
from trl import SFTConfig

from finllm.training.distributed import put_weights, trained_weights
from finllm.training.resume import Remembering


class BestAdapter(Remembering):
    """Callback that keeps the adapter with the lowest validation loss, with early stopping.

    Parameters
    ----------
    model
        The model that is trained.
    patience
        Evaluations in a row without improvement before stopping; 0 never stops early.
    min_improvement
        Smallest decrease of the loss, in nats, that counts as an improvement.
    """

    def __init__(self, model: PeftModel, *, patience: int, min_improvement: float) -> None:
        self.model = model
        self.patience = patience
        self.min_improvement = min_improvement
        self.best_loss = math.inf
        self.best_step = 0
        self.stopped = False
        self._state: dict[str, torch.Tensor] = {}
        self._waited = 0

    def on_evaluate(
        self,
        args: SFTConfig,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float],
        **_: Any,
    ) -> None:
        """Keep the adapter if its loss is the lowest so far; stop if patience has run out."""
        loss = metrics["eval_loss"]
        improved = loss < self.best_loss - self.min_improvement
        if loss < self.best_loss:
            self.best_loss, self.best_step = loss, state.global_step
            self._state = trained_weights(self.model)
        self._waited = 0 if improved else self._waited + 1
        if self.patience and self._waited >= self.patience:
            self.stopped = control.should_training_stop = True

    def restore(self) -> None:
        """Load the best adapter back into the model."""
        put_weights(self.model, self._state)

    def state_dict(self) -> dict[str, Any]:
        """Return the best adapter, its loss and step, and the evaluations without improvement."""
        return {
            "adapter": self._state,
            "loss": self.best_loss,
            "step": self.best_step,
            "waited": self._waited,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state that ``state_dict`` returned."""
        self._state, self._waited = state["adapter"], state["waited"]
        self.best_loss, self.best_step = state["loss"], state["step"]


class SoundFit(TrainerCallback):
    """Callback that raises if the loss is not finite or no gradient reaches the adapter.

    Parameters
    ----------
    model
        The model that is trained.
    """

    def __init__(self, model: PeftModel) -> None:
        self.model = model

    def on_step_end(
        self, args: SFTConfig, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Raise if the first step with a learning rate above 0 left every B matrix at 0."""
        # the warmup's first step has rate 0; with float16 the loss scaler skips up to 16 steps
        if state.global_step != args.warmup_steps + (20 if args.fp16 else 1):
            return
        weights = trained_weights(self.model)
        b = [value for name, value in weights.items() if "lora_B" in name]
        if b and not any(value.any() for value in b):
            raise ValueError(
                "the first step left every B of the adapter at 0: no gradient reaches it; see "
                "train.checkpoint_layers, lora.targets and model.quantization"
            )

    def on_log(
        self,
        args: SFTConfig,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float],
        **_: Any,
    ) -> None:
        """Raise if a logged loss or gradient norm is not finite."""
        for name in ("loss", "eval_loss") if args.fp16 else ("loss", "grad_norm", "eval_loss"):
            if name in logs and not math.isfinite(float(logs[name])):
                raise ValueError(
                    f"training diverged: {name} is {logs[name]} at step {state.global_step}; lower "
                    "train.learning_rate or train.max_grad_norm"
                )
