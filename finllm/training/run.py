"""A training run from its parameters: encode the sets, prepare the model, fit, save, measure."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from finllm.instruct import chat
from finllm.model import arithmetic
from finllm.model.adapter import save_adapter
from finllm.model.compute_type import DTYPES, resolved
from finllm.model.full import save_full, train_all
from finllm.model.loading import add_lora, load_base
from finllm.model.process_memory import peak_memory_gb
from finllm.model.tokenizer import load_tokenizer
from finllm.model.weights import (
    base_folder,
    checkpoint_root,
    file_sha256,
    weights_sha256,
)
from finllm.planning.planned_memory import planned_peak_gb
from finllm.records import Example, write_metrics
from finllm.runtime import screen
from finllm.runtime.provenance import provenance
from finllm.settings.params import Params
from finllm.training import launch
from finllm.training.arguments import common_settings, training_arguments
from finllm.training.batching import Batching
from finllm.training.checkpoints import run_folder
from finllm.training.curves import LiveCurves, open_live
from finllm.training.distributed import shard_on_cpu, share_held, trained_weights
from finllm.training.forgetting import forgetting, general_perplexity
from finllm.training.mishaps import memory_explained
from finllm.training.monitors import Monitor
from finllm.training.progress import Progress
from finllm.training.resume import Checkpointer
from finllm.training.trainer import Fit, fit, reloaded_val_loss


@dataclass(frozen=True)
class Sets:
    """Encoded training and validation sets."""

    train: list[chat.Encoded]
    val: list[chat.Encoded]

    @property
    def lengths(self) -> list[int]:
        """Number of tokens of each training example."""
        return [len(row.input_ids) for row in self.train]


def train(
    params: Params,
    *,
    train: Sequence[Example],
    val: Sequence[Example],
    adapter: Path,
    curves: Path,
    metrics: Path,
    costs: Path,
    steps: Path,
) -> Fit:
    """Train the model, and write its weights, training curves, metrics and costs.

    In a launch with several processes, each trains on its share and the first one writes.
    Checkpoints are removed once everything is written.
    """
    params = replace(params, model=resolved(params.model))
    m, p = params.model, params.train
    folder = base_folder(m)
    tokenizer = load_tokenizer(folder, revision=m.revision)
    sets = Sets(*(_encoded(tokenizer, rows, params) for rows in (train, val)))
    batches = Batching(p.batching, p.batch_size, p.tokens_per_batch)
    batch = batches.effective(sets.lengths, p.accumulation) * launch.n_launched()
    sharded = launch.launched() and p.launcher != launch.DDP
    planned_gb = _planned_gb(params, folder, sets)
    checkpointer = _checkpointer(params, folder, sets)
    memory = memory_explained(
        sets.train, p.batch_size, recomputes=p.checkpoint_layers == 1, planned_gb=planned_gb
    )
    with tempfile.TemporaryDirectory() as scratch, memory:
        arguments = training_arguments(
            output_dir=scratch,
            n_train=len(train),
            learning_rate=p.learning_rate,
            epochs=p.epochs,
            max_steps=p.max_steps,
            batch_size=p.batch_size,
            accumulation=p.accumulation,
            seed=p.seed,
            **common_settings(params),
            deepspeed=launch.launched() and p.launcher.startswith("deepspeed"),
            n_batches=batches.count(sets.lengths),
            n_devices=launch.n_launched(),
        )
        if sharded and p.launcher == launch.FSDP:
            shard_on_cpu()
        screen.working("loading the model")
        model = _trainable(params, folder, sets, sharded=sharded and p.launcher == launch.FSDP)
        screen.note(
            f"train: {batches.describe()} a forward pass, effective batch {batch:g} examples, "
            f"{arguments.max_steps} steps, in {m.compute_dtype}"
        )
        screen.working("measuring the base model")
        base_perplexity = general_perplexity(model, tokenizer)
        full = p.method == "full"
        autocast = DTYPES[m.compute_dtype] if full and m.compute_dtype != "float32" else None
        monitor = None if sharded else Monitor(model, max_grad_norm=p.max_grad_norm)
        with contextlib.ExitStack() as stack:
            callbacks = [monitor] if monitor else []
            if launch.is_main():
                callbacks.append(Progress())
                callbacks.append(LiveCurves(stack.enter_context(open_live(str(curves))), steps))
            result = fit(
                model,
                tokenizer,
                train=sets.train,
                val=sets.val,
                arguments=arguments,
                patience=p.early_stopping_patience,
                min_improvement=p.early_stopping_min_improvement,
                callbacks=callbacks,
                checkpointer=checkpointer,
                batching=batches,
                autocast=autocast,
            )
        weights = trained_weights(model)  # a collective call: every process must make it
        if launch.launched():
            held = f"each with {share_held(model):.0%} of the weights"
            screen.note(f"train: {launch.n_launched()} processes ({p.launcher}), {held}")
        file = adapter / ("model.safetensors" if full else "adapter_model.safetensors")
        if launch.is_main():
            if full:
                save_full(model, adapter, base_name=m.name)
            else:
                save_adapter(model, adapter, base_name=m.name, revision=m.revision, weights=weights)
        launch.wait_for_all()
        screen.working("reading the adapter back")
        reloaded = reloaded_val_loss(
            model,
            tokenizer,
            adapter,
            val=sets.val,
            arguments=arguments,
            expected=result.best_val_loss_nats,
            autocast=autocast,
        )
        observed: dict[str, object] = {}
        if monitor:  # a process with sharded weights has no full gradients or logits
            if launch.is_main():
                monitor.write_layers(curves / "gradient_by_layer.csv")
            tuned_perplexity = general_perplexity(model, tokenizer)
            observed = {"forgetting": forgetting(base_perplexity, tuned_perplexity)}
            observed |= monitor.summary()
    if not launch.is_main():
        return result
    found = {
        **_metrics(result),
        "n_train_examples": len(train),
        "n_val_examples": len(val),
        "effective_batch_size": batch,
        "trainable_parameters": sum(value.numel() for value in weights.values()),
        "reloaded_val_loss_nats": reloaded,
        "adapter_sha256": file_sha256(file),
        "compute_dtype": m.compute_dtype,
        **observed,
        "provenance": asdict(
            provenance(
                processor=arithmetic.processor_in_words(),
                dtype=str(autocast or model.config.dtype),
            )
        ),
        "cost": {
            "n_resumes": result.n_resumes,
            "seconds": result.seconds,
            "tokens_per_second": result.n_train_tokens / result.seconds,
            "peak_memory_gb": peak_memory_gb(),
            "planned_peak_memory_gb": planned_gb,
            **({"monitor_share": monitor.cost_share} if monitor else {}),
            "adapter_mb": os.path.getsize(file) / 1e6,
        },
    }
    write_metrics(metrics, costs, found)
    if checkpointer:
        checkpointer.remove()
    return result


def _encoded(
    tokenizer: PreTrainedTokenizerBase, rows: Sequence[Example], params: Params
) -> list[chat.Encoded]:
    system, masks = params.templatize.system_prompt, params.train.unstated_figures == "mask"
    return [
        chat.encode_example(
            tokenizer,
            chat.render_example(tokenizer, row, system),
            row.answer,
            silent=row.unstated if masks else (),
        )
        for row in rows
    ]


def _planned_gb(params: Params, folder: str, sets: Sets) -> float | None:
    if not sets.train:
        return None  # `fit` reports the empty set
    labelled = [len(row.input_ids) - row.n_prompt for row in sets.train]
    return planned_peak_gb(
        params,
        folder,
        length=max(sets.lengths),
        labelled=max(labelled),
        device="cuda" if torch.cuda.is_available() else "cpu",
        mixed_lengths=len(set(sets.lengths)) > 1,
        devices=launch.n_launched(),
    )


def _checkpointer(params: Params, folder: str, sets: Sets) -> Checkpointer | None:
    p = params.train
    if launch.launched() and p.launcher.startswith("deepspeed"):
        if p.checkpoint_every:
            screen.say(
                f"train: no checkpoints under {p.launcher}, which stores them as pickles: a killed "
                "training restarts from its first step; use fsdp to shard and resume"
            )
        return None
    settings = {
        "model": vars(params.model),
        "weights": weights_sha256(folder, params.model.revision),  # of a package or local folder
        "lora": vars(params.lora),
        "train": {**vars(p), "checkpoint_every": 0},  # does not change the result
    }
    run = run_folder(
        checkpoint_root(), settings=settings, sets={"train": sets.train, "val": sets.val}
    )
    return Checkpointer(run, every=p.checkpoint_every)


def _trainable(
    params: Params, folder: str, sets: Sets, *, sharded: bool
) -> PeftModel | PreTrainedModel:
    m, p = params.model, params.train
    model = load_base(
        folder,
        revision=m.revision,
        quantization=m.quantization,
        double_quantization=m.double_quantization,
        compute_dtype=m.compute_dtype,
        attention_kernel=m.attention,
        backend=m.backend,
        max_tokens=max(sets.lengths, default=0),
        sharded=sharded,
    )
    if p.method == "full":
        return train_all(model, checkpoint_layers=p.checkpoint_layers)
    return add_lora(
        model,
        **vars(params.lora),
        checkpoint_layers=p.checkpoint_layers,
        seed=p.seed,
        backend=m.backend,
    )


def _metrics(result: Fit) -> dict[str, object]:
    measured = asdict(result)
    return {name: measured[name] for name in measured if name not in ("seconds", "n_resumes")}
