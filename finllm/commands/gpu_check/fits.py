"""Short trainings by the project's own ``fit``: the loss must fall as in float32 with AdamW."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence

from peft import PeftModel
from transformers import TrainerCallback
from trl import SFTConfig

from finllm.commands.gpu_check import models
from finllm.commands.gpu_check.finding import Finding, bounded
from finllm.instruct.chat import Encoded
from finllm.training.arguments import training_arguments
from finllm.training.trainer import Fit, fit

# Few steps at a low rate: once the loss is close to zero, all optimizers look alike.
STEPS, RATE = 8, 3e-5
R = 512  # rank; makes the tensors large enough for 8-bit states (4,096 values) and paging (1e5)
UNLIKE = 0.25  # allowed difference of the fall, relative: 8-bit states, steps the scaler skips


def short_fit(
    model: PeftModel,
    rows: Sequence[Encoded],
    val: Sequence[Encoded],
    *,
    dtype: str,
    optimizer: str,
    learning_rate: float,
    n_steps: int,
    batch_size: int,
    callbacks: Sequence[TrainerCallback] = (),
) -> Fit:
    """Train a few optimizer steps at a constant rate, without accumulation or weight decay."""
    with tempfile.TemporaryDirectory() as scratch:
        arguments = short_arguments(
            scratch,
            len(rows),
            dtype=dtype,
            optimizer=optimizer,
            learning_rate=learning_rate,
            n_steps=n_steps,
            batch_size=batch_size,
            max_grad_norm=1.0,
        )
        return fit(
            model,
            models.tokenizer(model.config.vocab_size),
            train=rows,
            val=val,
            arguments=arguments,
            patience=0,
            min_improvement=0.0,
            callbacks=callbacks,
        )


def short_arguments(
    folder: str,
    n_train: int,
    *,
    dtype: str,
    optimizer: str,
    learning_rate: float,
    n_steps: int,
    batch_size: int,
    max_grad_norm: float,
) -> SFTConfig:
    """Return the arguments of a few steps at a constant rate, without weight decay."""
    return training_arguments(
        output_dir=folder,
        n_train=n_train,
        learning_rate=learning_rate,
        warmup_share=0.0,
        schedule="constant",
        epochs=1.0,
        max_steps=n_steps,
        batch_size=batch_size,
        accumulation=1,
        max_grad_norm=max_grad_norm,
        weight_decay=0.0,
        optimizer=optimizer,
        evals_per_run=1,
        seed=models.SEED,
        bfloat16=dtype == "bfloat16",
        float16=dtype == "float16",
    )


def trained(folder: str, dtype: str, *, quantization: str, optimizer: str) -> Fit:
    """Train a few steps on examples of several lengths, so that batches are padded."""
    model = models.loaded(folder, dtype, quantization=quantization)
    vocabulary = model.config.vocab_size
    rows = [row for n in (24, 40) for row in models.random_rows(6, n, 8, vocabulary)]
    return short_fit(
        models.with_lora(model, r=R, checkpoint_layers=1),
        rows,
        rows,
        dtype=dtype,
        optimizer=optimizer,
        learning_rate=RATE,
        n_steps=STEPS,
        batch_size=4,
    )


def falls_alike(name: str, folder: str, reference: Fit, **setting: str) -> Finding:
    """Check the fall of the validation loss, relative to its fall in ``reference``."""
    found = trained(folder, **setting)
    falls = [one.initial_val_loss_nats - one.best_val_loss_nats for one in (found, reference)]
    note = f"{found.initial_val_loss_nats:.3f} -> {found.best_val_loss_nats:.3f} nats"
    return bounded(name, abs(falls[0] / falls[1] - 1), UNLIKE, note)
