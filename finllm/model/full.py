"""Full fine-tuning, for comparison with LoRA: all weights are trained and saved.

The folder that holds the adapter otherwise then holds a model that plain ``from_pretrained`` loads,
and prediction loads it in the place of the base.
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
    """The model with every weight to be trained.

    It answers ``get_base_model`` as one with an adapter does, so that the loss need not ask which
    of the two it has.
    """
    model.requires_grad_(True)
    recompute_layers(model, checkpoint_layers)
    model.get_base_model = lambda: model
    return model


def save_full(model: PreTrainedModel, folder: Path, *, base_name: str) -> Path:
    """Write the whole model in float32, as it was trained; the file of its weights.

    The configuration names the base model as params.yaml does, not by a path of this machine.
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
    """Read what training wrote back into the model that wrote it.

    Raises
    ------
    KeyError
        If a weight is missing on disk.
    """
    if isinstance(model, PeftModel):
        set_peft_model_state_dict(model, load_file(folder / "adapter_model.safetensors"))
        return
    weights = load_file(folder / "model.safetensors")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])


def is_full(folder: Path) -> bool:
    """Whether a folder holds a whole model, and not an adapter."""
    return (folder / "config.json").is_file()
