"""Choice between the base, tuned and preferred models, and the folders of their weights."""

from __future__ import annotations

import os
from pathlib import Path

MODELS = ("base", "tuned", "preferred")
NO_ADAPTER = Path(os.devnull)  # stands for the base model, which adds no weights
FOLDERS = {"tuned": Path("models/adapter"), "preferred": Path("models/preferred")}
MADE_BY = {
    "tuned": "run `dvc repro train` first",
    "preferred": "set prefer.method and run `dvc repro prefer` first",
}


def weights_of(model: str, adapter: Path | None = None) -> Path:
    """Return the folder of a model's weights, or ``NO_ADAPTER`` for the base model.

    Parameters
    ----------
    adapter
        A folder to use instead of the pipeline's own.

    Raises
    ------
    ValueError
        If the model is unknown or has not been trained.
    """
    if model not in MODELS:
        raise ValueError(f"model {model!r}; allowed: {', '.join(MODELS)}")
    if model == "base":
        return NO_ADAPTER
    folder = adapter or FOLDERS[model]
    if not any((folder / name).is_file() for name in ("adapter_config.json", "config.json")):
        raise ValueError(f"{folder}: no {model} model; {MADE_BY[model]}")
    return folder
