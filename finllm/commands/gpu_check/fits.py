"""Short trainings by the project's own fit: the loss falls as it does in float32 with AdamW."""

from __future__ import annotations

import tempfile

from finllm.commands.gpu_check import models
from finllm.commands.gpu_check.finding import Finding, bounded
from finllm.training.arguments import training_arguments
from finllm.training.trainer import Fit, fit

# Few steps of a low rate: where the loss is all gone, every optimizer has come as far.
STEPS, RATE = 8, 3e-5
R = 512  # of an adapter whose tensors are large enough to be held in 8 bits (4,096) and paged (1e5)
UNLIKE = 0.25  # of the fall; the states of eight bits and the skipped steps of a scaler


def trained(folder: str, dtype: str, *, quantization: str, optimizer: str) -> Fit:
    """A fit of a few steps on examples of several lengths, so that batches are padded."""
    model = models.loaded(folder, dtype, quantization=quantization)
    vocabulary = model.config.vocab_size
    rows = [row for n in (24, 40) for row in models.random_rows(6, n, 8, vocabulary)]
    with tempfile.TemporaryDirectory() as scratch:
        arguments = training_arguments(
            output_dir=scratch,
            n_train=len(rows),
            learning_rate=RATE,
            warmup_share=0.0,
            schedule="constant",
            epochs=1.0,
            max_steps=STEPS,
            batch_size=4,
            accumulation=1,
            max_grad_norm=1.0,
            weight_decay=0.0,
            optimizer=optimizer,
            evals_per_run=1,
            seed=models.SEED,
            bfloat16=dtype == "bfloat16",
            float16=dtype == "float16",
        )
        return fit(
            models.with_lora(model, r=R, checkpoint_layers=1),
            models.tokenizer(vocabulary),
            train=rows,
            val=rows,
            arguments=arguments,
            patience=0,
            min_improvement=0.0,
        )


def falls_alike(name: str, folder: str, reference: Fit, **setting: str) -> Finding:
    """How far the fall of the loss is from that of ``reference``, as a share of it."""
    found = trained(folder, **setting)
    falls = [one.initial_val_loss_nats - one.best_val_loss_nats for one in (found, reference)]
    note = f"{found.initial_val_loss_nats:.3f} -> {found.best_val_loss_nats:.3f} nats"
    return bounded(name, abs(falls[0] / falls[1] - 1), UNLIKE, note)
