"""Full fine-tuning, for comparison with LoRA: all weights are trained and saved.

The adapter's folder then contains a model for plain ``from_pretrained`` instead of an adapter, and
prediction loads it in place of the base model.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import torch
from peft import PeftModel, set_peft_model_state_dict
from safetensors.torch import load_file
from transformers import PreTrainedModel

from finllm.model.loading import recompute_layers


def train_all(model: PreTrainedModel, *, checkpoint_layers: int) -> PreTrainedModel:
    """Return the model with every weight trainable.

    It has a ``get_base_model`` like a model with an adapter, so that the loss can treat both alike.
    """
    model.requires_grad_(True)
    recompute_layers(model, checkpoint_layers)
    model.get_base_model = lambda: model
    return model


def save_full(model: PreTrainedModel, folder: Path, *, base_name: str) -> Path:
    """Write the whole model in float32, as it was trained, and return the file of its weights.

    The configuration names the base model as in params.yaml, not by a path on this machine.
    """
    temporary = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    model.config._name_or_path = base_name
    model.save_pretrained(temporary, max_shard_size="1000GB")
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    os.replace(temporary, folder)
    return folder / "model.safetensors"


def load_trained(model: PeftModel | PreTrainedModel, folder: Path) -> None:
    """Read the weights that training saved back into the model that was trained.

    Raises
    ------
    KeyError
        If a weight of a whole model is missing on disk; for an adapter nothing is raised.
    """
    if isinstance(model, PeftModel):
        set_peft_model_state_dict(model, load_file(folder / "adapter_model.safetensors"))
        return
    weights = load_file(folder / "model.safetensors")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])


def is_full(folder: Path) -> bool:
    """Return whether a folder contains a whole model rather than an adapter."""
    return (folder / "config.json").is_file()
