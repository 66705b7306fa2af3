"""Preference tuning on a CPU: TRL's DPOTrainer and the project's, on the same pairs.

Every variant runs in a separate process (peak memory belongs to a process). The pairs are random
tokens, two answers per prompt, or with ``--stage`` the training pairs that the stage ``prefer``
made last. They come in the same order and without dropout, so that losses can be compared step by
step. In bfloat16 they differ by rounding: answers of random tokens have log-probabilities of
hundreds of nats, and TRL keeps the adapter itself in bfloat16. In float32 they are the same. Quote
ratios from a single run: machine speed drifts.

    python -m benchmarks.preference_throughput [--pairs 64] [--method dpo] [--stage]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.timed_training import MODEL, SETTINGS, adapted, step_seconds
from benchmarks.train_throughput import compute_dtype

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase, Trainer

OWN = "fused layers"
VARIANTS = ("trl", "trl, reference before", OWN)
PAIRS, EXAMPLES = Path("data/prefer/pairs.jsonl"), Path("data/split/train.jsonl")


def pairs(n: int, max_tokens: int) -> list[dict[str, list[int]]]:
    """Return prompts with two answers each, made of random tokens."""
    import numpy as np

    rng = np.random.default_rng(1)
    found = []
    for _ in range(n):
        sizes = (int(rng.integers(max_tokens // 2, max_tokens - 96)), *rng.integers(16, 96, 2))
        ids = [rng.integers(5, 40_000, size).tolist() for size in sizes]
        found.append(dict(zip(("prompt_ids", "chosen_ids", "rejected_ids"), ids, strict=True)))
    return found


def stage_pairs(n: int) -> list[dict[str, list[int]]]:
    """Return at most ``n`` training pairs of the stage ``prefer``, as it encodes them."""
    from finllm.model.tokenizer import load_tokenizer
    from finllm.model.weights import model_folder
    from finllm.preference.encoding import encode_pairs
    from finllm.preference.pairs import read_pairs
    from finllm.records import read_examples
    from finllm.settings.params import load_params

    made = [pair for pair in read_pairs(PAIRS) if pair.part == "train"][:n]
    if not made:
        raise SystemExit(f"{PAIRS} holds no pairs: run the stage with -S prefer.method=dpo first")
    tokenizer = load_tokenizer(model_folder("", **MODEL), revision="")
    system = load_params(Path("params.yaml")).templatize.system_prompt
    return [
        {"prompt_ids": row.prompt, "chosen_ids": row.answers[0], "rejected_ids": row.answers[1]}
        for row in encode_pairs(tokenizer, made, read_examples(EXAMPLES), system)
    ]


def run_variant(
    name: str, rows: Sequence[dict], *, method: str, beta: float, batch: int, dtype: str
) -> dict[str, object]:
    """Return pairs per second, losses and peak memory of one variant."""
    import warnings

    warnings.filterwarnings("ignore")
    from finllm.model.process_memory import peak_memory_gb
    from finllm.model.tokenizer import load_tokenizer
    from finllm.model.weights import model_folder

    folder = model_folder("", **MODEL)
    own = name == OWN
    kernel = "matmul" if own else "sdpa"
    model = adapted(folder, dtype=dtype, kernel=kernel, lean=own, dropout=0.0)
    tokenizer = load_tokenizer(folder, revision="")
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        settings = {
            **SETTINGS,
            "output_dir": scratch,
            "per_device_train_batch_size": batch,
            "learning_rate": 1e-4,
            "bf16": False,
            "use_cpu": True,
        }
        if own:
            trainer = _own(model, tokenizer, rows, settings, method, beta)
        else:
            settings["precompute_ref_log_probs"] = name == "trl, reference before"
            trainer = _stock(model, tokenizer, rows, settings, method, beta)
        prepared = time.perf_counter() - started
        times = step_seconds(trainer)
    speeds = [batch / seconds for seconds in times]
    return {
        "pairs_per_second": statistics.median(speeds[1:] or speeds),
        "with_reference": len(rows) / (prepared + sum(times)),
        "peak_memory_gb": peak_memory_gb(),
        "losses": [row["loss"] for row in trainer.state.log_history if "loss" in row],
    }


def _stock(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[dict],
    settings: Mapping,
    method: str,
    beta: float,
) -> Trainer:
    """Return TRL's trainer on token ids, changed so that it does not prepare the data again."""
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    from finllm.preference.losses import TRL_NAMES

    class Encoded(DPOTrainer):
        def _prepare_dataset(self, dataset: Dataset, *_: object) -> Dataset:
            return dataset

    return Encoded(
        model=model,
        args=DPOConfig(loss_type=[TRL_NAMES[method]], beta=beta, **settings),
        train_dataset=Dataset.from_list(list(rows)),
        processing_class=tokenizer,
    )


def _own(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[dict],
    settings: Mapping,
    method: str,
    beta: float,
) -> Trainer:
    """Return the project's trainer, with the reference's log-probabilities in its data set."""
    from trl import SFTConfig

    from finllm.preference.encoding import EncodedPair
    from finllm.preference.losses import PreferenceLoss
    from finllm.preference.trainer import new_trainer, with_reference

    encoded = [
        EncodedPair(row["prompt_ids"], (row["chosen_ids"], row["rejected_ids"])) for row in rows
    ]
    trainer = new_trainer(model, tokenizer, encoded, encoded[:1], SFTConfig(**settings), [])
    trainer.preference = PreferenceLoss(method, beta=beta, margin=0.0)
    trainer.train_dataset = with_reference(trainer, encoded, "tuned")
    return trainer


def main() -> None:
    """Run the variants and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=64)
    parser.add_argument("--max-tokens", type=int, default=384)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--method", choices=["dpo", "ipo"], default="dpo")
    parser.add_argument("--beta", type=float, default=0.1)
    parser.add_argument("--variant", choices=VARIANTS, nargs="*", default=list(VARIANTS))
    parser.add_argument("--dtype", default="auto", choices=["auto", "bfloat16", "float32"])
    parser.add_argument("--stage", action="store_true", help=f"the pairs in {PAIRS}")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.max_tokens < 200:
        parser.error("--max-tokens must be at least 200: answers have up to 95, prompts the rest")
    dtype = compute_dtype(flags.dtype)
    rows = stage_pairs(flags.pairs) if flags.stage else pairs(flags.pairs, flags.max_tokens)
    if flags.alone:  # in a separate process
        found = run_variant(
            flags.variant[0],
            rows,
            method=flags.method,
            beta=flags.beta,
            batch=flags.batch,
            dtype=dtype,
        )
        print(json.dumps(found))
        return
    n_prompt = sum(len(row["prompt_ids"]) for row in rows)
    n_twice = 2 * n_prompt + sum(len(row["chosen_ids"]) + len(row["rejected_ids"]) for row in rows)
    print(
        f"{len(rows)} pairs in {dtype}, {n_twice / len(rows):.0f} tokens a pair; with the prompt "
        f"read once {(n_twice - n_prompt) / len(rows):.0f}"
    )
    results = {}
    for name in flags.variant:
        command = [sys.executable, "-m", "benchmarks.preference_throughput", "--alone"]
        command += ["--variant", name, "--pairs", str(flags.pairs), "--batch", str(flags.batch)]
        command += ["--max-tokens", str(flags.max_tokens), "--method", flags.method]
        command += ["--beta", str(flags.beta), "--dtype", dtype]
        command += ["--stage"] if flags.stage else []
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        results[name] = json.loads(done.stdout.splitlines()[-1])
    first = next(iter(results.values()))
    print(
        f"{'variant':<24}{'pairs/s':>8}{'ratio':>7}{'with ref.':>10}{'ratio':>7}{'peak GB':>8}"
        f"{'mean loss':>10}{'off':>7}{'most off':>9}"
    )
    for name, row in results.items():
        losses = list(zip(row["losses"], first["losses"], strict=True))
        mean, of_first = (statistics.mean(one) for one in zip(*losses, strict=True))
        row["mean_loss_off"] = mean / of_first - 1
        row["most_off"] = max(abs(own / stock - 1) for own, stock in losses)
        print(
            f"{name:<24}{row['pairs_per_second']:>8.2f}"
            f"{row['pairs_per_second'] / first['pairs_per_second']:>7.2f}"
            f"{row['with_reference']:>10.2f}"
            f"{row['with_reference'] / first['with_reference']:>7.2f}{row['peak_memory_gb']:>8.2f}"
            f"{mean:>10.4f}{row['mean_loss_off']:>7.2%}{row['most_off']:>9.2%}"
        )
    print(json.dumps({"dtype": dtype, "method": flags.method, "variants": results}))


if __name__ == "__main__":
    main()
