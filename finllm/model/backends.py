"""Optional CUDA kernels for ``model.backend``, Liger and Unsloth, imported on demand.

Neither runs on a CPU, and no GPU was available to test them. Tests check that they are refused with
an error message where they cannot run, and that they are called with the documented arguments. The
project's own code (``auto``) needs neither.
"""

from __future__ import annotations

import importlib
import importlib.util

import torch
from peft import PeftModel
from transformers import PreTrainedModel

PACKAGES = {"liger": "liger-kernel", "unsloth": "unsloth", "flash_attention_2": "flash-attn"}
MODULES = {"liger": "liger_kernel", "unsloth": "unsloth", "flash_attention_2": "flash_attn"}


def require(key: str, name: str, instead: str) -> None:
    """Raise an error unless the optional kernels can run on this machine.

    Parameters
    ----------
    key
        The parameter that selects them, for the message.
    name
        ``liger``, ``unsloth`` or ``flash_attention_2``.
    instead
        A value of the parameter that works everywhere, for the message.

    Raises
    ------
    ValueError
        If there is no CUDA device, or the package is not installed.
    """
    if not torch.cuda.is_available():
        raise ValueError(
            f"{key} is {name}, whose kernels run on CUDA only, and this machine has no GPU; "
            f"set {key} to {instead}"
        )
    if importlib.util.find_spec(MODULES[name]) is None:
        raise ValueError(
            f"{key} is {name}, and package {PACKAGES[name]} is not installed; install it with: "
            f"pip install {PACKAGES[name]}, or set {key} to {instead}"
        )


def apply_liger() -> None:
    """Replace transformers' Llama layers by Liger's kernels; call it before creating a model.

    Liger's loss is not used: the project's own computes logits at labelled positions only.
    """
    require("model.backend", "liger", "auto")
    liger = importlib.import_module("liger_kernel.transformers")
    liger.apply_liger_kernel_to_llama(
        rope=True,
        rms_norm=True,
        swiglu=True,
        cross_entropy=False,
        fused_linear_cross_entropy=False,
    )


def load_unsloth(
    folder: str, *, revision: str, quantization: str, dtype: torch.dtype, max_tokens: int
) -> PreTrainedModel:
    """Load the base model with Unsloth, in NF4, in int8 or not quantized."""
    require("model.backend", "unsloth", "auto")
    unsloth = importlib.import_module("unsloth")
    model, _ = unsloth.FastLanguageModel.from_pretrained(
        model_name=folder,
        revision=revision or None,
        max_seq_length=max_tokens,
        dtype=dtype,
        load_in_4bit=quantization == "nf4",
        load_in_8bit=quantization == "int8",
    )
    return model


def unsloth_lora(
    model: PreTrainedModel,
    *,
    r: int,
    alpha: float,
    dropout: float,
    targets: list[str],
    rslora: bool,
    checkpoint_layers: int,
    seed: int,
) -> PeftModel:
    """Add a new adapter to the model with Unsloth.

    Raises
    ------
    ValueError
        If only some of the layers are to be recomputed: Unsloth recomputes all or none.
    """
    if checkpoint_layers > 1:
        raise ValueError(
            f"train.checkpoint_layers is {checkpoint_layers} and model.backend is unsloth, which "
            "recomputes all layers or none; set train.checkpoint_layers to 1 or 0"
        )
    unsloth = importlib.import_module("unsloth")
    return unsloth.FastLanguageModel.get_peft_model(
        model,
        r=r,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=targets,
        bias="none",
        use_rslora=rslora,
        use_gradient_checkpointing="unsloth" if checkpoint_layers else False,
        random_state=seed,
    )
