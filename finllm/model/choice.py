"""Which of the models a command uses, and where its weights are."""

from __future__ import annotations

import os
from pathlib import Path

MODELS = ("base", "tuned", "preferred")
NO_ADAPTER = Path(os.devnull)  # the weights of the base model: nothing beside its own
FOLDERS = {"tuned": Path("models/adapter"), "preferred": Path("models/preferred")}
MADE_BY = {
    "tuned": "run `dvc repro train` first",
    "preferred": "set prefer.method and run `dvc repro prefer` first",
}


def weights_of(model: str, adapter: Path | None = None) -> Path:
    """Where what is added to the base is; nowhere for the base itself.

    Parameters
    ----------
    adapter
        A folder in the place of the pipeline's own.

    Raises
    ------
    ValueError
        For an unknown model, or one that has not been trained.
    """
    if model not in MODELS:
        raise ValueError(f"model {model!r}; allowed: {', '.join(MODELS)}")
    if model == "base":
        return NO_ADAPTER
    folder = adapter or FOLDERS[model]
    if not any((folder / name).is_file() for name in ("adapter_config.json", "config.json")):
        raise ValueError(f"{folder}: no {model} model; {MADE_BY[model]}")
    return folder
