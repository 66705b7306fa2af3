"""Fit a LoRA adapter on the training set and keep the best one by validation loss."""

import argparse
import contextlib
import os
import sys
import tempfile

from finllm.instruct import chat
from finllm.model.adapter import save_adapter
from finllm.model.loading import add_lora, load_base
from finllm.model.memory import peak_memory_gb
from finllm.model.tokenizer import load_tokenizer
from finllm.model.weights import file_sha256, model_folder
from finllm.params import Params
from finllm.records import Example, read_examples, write_json
from finllm.training import launch
from finllm.training.checkpoints import checkpoint_root, run_folder
from finllm.training.curves import LiveCurves, open_live
from finllm.training.distributed import full_adapter, shard_on_cpu, share_held
from finllm.training.mishaps import memory_explained
from finllm.training.resume import Checkpointer
from finllm.training.trainer import fit, reloaded_val_loss, training_arguments
from stages import adapter


def main() -> None:
    """Train in this process, or in one process a device."""
    at = adapter.paths("train", "val", "launchers", "adapter", "curves", "metrics")
    params = adapter.params()
    n = launch.n_processes(params.train.launcher, params.train.devices)
    if n > 1 and not launch.launched():
        config = at.launchers / f"{params.train.launcher}.yaml"
        launch.launch("stages.train", sys.argv[1:], config=config, n=n)
        return
    with launch.one_voice():
        train_adapter(at, params)


def train_adapter(at: argparse.Namespace, params: Params) -> None:
    """Load, train, save."""
    m, p = params.model, params.train
    sharded = p.launcher == launch.FSDP and launch.launched()
    folder = model_folder(m.name, gguf_package=m.gguf_package, gguf_file=m.gguf_file)
    tokenizer = load_tokenizer(folder, revision=m.revision)

    def encode(example: Example) -> chat.Encoded:
        prompt = chat.render_prompt(
            tokenizer,
            system_prompt=params.templatize.system_prompt,
            instruction=example.instruction,
            excerpt=example.excerpt,
        )
        return chat.encode_example(tokenizer, prompt, example.answer)

    train = [encode(example) for example in read_examples(at.train)]
    val = [encode(example) for example in read_examples(at.val)]
    batch = p.batch_size * p.accumulation * launch.n_launched()
    run = run_folder(
        checkpoint_root(),
        settings={
            "model": vars(m),
            "lora": vars(params.lora),
            "train": {**vars(p), "checkpoint_every": 0},  # does not change the result
        },
        sets={"train": train, "val": val},
    )
    whole = not launch.launched() or p.launcher == launch.DDP  # the optimizer, in one process
    checkpointer = Checkpointer(run, every=p.checkpoint_every) if whole else None
    memory = memory_explained(train, p.batch_size, gradient_checkpointing=p.gradient_checkpointing)
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
            n_devices=launch.n_launched(),
        )
        if sharded:
            shard_on_cpu()
        model = load_base(
            folder,
            revision=m.revision,
            quantization=m.quantization,
            double_quantization=m.double_quantization,
            compute_dtype=m.compute_dtype,
            attention_kernel=m.attention,
            sharded=sharded,
        )
        model = add_lora(
            model,
            **{key: value for key, value in vars(params.lora).items()},
            gradient_checkpointing=p.gradient_checkpointing,
            seed=p.seed,
        )
        print(f"train: effective batch {batch}, {arguments.max_steps} steps")
        with contextlib.ExitStack() as stack:
            callbacks = []
            if launch.is_main():
                callbacks = [LiveCurves(stack.enter_context(open_live(str(at.curves))))]
            result = fit(
                model,
                tokenizer,
                train=train,
                val=val,
                arguments=arguments,
                patience=p.early_stopping_patience,
                min_improvement=p.early_stopping_min_improvement,
                callbacks=callbacks,
                checkpointer=checkpointer,
            )
        weights = full_adapter(model)  # every process takes part
        if launch.launched():
            held = f"each with {share_held(model):.0%} of the weights"
            print(f"train: {launch.n_launched()} processes ({p.launcher}), {held}")
        if launch.is_main():
            save_adapter(model, at.adapter, base_name=m.name, revision=m.revision, weights=weights)
        launch.wait_for_all()
        reloaded_val_loss_nats = reloaded_val_loss(
            model,
            tokenizer,
            at.adapter,
            val=val,
            arguments=arguments,
            expected=result.best_val_loss_nats,
        )
    if not launch.is_main():
        return
    write_json(
        at.metrics,
        {
            "n_train_examples": len(train),
            "n_val_examples": len(val),
            "effective_batch_size": batch,
            "n_steps": result.n_steps,
            "n_train_tokens": result.n_train_tokens,
            "trainable_parameters": sum(value.numel() for value in weights.values()),
            "initial_val_loss_nats": result.initial_val_loss_nats,
            "best_val_loss_nats": result.best_val_loss_nats,
            "reloaded_val_loss_nats": reloaded_val_loss_nats,
            "best_step": result.best_step,
            "stopped_early": result.stopped_early,
            "adapter_sha256": file_sha256(at.adapter / "adapter_model.safetensors"),
            "cost": {
                "n_resumes": result.n_resumes,
                "seconds": result.seconds,
                "tokens_per_second": result.n_train_tokens / result.seconds,
                "peak_memory_gb": peak_memory_gb(),
                "adapter_mb": os.path.getsize(at.adapter / "adapter_model.safetensors") / 1e6,
            },
        },
    )
    if checkpointer:
        checkpointer.remove()
    print(
        f"train: validation loss {result.initial_val_loss_nats:.3f} -> "
        f"{result.best_val_loss_nats:.3f} nats at step {result.best_step} of {result.n_steps}"
    )


if __name__ == "__main__":
    adapter.run(main)
