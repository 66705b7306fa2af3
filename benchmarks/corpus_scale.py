"""Seconds and peak memory of clean, filter, templatize and split on many fictional calls.

    python -m benchmarks.corpus_scale --sizes 1000 10000 100000 --plot corpus_scale.svg

Each stage runs as the pipeline runs it, a process of its own; memory is the largest resident set of
that process. Seconds are of the wall, CPU seconds beside them: on a busy machine only the latter
can be compared. Linear means that the last column, CPU milliseconds a call, stays level.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
CALLS_PER_COMPANY = 10
PATHS = {
    "sample": "--folder data/raw/sample",
    "clean": "--source data/raw/sample --transfer data/raw/none "
    "--transcripts data/clean/transcripts.jsonl --rejects data/clean/rejects.jsonl "
    "--metrics metrics/clean.json",
    "filter": "--transcripts data/clean/transcripts.jsonl --ratings data/review/ratings "
    "--kept data/filter/kept.jsonl --dropped data/filter/dropped.jsonl "
    "--trimmed data/filter/trimmed.jsonl --groups data/filter/groups.json "
    "--review data/review/sample.csv --plots plots/corpus --metrics metrics/filter.json",
    "templatize": "--kept data/filter/kept.jsonl --examples data/templatize/examples.jsonl "
    "--rejects data/templatize/rejects.jsonl --metrics metrics/templatize.json",
    "split": "--examples data/templatize/examples.jsonl --groups data/filter/groups.json "
    "--folder data/split --metrics metrics/split.json",
}


def run_stage(name: str, folder: Path) -> dict[str, float]:
    """Run one stage in a folder; its wall and CPU seconds and its peak memory in MB.

    Raises
    ------
    ValueError
        Where the stage fails.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", f"stages.{name}", *PATHS[name].split()]
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise ValueError(f"stage {name} failed in {folder} with exit code {process.returncode}")
    return {
        "wall_seconds": time.perf_counter() - started,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
    }


def write_params(folder: Path, n_calls: int) -> None:
    """The project's own params.yaml with the sample scaled up and no cap on the sets."""
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    text = re.sub(r"n_calls: \d+", f"n_calls: {n_calls}", text)
    text = re.sub(r"n_companies: \d+", f"n_companies: {max(8, n_calls // CALLS_PER_COMPANY)}", text)
    text = re.sub(r"(max_(?:train|val|test|transfer)_examples): \d+", r"\1: 0", text)
    (folder / "params.yaml").write_text(text, encoding="utf-8")


def measure(n_calls: int) -> dict[str, dict[str, float]]:
    """All stages on ``n_calls`` fictional calls, in a folder that is deleted afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_params(folder, n_calls)
        return {stage: run_stage(stage, folder) for stage in PATHS}


def plot(results: dict[int, dict[str, dict[str, float]]], path: Path) -> None:
    """CPU seconds and peak memory by the number of calls, both axes logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    for axis, key, label in zip(
        axes, ("cpu_seconds", "peak_mb"), ("CPU seconds", "peak memory (MB)"), strict=True
    ):
        for stage in list(PATHS)[1:]:
            axis.loglog(list(results), [r[stage][key] for r in results.values()], "o-", label=stage)
        axis.set(xlabel="calls", ylabel=label)
    axes[0].legend()
    figure.savefig(path)


def main() -> None:
    """Measure, print a table, plot, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--plot", type=Path, help="an .svg or .png file to write")
    arguments = parser.parse_args()
    results = {}
    print(f"{'calls':>8} {'stage':11} {'wall s':>8} {'CPU s':>8} {'peak MB':>8} {'ms/call':>8}")
    for n_calls in arguments.sizes:
        results[n_calls] = measure(n_calls)
        for stage, row in results[n_calls].items():
            print(
                f"{n_calls:8} {stage:11} {row['wall_seconds']:8.1f} {row['cpu_seconds']:8.1f} "
                f"{row['peak_mb']:8.0f} {1000 * row['cpu_seconds'] / n_calls:8.2f}",
                flush=True,
            )
    if arguments.plot:
        plot(results, arguments.plot)
    print(json.dumps({str(size): rows for size, rows in results.items()}))


if __name__ == "__main__":
    main()
