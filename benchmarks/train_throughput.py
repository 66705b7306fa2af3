"""Training on a CPU: TRL's SFTTrainer and the project's, on the same examples.

Every variant runs in a separate process (peak memory belongs to a process). Quote ratios from a
single run: machine speed drifts. The project's trainer groups examples by length, so its loss curve
is for other batches than TRL's; with dropout, each variant draws its own masks.

    python -m benchmarks.train_throughput --calls FOLDER_OF_ECTSUM [--dropout 0]

Without `--calls` the examples are random tokens of the same lengths.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.timed_training import MODEL, SETTINGS, adapted, step_seconds

VARIANTS = {  # attention, lean LoRA, loss at labels, fused layers, autocast
    "trl": ("sdpa", False, False, False, True),
    "trl, no autocast": ("sdpa", False, False, False, False),
    "loss at labels": ("sdpa", False, True, False, False),
    "+ lean LoRA, matmul": ("matmul", True, True, False, False),
    "fused layers": ("matmul", True, True, True, False),
}


def examples(calls: str, n: int, max_tokens: int) -> list[dict[str, list[int]]]:
    """Return token ids and completion masks of n examples, drafted from calls or random."""
    import numpy as np

    if not calls:
        rng = np.random.default_rng(1)
        lengths = rng.integers(max_tokens // 2, max_tokens, n)
        answers = rng.integers(16, 96, n)
        return [
            {
                "input_ids": rng.integers(5, 40_000, length).tolist(),
                "completion_mask": [0] * (length - answer) + [1] * answer,
            }
            for length, answer in zip(lengths.tolist(), answers.tolist(), strict=True)
        ]
    from finllm.corpus import ectsum
    from finllm.instruct import chat
    from finllm.instruct.examples import Budget, candidates
    from finllm.languages.lexicon import load_lexicon
    from finllm.model.tokenizer import load_tokenizer
    from finllm.model.weights import model_folder
    from finllm.records import Example, Reject

    tokenizer = load_tokenizer(model_folder("", **MODEL), revision="")
    system = "You are a financial analyst. Use only figures from the call."

    def count(texts: list[str]) -> list[int]:
        return [len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]

    def render(instruction: str, excerpt: str) -> str:
        return chat.render_prompt(
            tokenizer, system_prompt=system, instruction=instruction, excerpt=excerpt
        )

    budget = Budget(
        lambda texts: count(texts) if texts else [],
        lambda instruction, excerpt: count([render(instruction, excerpt)])[0],
        max_tokens,
        96,
        "rule",
    )
    rng, lexicon = np.random.default_rng(1), load_lexicon("")
    rows: list[dict[str, list[int]]] = []
    for record in ectsum.read(Path(calls), source="ectsum", encoding="utf-8"):
        if isinstance(record, Reject):
            continue
        drafts = candidates(record[0], lexicon=lexicon, budget=budget, paraphrases=True, rng=rng)
        for draft in drafts:
            if isinstance(draft, Example) and draft.template == "summarization":
                row = chat.encode_example(
                    tokenizer, render(draft.instruction, draft.excerpt), draft.answer
                )
                mask = [int(i >= row.n_prompt) for i in range(len(row.input_ids))]
                rows.append({"input_ids": row.input_ids, "completion_mask": mask})
        if len(rows) >= n:
            return rows[:n]
    raise ValueError(f"--calls: {calls} gives {len(rows)} examples, {n} are needed")


def run_variant(
    name: str, rows: list[dict], batch: int, accumulation: int, dropout: float, dtype: str
) -> dict[str, object]:
    """Return tokens per second, losses and peak memory of one variant."""
    import warnings

    import torch
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    from finllm.model.fused import FusedLlama
    from finllm.model.process_memory import peak_memory_gb
    from finllm.model.tokenizer import load_tokenizer
    from finllm.model.weights import model_folder
    from finllm.training.trainer import LabelledLossTrainer

    warnings.filterwarnings("ignore")
    kernel, lean, labelled, fused, autocast = VARIANTS[name]
    folder = model_folder("", **MODEL)
    model = adapted(folder, dtype=dtype, kernel=kernel, lean=lean, dropout=dropout)
    with tempfile.TemporaryDirectory() as scratch:
        arguments = SFTConfig(
            output_dir=scratch,
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=accumulation,
            learning_rate=2e-4,
            bf16=autocast and dtype == "bfloat16",
            use_cpu=not torch.cuda.is_available(),
            completion_only_loss=True,
            **SETTINGS,
        )
        kind = LabelledLossTrainer if labelled else SFTTrainer
        trainer = kind(
            model=model,
            args=arguments,
            train_dataset=Dataset.from_list(rows),
            processing_class=load_tokenizer(folder, revision=""),
        )
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
        if fused:
            trainer.fused = FusedLlama(model)
        times = step_seconds(trainer)
    per_step = batch * accumulation
    tokens = [
        sum(len(row["input_ids"]) for row in rows[at : at + per_step])
        for at in range(0, len(rows), per_step)
    ]
    speeds = [n / seconds for n, seconds in zip(tokens, times, strict=True)]
    return {
        "tokens_per_second": statistics.median(speeds[1:] or speeds),
        "with_first_step": sum(tokens) / sum(times),
        "peak_memory_gb": peak_memory_gb(),
        "losses": [round(row["loss"], 4) for row in trainer.state.log_history if "loss" in row],
        "n_tokens": sum(tokens),
    }


def compute_dtype(asked: str) -> str:
    """Return the compute type, with ``auto`` resolved for this machine."""
    from finllm.model.compute_type import multiplies_bfloat16

    return asked if asked != "auto" else ("bfloat16" if multiplies_bfloat16() else "float32")


def product_limit(mean_length: float, dtype: str) -> float:
    """Return the tokens per second if a step were only matrix products at this machine's peak.

    A token costs 2 operations per weight in the forward pass and 2 in the backward pass (the
    weights are frozen), and attention 12 * length * hidden per layer, halved because it is causal,
    with 106.2 million weights in linear layers and 30 layers of width 576. The head is left out,
    because it is computed at labelled positions only.
    """
    import torch

    a = torch.randn(2048, 2048).to(getattr(torch, dtype))
    best = 0.0
    for _ in range(20):
        started = time.perf_counter()
        a @ a
        best = max(best, 2 * 2048**3 / (time.perf_counter() - started))
    return best / (4 * 106.2e6 + 12 * mean_length * 576 * 30 / 2)


def main() -> None:
    """Run the variants and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", default="", help="a folder of ECTSum with train/ or ects/")
    parser.add_argument("--examples", type=int, default=160)
    parser.add_argument("--max-tokens", type=int, default=512)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--accumulation", type=int, default=8)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--variant", choices=list(VARIANTS), nargs="*", default=list(VARIANTS))
    parser.add_argument("--dtype", default="auto", choices=["auto", "bfloat16", "float32"])
    parser.add_argument("--rows", help=argparse.SUPPRESS)
    flags = parser.parse_args()
    dtype = compute_dtype(flags.dtype)
    if flags.rows:  # in a separate process
        rows = json.loads(Path(flags.rows).read_text())
        sizes = flags.batch, flags.accumulation, flags.dropout
        found = run_variant(flags.variant[0], rows, *sizes, dtype)
        print(json.dumps(found))
        return
    rows = examples(flags.calls, flags.examples, flags.max_tokens)
    mean_length = statistics.mean(len(row["input_ids"]) for row in rows)
    limit = product_limit(mean_length, dtype)
    print(f"{len(rows)} examples of {mean_length:.0f} tokens, in {dtype}; ", end="")
    print(f"product limit {limit:.0f} tokens/s")
    results = {}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(rows, file)
        file.flush()
        for name in flags.variant:
            command = [sys.executable, "-m", "benchmarks.train_throughput", "--rows", file.name]
            command += ["--variant", name, "--batch", str(flags.batch)]
            command += ["--dtype", dtype, "--accumulation", str(flags.accumulation)]
            command += ["--dropout", str(flags.dropout)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            results[name] = json.loads(done.stdout.splitlines()[-1])
            print(f"{name}: {results[name]}", flush=True)
    first, whole = (
        next(iter(results.values()))[key] for key in ("tokens_per_second", "with_first_step")
    )
    print(
        f"{'variant':<22}{'tokens/s':>9}{'ratio':>7}{'with 1st':>9}{'ratio':>7}"
        f"{'of limit':>9}{'peak GB':>8}{'last loss':>10}"
    )
    for name, row in results.items():
        speed = row["tokens_per_second"]
        print(
            f"{name:<22}{speed:>9.0f}{speed / first:>7.2f}"
            f"{row['with_first_step']:>9.0f}{row['with_first_step'] / whole:>7.2f}"
            f"{speed / limit:>9.2f}"
            f"{row['peak_memory_gb']:>8.2f}{row['losses'][-1]:>10.4f}"
        )
    print(json.dumps({"dtype": dtype, "limit_tokens_per_second": limit, "variants": results}))


if __name__ == "__main__":
    main()
