"""The plan of training and answers: one record with everything that ``finllm plan`` prints."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from finllm.planning.activations import flops_per_token
from finllm.planning.answering import (
    AnswerMemory,
    AnswerSetting,
    answer_memory,
    largest_answer_batch,
)
from finllm.planning.architecture import (
    LORA_LAYERS,
    Architecture,
    embedding_parameters,
    linear_parameters,
    lora_parameters,
    norm_parameters,
    total_parameters,
)
from finllm.planning.cost import Cost
from finllm.planning.memory import (
    GB,
    LAUNCHERS,
    Memory,
    Setting,
    Weights,
    device_memory,
    largest_batch,
    loading_memory,
    planned_peak,
    setting_activations,
    weight_bytes,
)

DEVICE_COUNTS = (1, 2, 4, 8)
DEVICE_GB = (16, 24, 40, 80)
HELD_AS = {  # name: quantization, double quantization, compute type
    "nf4, double quantization": ("nf4", True, "bfloat16"),
    "nf4": ("nf4", False, "bfloat16"),
    "int8": ("int8", False, "bfloat16"),
    "bfloat16": ("none", False, "bfloat16"),
    "float32": ("none", False, "float32"),
}


@dataclass(frozen=True)
class Answers:
    """The plan of answering one kind of prompts on one device."""

    setting: AnswerSetting
    memory: AnswerMemory
    largest_batch: int  # that fits the device


@dataclass(frozen=True)
class Plan:
    """The plan of a training and of answers; memory is in bytes, on one device."""

    name: str
    model: Architecture
    setting: Setting
    parameters: dict[str, int]  # linear, embeddings, norms, total
    trainable: dict[str, int]  # by lora.targets
    weights: dict[str, Weights]  # by storage format, see HELD_AS
    memory: Memory  # with the launcher and devices below
    loading: int  # until the model is ready to train, on each device
    answers: dict[str, Answers]  # by kind of prompts; empty on a CPU
    kept: int  # activations without checkpointing
    checkpointed: int  # activations with every block checkpointed
    logits: int  # of these, at the labelled positions
    peaks: dict[str, dict[int, int]]  # by launcher and number of devices, loading included
    largest_batches: dict[int, dict[str, int]]  # by GB of one device, kept or checkpointed
    launcher: str
    devices: int
    device_gb: float
    fits: bool
    cost: Cost | None  # None if the number of examples is not known
    preferred: Memory | None = None  # of preference tuning, which runs alone; None if it is off

    def to_json(self) -> dict:
        """Return the record for a JSON file."""
        peak = max(self.memory.peak, self.loading) / GB
        return {**dataclasses.asdict(self), "planned_peak_memory_gb": peak}


def make_plan(
    name: str,
    model: Architecture,
    setting: Setting,
    *,
    launcher: str,
    devices: int,
    device_gb: float,
    cost: Cost | None = None,
    answers: Mapping[str, AnswerSetting] | None = None,
    preferred: Setting | None = None,
) -> Plan:
    """Return the plan of a setting, on ``devices`` devices of ``device_gb`` GB with ``launcher``.

    It fits if training, including loading, fits each device, and preference tuning and all
    ``answers`` fit one device. ``preferred`` is the setting of preference tuning, which trains on
    one device.
    """
    kept = dataclasses.replace(setting, recompute_every=0)
    checkpointed = dataclasses.replace(setting, recompute_every=1)
    used = device_memory(model, setting, launcher=launcher, devices=devices)
    later = preferred and device_memory(model, preferred, launcher="single", devices=1)
    loading = loading_memory(model, setting, launcher=launcher, devices=devices)
    asked = {
        prompts: Answers(
            each,
            answer_memory(model, each),
            largest_answer_batch(model, each, device_gb=device_gb),
        )
        for prompts, each in (answers or {}).items()
    }
    largest = max(
        used.peak,
        loading,
        later.peak if later else 0,
        *(each.memory.peak for each in asked.values()),
    )
    return Plan(
        name=name,
        model=model,
        setting=setting,
        parameters={
            "linear": linear_parameters(model),
            "embeddings": embedding_parameters(model),
            "norms": norm_parameters(model),
            "total": total_parameters(model),
        },
        trainable={
            targets: lora_parameters(model, r=setting.r, targets=targets) for targets in LORA_LAYERS
        },
        weights={
            how: weight_bytes(
                model, quantization=held, double_quantization=double, compute_dtype=dtype
            )
            for how, (held, double, dtype) in HELD_AS.items()
        },
        memory=used,
        loading=loading,
        answers=asked,
        kept=setting_activations(model, kept).peak,
        checkpointed=setting_activations(model, checkpointed).peak,
        logits=setting_activations(model, setting).logits,
        peaks={
            each: {
                n: planned_peak(model, setting, launcher=each, devices=n)
                for n in (DEVICE_COUNTS if each != "single" else (1,))
            }
            for each in LAUNCHERS
        },
        largest_batches={
            size: {
                "kept": largest_batch(model, kept, device_gb=size),
                "checkpointed": largest_batch(model, checkpointed, device_gb=size),
            }
            for size in DEVICE_GB
        },
        launcher=launcher,
        devices=devices,
        device_gb=device_gb,
        fits=largest <= device_gb * GB,
        cost=cost,
        preferred=later,
    )


def planned_flops(model: Architecture, setting: Setting) -> float:
    """Return ``flops_per_token`` of a setting if all examples are as long as its longest."""
    every = setting.recompute_every
    return flops_per_token(
        model,
        length=setting.length,
        labelled_share=setting.labelled / setting.length,
        lora=lora_parameters(model, r=setting.r, targets=setting.targets),
        recomputed_share=(model.layers // every) / model.layers if every else 0.0,
    )
