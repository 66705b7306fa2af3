"""The table of benchmarks/processors.sh, from the last lines of its two benchmarks."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

KINDS = {
    "avx2": "AVX2",
    "avx512": "AVX-512, no bfloat16",
    "avx512_bf16": "AVX512-BF16, no AMX",
    "native": "native",
}
HEADS = ("type", "train tok/s", "SFTTrainer", "of limit", "peak GB", "new tok/s", "generate")


def processor_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's name, or "" if the system does not give it."""
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    return next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), "")


def row(train: dict, generate: dict) -> dict[str, object]:
    """Return the figures of one kind of processor."""
    stock, own = train["variants"]["trl"], train["variants"]["fused layers"]
    speeds = {name: found["new_tokens_per_second"] for name, found in generate.items()}
    best = max(speed for name, speed in speeds.items() if name.startswith("generate,"))
    fused = max(speed for name, speed in speeds.items() if name.startswith("fused"))
    continuous = [speed for name, speed in speeds.items() if name.startswith("generate_batch")]
    return {
        "compute_dtype": train["dtype"],
        "train_tokens_per_second": own["tokens_per_second"],
        "times_sft_trainer": own["tokens_per_second"] / stock["tokens_per_second"],
        "times_sft_trainer_with_first_step": own["with_first_step"] / stock["with_first_step"],
        "share_of_limit": own["tokens_per_second"] / train["limit_tokens_per_second"],
        "train_peak_memory_gb": own["peak_memory_gb"],
        "new_tokens_per_second": fused,
        "times_generate": fused / best,
        "times_generate_batch": fused / max(continuous) if continuous else None,
    }


def main() -> None:
    """Print the table for a folder of results, and the same as JSON."""
    folder = Path(sys.argv[1])
    found = {
        kind: row(
            *(
                json.loads((folder / f"{kind}.{what}.json").read_text(encoding="utf-8"))
                for what in ("train", "generate")
            )
        )
        for kind in KINDS
        if (folder / f"{kind}.generate.json").is_file()
    }
    print(f"{processor_name()}, {os.cpu_count()} processors")
    print(f"{'':<22}" + "".join(f"{head:>12}" for head in HEADS))
    for kind, one in found.items():
        cells = (
            one["compute_dtype"],
            f"{one['train_tokens_per_second']:.0f}",
            f"x {one['times_sft_trainer']:.2f}",
            f"{one['share_of_limit']:.0%}",
            f"{one['train_peak_memory_gb']:.1f}",
            f"{one['new_tokens_per_second']:.0f}",
            f"x {one['times_generate']:.2f}",
        )
        print(f"{KINDS[kind]:<22}" + "".join(f"{cell:>12}" for cell in cells))
    print(json.dumps({"processor": processor_name(), "kinds": found}))


if __name__ == "__main__":
    main()
