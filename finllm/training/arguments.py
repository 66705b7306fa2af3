"""Arguments of TRL's trainer, built from the settings in params.yaml."""

from __future__ import annotations

import math
from typing import Any

import torch
from trl import SFTConfig

from finllm.settings.params import Params


def common_settings(params: Params) -> dict[str, Any]:
    """Return the arguments of ``training_arguments`` that the stages `train` and `prefer` share."""
    m, p = params.model, params.train
    return {
        "warmup_share": p.warmup_share,
        "schedule": p.schedule,
        "restarts": p.restarts,
        "max_grad_norm": p.max_grad_norm,
        "weight_decay": p.weight_decay,
        "optimizer": p.optimizer,
        "evals_per_run": p.evals_per_run,
        "bfloat16": m.compute_dtype == "bfloat16",
        "float16": m.compute_dtype == "float16",
    }


def training_arguments(
    *,
    output_dir: str,
    n_train: int,
    learning_rate: float,
    warmup_share: float,
    schedule: str,
    epochs: float,
    max_steps: int,
    batch_size: int,
    accumulation: int,
    max_grad_norm: float,
    weight_decay: float,
    optimizer: str,
    evals_per_run: int,
    seed: int,
    bfloat16: bool,
    float16: bool = False,
    deepspeed: bool = False,
    restarts: int = 1,
    n_batches: int | None = None,
    n_devices: int = 1,
) -> SFTConfig:
    """Return the trainer's arguments, with at most ``evals_per_run`` evaluations, evenly spaced.

    The last evaluation is at the end of the training, and one more is made before the first step.

    bfloat16 runs without autocast, on a CPU as on a GPU: the frozen weights already have the
    compute dtype, and the casts would cost more than they save. In Accelerate, ``bf16`` also means
    that FSDP reduces gradients, and returns the loss, in bfloat16. Only DeepSpeed needs it, since
    it would otherwise keep the frozen weights in float32. float16 is trained with loss scaling
    (Micikevicius et al. 2018, arXiv 1710.03740, section 3.2), which Accelerate supports on GPUs
    only.

    Parameters
    ----------
    deepspeed
        Whether DeepSpeed manages the weights.
    restarts
        Number of cycles of ``cosine_with_restarts``; ignored by the other schedules.
    n_batches
        Forward passes per epoch, if batches do not have ``batch_size`` examples each.

    Raises
    ------
    ValueError
        If the optimizer or the compute dtype needs a GPU and there is none.
    """
    on_gpu = torch.cuda.is_available()
    if optimizer == "paged_adamw_8bit" and not on_gpu:
        raise ValueError(
            "train.optimizer is paged_adamw_8bit, which keeps its state in CUDA's unified memory, "
            "and this machine has no GPU; use adamw"
        )
    if float16 and not on_gpu:
        raise ValueError(
            "model.compute_dtype is float16, whose gradients vanish without loss scaling, which "
            "needs a GPU, and this machine has none; use bfloat16"
        )
    passes = math.ceil((n_batches or math.ceil(n_train / batch_size)) / n_devices)
    n_steps = max_steps or max(1, math.ceil(epochs * math.ceil(passes / accumulation)))
    arguments = SFTConfig(
        output_dir=output_dir,
        per_device_train_batch_size=batch_size,
        per_device_eval_batch_size=batch_size,
        gradient_accumulation_steps=accumulation,
        learning_rate=learning_rate,
        lr_scheduler_type="constant_with_warmup" if schedule == "constant" else schedule,
        lr_scheduler_kwargs={"num_cycles": restarts} if "restarts" in schedule else None,
        warmup_steps=math.ceil(warmup_share * n_steps),
        max_steps=n_steps,
        max_grad_norm=max_grad_norm,
        weight_decay=weight_decay,
        optim="adamw_torch_fused" if optimizer == "adamw" else optimizer,
        train_sampling_strategy="group_by_length",
        seed=seed,
        data_seed=seed,
        bf16=on_gpu and bfloat16 and deepspeed,
        fp16=on_gpu and float16,
        use_cpu=not on_gpu,
        activation_checkpointing=False,  # ``recompute_layers`` enables it, if at all
        ddp_find_unused_parameters=False,  # every step uses every adapter weight
        eval_strategy="steps",
        eval_steps=math.ceil(n_steps / evals_per_run),
        eval_on_start=True,
        prediction_loss_only=True,
        include_num_input_tokens_seen="non_padding",
        save_strategy="no",
        logging_steps=1,
        report_to="none",
        disable_tqdm=True,  # `finllm.training.progress` shows progress
        max_length=None,
        dataloader_pin_memory=on_gpu,
    )
    if arguments.n_gpu > 1:
        # outside a launch, transformers counts all visible GPUs as this process's and would wrap
        # the model in DataParallel, which TRL refuses; for a model split over GPUs it sets 1 itself
        arguments._n_gpu = 1
    return arguments
