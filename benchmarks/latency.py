"""Latency of single answers: base, tuned and merged, tuned and unmerged.

Each of a few prompts is answered alone (batch size 1), and all of them in one batch, where the time
of an answer runs from the start of reading its prompt to its end. Merged is how the pipeline runs
the tuned model: the adapter's product is added to the weights in the compute type. Unmerged, every
layer computes the adapter separately from its frozen weights, and fused layers cannot be used.

    python -m benchmarks.latency --adapter models/adapter --examples data/split/test.jsonl
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch

from benchmarks.generate_throughput import MODEL, load, prompts
from finllm.answering.efficiency import Stopwatch, latency, phases, time_alone
from finllm.answering.generate import answers
from finllm.instruct import chat
from finllm.model.process_memory import peak_memory_gb
from finllm.model.tokenizer import load_tokenizer
from finllm.model.weights import model_folder

WAYS = ("base", "merged", "unmerged")


def together(model: torch.nn.Module, ids: list[list[int]], settings: dict) -> dict:
    """Return the latency in one batch, the phases, and the answers."""
    watch, started, written = Stopwatch(), time.perf_counter(), {}
    for row in answers(model, ids, batch_size=len(ids), on_read=watch.read, **settings):
        watch.ended(row.index)
        written[row.index] = row.ids
    seconds = time.perf_counter() - started
    return {
        **latency(list(watch.seconds.values())),
        **phases(
            watch,
            seconds=seconds,
            prompt_tokens=list(map(len, ids)),
            new_tokens=list(map(len, written.values())),
        ),
        "texts": [written[i] for i in range(len(ids))],
    }


def main() -> None:
    """Time each variant and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--adapter", type=Path, default=Path("models/adapter"))
    parser.add_argument("--examples", type=Path, help="an examples file of the split stage")
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--new", type=int, default=96)
    flags = parser.parse_args()
    tokenizer = load_tokenizer(model_folder("", **MODEL), revision="")
    ids = prompts(tokenizer, flags.examples, flags.prompts)
    settings = {
        "max_new_tokens": flags.new,
        "stop_ids": chat.stop_ids(tokenizer),
        "pad_id": tokenizer.pad_token_id,
    }
    found = {}
    for way in WAYS:
        adapter = None if way == "base" else flags.adapter
        model = load("matmul", adapter, merge=way == "merged")
        list(answers(model, ids[:1], batch_size=1, **{**settings, "max_new_tokens": 2}))  # warm
        found[way] = {
            "alone": time_alone(model, ids, **settings),
            "in_batch": together(model, ids, settings),
            "peak_memory_gb": peak_memory_gb(),  # of the process so far
        }
    texts = {way: found[way]["in_batch"].pop("texts") for way in WAYS}
    same = [a == b for a, b in zip(texts["merged"], texts["unmerged"], strict=True)]
    print(f"{len(ids)} prompts, up to {flags.new} new tokens, {torch.get_num_threads()} threads")
    print(
        f"{'':<10}{'alone: median':>15}{'p95':>8}{'first token':>13}{'batch: median':>15}{'p95':>8}"
    )
    for way, row in found.items():
        one, many = row["alone"], row["in_batch"]
        print(
            f"{way:<10}{one['median_seconds']:>13.2f} s{one['p95_seconds']:>6.2f} s"
            f"{one['median_seconds_to_first_token']:>11.2f} s{many['median_seconds']:>13.2f} s"
            f"{many['p95_seconds']:>6.2f} s"
        )
    print(f"answers unchanged by merging: {sum(same)} of {len(same)}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
