"""Training curves, written by DVCLive during training and drawn by ``dvc plots``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dvclive import Live
from transformers import TrainerCallback, TrainerControl, TrainerState
from trl import SFTConfig

from finllm.records import csv_text, write_text

CURVES = {  # trainer's name: our name, which is also the file's
    "loss": "train/loss_nats",
    "grad_norm": "train/gradient_norm",
    "learning_rate": "train/learning_rate",
    "eval_loss": "val/loss_nats",
    "near_zero_share": "train/near_zero_share",
    "update_to_weight": "train/update_to_weight",
}
COSTS = ("tokens_per_second", "peak_memory_gb")  # not reproducible: in a CSV of their own


def open_live(folder: str) -> Live:
    """Return a DVCLive logger for curves only: DVC tracks metrics and experiments."""
    return Live(dir=folder, dvcyaml=None, save_dvc_exp=False, report=None)


class LiveCurves(TrainerCallback):
    """Callback that logs the curves to DVCLive by optimizer step, and a step's costs to a CSV."""

    def __init__(self, live: Live, costs: Path) -> None:
        self.live = live
        self.costs = costs

    def on_train_begin(
        self, args: SFTConfig, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Rewrite the points logged before a kill, since DVC removes outputs before each run."""
        write_text(self.costs, csv_text(["step", *COSTS], []))
        for row in state.log_history:
            self._write(row["step"], row)

    def on_log(
        self,
        args: SFTConfig,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any],
        **_: Any,
    ) -> None:
        """Write one point of every curve in the log."""
        self._write(state.global_step, logs)

    def _write(self, step: int, logs: dict[str, Any]) -> None:
        self.live.step = step
        for name, ours in CURVES.items():
            if name in logs:
                self.live.log_metric(ours, float(logs[name]))
        if all(name in logs for name in COSTS):
            with open(self.costs, "a", encoding="utf-8") as file:
                file.write(",".join(str(x) for x in (step, *(logs[name] for name in COSTS))) + "\n")
