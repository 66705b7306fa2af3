"""Saving of adapters, and attaching them to a base model for prediction."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import torch
from peft import PeftModel
from safetensors import SafetensorError
from transformers import PreTrainedModel


def save_adapter(
    model: PeftModel,
    folder: Path,
    *,
    base_name: str,
    revision: str,
    weights: dict[str, torch.Tensor] | None = None,
) -> None:
    """Write the adapter as safetensors and configuration for plain ``PeftModel.from_pretrained``.

    The configuration names the base model as in params.yaml, not by a path on this machine.
    ``weights`` are the trained parameters by name, needed if those of the model are sharded.
    """
    config = model.peft_config["default"]
    config.base_model_name_or_path = base_name
    config.revision = revision or None
    config.target_modules = sorted(config.target_modules)  # a set has a different order in each run
    temporary = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        # "auto" would ask the Hub for the base's vocabulary; the embeddings are never trained here
        model.save_pretrained(
            temporary, safe_serialization=True, save_embedding_layers=False, state_dict=weights
        )
    except SafetensorError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise OSError(f"the adapter cannot be written to {folder}: {error}") from None
    (temporary / "README.md").unlink(missing_ok=True)  # a model card template without content
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    os.replace(temporary, folder)


def copy_adapter(adapter: Path, folder: Path) -> None:
    """Copy the two files of an adapter to another folder."""
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copyfile(adapter / name, folder / name)


def with_adapter(model: PreTrainedModel, folder: Path, *, merge: bool) -> PreTrainedModel:
    """Return the model with an adapter attached; merged, it decodes as fast as the base model.

    Merge only into weights that are not quantized: rounding the sum to four bits again ruins it.
    """
    tuned = PeftModel.from_pretrained(model, str(folder))
    return tuned.merge_and_unload() if merge else tuned.get_base_model()


def trainable_parameters(model: PeftModel) -> int:
    """Return the number of trainable parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
