"""Training progress: a bar with loss and remaining time on a terminal, lines in a log."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState
from trl import SFTConfig

from finllm.runtime import screen


class Progress(TrainerCallback):
    """Callback that shows the step, the time left, and the newest training and validation loss."""

    def __init__(self) -> None:
        self._bar: screen.Bar | None = None
        self._losses: dict[str, str] = {}

    def on_train_begin(
        self, args: SFTConfig, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start the bar, at the current step if the training was resumed."""
        self._bar = screen.Bar(
            total=state.max_steps, initial=state.global_step, desc="train", unit="step"
        )

    def on_step_end(
        self, args: SFTConfig, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Advance the bar by one step."""
        if self._bar is not None:
            self._bar.update(state.global_step - self._bar.n)

    def on_log(
        self,
        args: SFTConfig,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any],
        **_: Any,
    ) -> None:
        """Show the losses beside the bar, and write all logged values to the log."""
        names = {"loss": "loss", "eval_loss": "validation"}
        self._losses |= {
            name: f"{float(logs[key]):.2f}" for key, name in names.items() if key in logs
        }
        if self._bar is not None:
            self._bar.set_postfix_str(
                ", ".join(f"{key} {value}" for key, value in self._losses.items())
            )
        values = " ".join(f"{key} {value:.4g}" for key, value in sorted(logs.items()))
        screen.note(f"step {state.global_step} of {state.max_steps}: {values}")

    def on_train_end(
        self, args: SFTConfig, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Clear the bar."""
        if self._bar is not None:
            self._bar.close()
