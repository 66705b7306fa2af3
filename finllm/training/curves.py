"""The training curves as files that DVC plots."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

CURVES = {  # file: columns, as the trainer logs them and as they are plotted
    "train_loss.csv": {"loss": "train_loss_nats"},
    "val_loss.csv": {"eval_loss": "val_loss_nats"},
    "gradient_norm.csv": {"grad_norm": "gradient_norm"},
    "learning_rate.csv": {"learning_rate": "learning_rate"},
}


def write_curves(log: Sequence[dict[str, float]], folder: Path) -> None:
    """One CSV file a curve, with the optimizer step in front."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, columns in CURVES.items():
        with open(folder / name, "w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["step", *columns.values()])
            for entry in log:
                if all(column in entry for column in columns):
                    rows.writerow([int(entry["step"]), *(entry[column] for column in columns)])
