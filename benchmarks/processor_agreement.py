"""Agreement of greedy answers between kinds of processors.

The answers are computed with all instructions of this processor, and as on lesser processors: ATen,
oneDNN, MKL and this project's kernels are told not to use the instructions that those lack. Each
run is a separate process, because libraries read these limits only once. After the first difference
two answers are different texts, so tokens count as agreeing only up to it. The reference is this
processor's answers in float32.

    python -m benchmarks.processor_agreement --examples data/split/test.jsonl
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.generate_throughput import MODEL, prompts

LIMITS = (
    "ATEN_CPU_CAPABILITY",
    "ONEDNN_MAX_CPU_ISA",
    "MKL_ENABLE_INSTRUCTIONS",
    "NUMBA_CPU_NAME",
)
KINDS = {
    "native": (),
    "avx512_bf16": ("avx512", "AVX512_CORE_BF16", "AVX512", "cooperlake"),
    "avx512": ("avx512", "AVX512_CORE", "AVX512", "skylake-avx512"),
    "avx2": ("avx2", "AVX2", "AVX2", "haswell"),
}
DTYPES = ("bfloat16", "float32")


def answered(flags: argparse.Namespace) -> dict[str, object]:
    """Return the answers of this process in the requested type."""
    from finllm.answering.generate import answers
    from finllm.instruct import chat
    from finllm.model import arithmetic
    from finllm.model.adapter import with_adapter
    from finllm.model.loading import load_base
    from finllm.model.tokenizer import load_tokenizer
    from finllm.model.weights import model_folder

    folder = model_folder("", **MODEL)
    tokenizer = load_tokenizer(folder, revision="")
    model = load_base(
        folder,
        revision="",
        quantization="none",
        double_quantization=False,
        compute_dtype=flags.child,
        attention_kernel="matmul",
    ).eval()
    if flags.adapter:
        model = with_adapter(model, flags.adapter, merge=True)
    ids = prompts(tokenizer, flags.examples, flags.prompts)
    started = time.perf_counter()
    rows = answers(
        model,
        ids,
        max_new_tokens=flags.new,
        stop_ids=chat.stop_ids(tokenizer),
        pad_id=tokenizer.pad_token_id,
        batch_size=len(ids),
    )
    found = {row.index: row.ids for row in rows}
    return {
        "processor": arithmetic.processor_in_words(),
        "seconds": time.perf_counter() - started,
        "ids": [found[i] for i in range(len(ids))],
    }


def asked(kind: str, dtype: str, given: list[str]) -> dict[str, object]:
    """Return the answers of another process under the limits of a kind of processor."""
    limits = dict(zip(LIMITS, KINDS[kind], strict=False))
    if kind != "native":
        limits["NUMBA_CPU_FEATURES"] = ""  # otherwise Numba adds the host's features
    words = [sys.executable, "-m", "benchmarks.processor_agreement", "--child", dtype, *given]
    done = subprocess.run(
        words, env={**os.environ, **limits}, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Generate under every kind and type, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=Path, help="an examples file of the split stage")
    parser.add_argument(
        "--adapter", type=Path, help="adapter of the tuned model; default: the base"
    )
    parser.add_argument("--prompts", type=int, default=16, help="number of prompts")
    parser.add_argument("--new", type=int, default=96, help="maximum new tokens per answer")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=list(DTYPES))
    parser.add_argument("--child", choices=DTYPES, help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.child:
        print(json.dumps(answered(flags)))
        return
    from finllm.model.export_formats import greedy_agreement

    given = ["--prompts", str(flags.prompts), "--new", str(flags.new)]
    for name in ("examples", "adapter"):
        path = vars(flags)[name]
        given += [f"--{name}", str(path)] if path else []
    found = {
        (kind, dtype): asked(kind, dtype, given)
        for dtype, kind in itertools.product(flags.dtypes, flags.kinds)
    }
    rows = []
    print(f"{'type':9} {'limit':12} {'answers':>8} {'tokens':>7} {'answers':>8} {'tokens':>7}  as")
    for (kind, dtype), run in found.items():
        first = found[flags.kinds[0], dtype]["ids"]
        exact = found[flags.kinds[0], "float32"]["ids"] if "float32" in flags.dtypes else first
        alike, to_exact = greedy_agreement(first, run["ids"]), greedy_agreement(exact, run["ids"])
        rows.append(
            {
                "dtype": dtype,
                "kind": kind,
                "processor": run["processor"],
                "seconds": run["seconds"],
                "same_answers": alike.exact_share,
                "same_tokens": alike.token_share,
                "same_answers_as_float32": to_exact.exact_share,
                "same_tokens_as_float32": to_exact.token_share,
            }
        )
        print(
            f"{dtype:9} {kind:12} {alike.exact_share:8.0%} {alike.token_share:7.1%} "
            f"{to_exact.exact_share:8.0%} {to_exact.token_share:7.1%}  {run['processor']}"
        )
    print(
        f"Share equal to {flags.kinds[0]} in the same type, then to {flags.kinds[0]} in float32; "
        f"{flags.prompts} prompts, at most {flags.new} new tokens."
    )
    print(json.dumps({"prompts": flags.prompts, "new": flags.new, "rows": rows}))


if __name__ == "__main__":
    main()
