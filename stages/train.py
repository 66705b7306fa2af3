"""Fit a LoRA adapter on the training set and keep the best one by validation loss."""

import os
import tempfile

import torch

from finllm.instruct import chat
from finllm.model.adapter import save_adapter, trainable_parameters
from finllm.model.full import save_full, train_all
from finllm.model.loading import DTYPES, add_lora, load_base
from finllm.model.memory import peak_memory_gb
from finllm.model.tokenizer import load_tokenizer
from finllm.model.weights import checkpoint_root, file_sha256, model_folder
from finllm.planned_memory import planned_peak_gb
from finllm.records import Example, read_examples, write_json
from finllm.training.batching import Batching
from finllm.training.checkpoints import run_folder
from finllm.training.curves import LiveCurves, open_live
from finllm.training.forgetting import forgetting, general_perplexity
from finllm.training.mishaps import memory_explained
from finllm.training.monitors import Monitor
from finllm.training.resume import Checkpointer
from finllm.training.trainer import fit, reloaded_val_loss, training_arguments
from stages import adapter


def main() -> None:
    """Load, train, save."""
    at = adapter.paths("train", "val", "adapter", "curves", "metrics")
    params = adapter.params()
    m, p = params.model, params.train
    folder = model_folder(m.name, gguf_package=m.gguf_package, gguf_file=m.gguf_file)
    tokenizer = load_tokenizer(folder, revision=m.revision)

    def encode(example: Example) -> chat.Encoded:
        prompt = chat.render_example(tokenizer, example, params.templatize.system_prompt)
        return chat.encode_example(tokenizer, prompt, example.answer)

    train = [encode(example) for example in read_examples(at.train)]
    val = [encode(example) for example in read_examples(at.val)]
    batches = Batching(p.batching, p.batch_size, p.tokens_per_batch)
    lengths = [len(example.input_ids) for example in train]
    batch = batches.effective(lengths, p.accumulation)
    planned_gb = planned_peak_gb(
        params,
        folder,
        length=max((len(row.input_ids) for row in train), default=0),
        labelled=max((len(row.input_ids) - row.n_prompt for row in train), default=0),
        device="cuda" if torch.cuda.is_available() else "cpu",
    )
    run = run_folder(
        checkpoint_root(),
        settings={
            "model": vars(m),
            "lora": vars(params.lora),
            "train": {**vars(p), "checkpoint_every": 0},  # does not change the result
        },
        sets={"train": train, "val": val},
    )
    checkpointer = Checkpointer(run, every=p.checkpoint_every)
    memory = memory_explained(
        train,
        p.batch_size,
        recomputes=p.checkpoint_layers == 1,
        planned_gb=planned_gb,
    )
    with tempfile.TemporaryDirectory() as scratch, memory:
        arguments = training_arguments(
            output_dir=scratch,
            n_train=len(train),
            learning_rate=p.learning_rate,
            warmup_share=p.warmup_share,
            schedule=p.schedule,
            epochs=p.epochs,
            max_steps=p.max_steps,
            batch_size=p.batch_size,
            accumulation=p.accumulation,
            max_grad_norm=p.max_grad_norm,
            weight_decay=p.weight_decay,
            optimizer=p.optimizer,
            evals_per_run=p.evals_per_run,
            seed=p.seed,
            bfloat16=m.compute_dtype == "bfloat16",
            float16=m.compute_dtype == "float16",
            restarts=p.restarts,
            n_batches=batches.count(lengths),
        )
        model = load_base(
            folder,
            revision=m.revision,
            quantization=m.quantization,
            double_quantization=m.double_quantization,
            compute_dtype=m.compute_dtype,
            attention_kernel=m.attention,
            backend=m.backend,
            max_tokens=max(lengths, default=0),
        )
        full = p.method == "full"
        autocast = DTYPES[m.compute_dtype] if full and m.compute_dtype != "float32" else None
        if full:
            model = train_all(model, checkpoint_layers=p.checkpoint_layers)
        else:
            model = add_lora(
                model,
                **vars(params.lora),
                checkpoint_layers=p.checkpoint_layers,
                seed=p.seed,
                backend=m.backend,
            )
        print(
            f"train: {batches.describe()} a forward pass, effective batch {batch:g} examples, "
            f"{arguments.max_steps} steps"
        )
        base_perplexity = general_perplexity(model, tokenizer)
        monitor = Monitor(model, max_grad_norm=p.max_grad_norm)
        with open_live(str(at.curves)) as live:
            result = fit(
                model,
                tokenizer,
                train=train,
                val=val,
                arguments=arguments,
                patience=p.early_stopping_patience,
                min_improvement=p.early_stopping_min_improvement,
                callbacks=[monitor, LiveCurves(live)],
                checkpointer=checkpointer,
                batching=batches,
                autocast=autocast,
            )
        monitor.write_layers(at.curves / "gradient_by_layer.csv")
        forgotten = forgetting(base_perplexity, general_perplexity(model, tokenizer))
        if full:
            weights = save_full(model, at.adapter, base_name=m.name)
        else:
            weights = at.adapter / "adapter_model.safetensors"
            save_adapter(model, at.adapter, base_name=m.name, revision=m.revision)
        reloaded_val_loss_nats = reloaded_val_loss(
            model,
            tokenizer,
            at.adapter,
            val=val,
            arguments=arguments,
            expected=result.best_val_loss_nats,
            autocast=autocast,
        )
    write_json(
        at.metrics,
        {
            "n_train_examples": len(train),
            "n_val_examples": len(val),
            "effective_batch_size": batch,
            "n_steps": result.n_steps,
            "n_train_tokens": result.n_train_tokens,
            "trainable_parameters": trainable_parameters(model),
            "initial_val_loss_nats": result.initial_val_loss_nats,
            "best_val_loss_nats": result.best_val_loss_nats,
            "reloaded_val_loss_nats": reloaded_val_loss_nats,
            "best_step": result.best_step,
            "stopped_early": result.stopped_early,
            "adapter_sha256": file_sha256(weights),
            "forgetting": forgotten,
            **monitor.summary(),
            "cost": {
                "n_resumes": result.n_resumes,
                "seconds": result.seconds,
                "tokens_per_second": result.n_train_tokens / result.seconds,
                "peak_memory_gb": peak_memory_gb(),
                "planned_peak_memory_gb": planned_gb,
                "monitor_share": monitor.cost_share,
                "adapter_mb": os.path.getsize(weights) / 1e6,
            },
        },
    )
    checkpointer.remove()
    print(
        f"train: validation loss {result.initial_val_loss_nats:.3f} -> "
        f"{result.best_val_loss_nats:.3f} nats at step {result.best_step} of {result.n_steps}"
    )


if __name__ == "__main__":
    adapter.run(main)
