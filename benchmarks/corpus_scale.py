"""Time and peak memory of clean, filter, templatize and split on many fictional calls.

    python -m benchmarks.corpus_scale --sizes 1000 10000 100000 --results docs/results/corpus-scale

This writes corpus-scale.csv and corpus-scale.svg after every stage, so that an interrupted run
keeps its measurements; the next run keeps complete sizes and measures the others again. Each stage
runs as in the pipeline, with its worker processes. Memory is the maximum of the sum of their
proportional set sizes (shared pages count once), sampled four times per second. CPU seconds are
summed over all processes; on a busy machine only these are comparable. Time is linear if CPU
milliseconds per call stay constant. The slope is that of log CPU seconds on log calls: 1 if linear,
and lower while starting the processes still matters.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
CALLS_PER_COMPANY = 10
COLUMNS = ("calls", "stage", "wall_seconds", "cpu_seconds", "peak_mb", "ms_a_call")
PATHS = {
    "sample": "--folder data/raw/sample --german data/raw/sample_de",
    "clean": "--source data/raw/sample --transfer data/raw/none "
    "--transcripts data/clean/transcripts.jsonl --rejects data/clean/rejects.jsonl "
    "--metrics metrics/details/clean.json",
    "filter": "--transcripts data/clean/transcripts.jsonl --ratings data/review/ratings "
    "--kept data/filter/kept.jsonl --dropped data/filter/dropped.jsonl "
    "--trimmed data/filter/trimmed.jsonl --groups data/filter/groups.json "
    "--review data/review/sample.csv --plots plots/corpus --metrics metrics/details/filter.json",
    "templatize": "--kept data/filter/kept.jsonl --examples data/templatize/examples.jsonl "
    "--rejects data/templatize/rejects.jsonl --metrics metrics/details/templatize.json",
    "split": "--examples data/templatize/examples.jsonl --groups data/filter/groups.json "
    "--folder data/split --metrics metrics/details/split.json",
}


def run_stage(name: str, folder: Path) -> dict[str, float]:
    """Run one stage in a folder; return its wall and CPU seconds and its peak memory in MB.

    Raises
    ------
    ValueError
        If the stage fails, with the end of its stderr.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", f"stages.{name}", *PATHS[name].split()]
    started = time.perf_counter()
    with open(folder / "stderr", "w+") as errors:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=errors
        )
        peak = Peak(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise ValueError(f"stage {name} failed in {folder}: {errors.read()[-500:]}")
    return {
        "wall_seconds": wall,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mb": max(peak.stop(), usage.ru_maxrss / 1024),
    }


class Peak:
    """Peak memory of a process and its descendants, sampled from another thread."""

    def __init__(self, pid: int) -> None:
        self._pid, self._peak_mb, self._done = pid, 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """Stop sampling and return the peak in MB, or 0 if the system has no /proc."""
        self._done.set()
        self._thread.join()
        return self._peak_mb

    def _watch(self) -> None:
        while not self._done.wait(0.25):
            self._peak_mb = max(self._peak_mb, sum(map(_mb, _tree(self._pid))))


def _tree(pid: int) -> list[int]:
    """Return the ids of a process and its descendants."""
    found = [pid]
    for one in found:
        for file in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += map(int, file.read_text().split())
            except OSError:  # ended meanwhile
                continue
    return found


def _mb(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    match = re.search(r"^Pss:\s+(\d+) kB", text, re.M)
    return int(match[1]) / 1024 if match else 0.0


def write_params(folder: Path, n_calls: int) -> None:
    """Write the project's params.yaml with a larger sample and without caps on the sets."""
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    text = re.sub(r"n_calls: \d+", f"n_calls: {n_calls}", text)
    text = re.sub(r"n_companies: \d+", f"n_companies: {max(8, n_calls // CALLS_PER_COMPANY)}", text)
    text = re.sub(r"(max_(?:train|val|test|transfer)_examples): \d+", r"\1: 0", text)
    (folder / "params.yaml").write_text(text, encoding="utf-8")


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of an earlier run's table, for the sizes that it completed."""
    if not path.is_file():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    sizes = [row["calls"] for row in rows]
    return [row for row in rows if sizes.count(row["calls"]) == len(PATHS)]


def write_table(path: Path, rows: list[dict[str, str]]) -> None:
    """Write the rows as CSV, ordered by size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: int(row["calls"])))


def points(rows: list[dict[str, str]], stage: str, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a stage's numbers of calls in ascending order, and its values of ``key``."""
    pairs = sorted((int(r["calls"]), float(r[key])) for r in rows if r["stage"] == stage)
    calls, values = zip(*pairs, strict=True) if pairs else ((), ())
    return np.array(calls, dtype=float), np.array(values, dtype=float)


def slope(rows: list[dict[str, str]], stage: str) -> float:
    """Return the slope of log CPU seconds on log calls.

    It is that between the two largest sizes; NaN if there is only one size.
    """
    calls, seconds = points(rows, stage, "cpu_seconds")
    if calls.size < 2:
        return float("nan")
    return float(np.diff(np.log(seconds))[-1] / np.diff(np.log(calls))[-1])


def plot(rows: list[dict[str, str]], path: Path) -> None:
    """Plot CPU seconds and peak memory by the number of calls, on logarithmic axes."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "corpus-scale"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    for axis, key, label in zip(
        axes, ("cpu_seconds", "peak_mb"), ("CPU seconds", "peak memory (MB)"), strict=True
    ):
        for stage in PATHS:
            calls, values = points(rows, stage, key)
            if calls.size:
                axis.loglog(calls, values, "o-", label=stage)
        axis.set(xlabel="calls", ylabel=label)
    axes[1].axhline(2048, color="grey", linestyle=":", label="2 GB")
    largest = max(int(row["calls"]) for row in rows)
    smallest = min(int(row["calls"]) for row in rows)
    top = max(float(row["cpu_seconds"]) for row in rows)
    axes[0].loglog(
        [smallest, largest], [top * smallest / largest, top], color="grey", linestyle=":",
        label="linear",
    )  # fmt: skip
    for axis in axes:
        axis.legend()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def measure(n_calls: int, rows: list[dict[str, str]], results: Path) -> None:
    """Measure all stages on ``n_calls`` fictional calls, in a temporary folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_params(folder, n_calls)
        for stage in PATHS:
            found = run_stage(stage, folder)
            found["ms_a_call"] = 1000 * found["cpu_seconds"] / n_calls
            texts = {key: f"{value:.2f}" for key, value in found.items()}
            rows.append({"calls": str(n_calls), "stage": stage, **texts})
            print(
                f"{n_calls:8} {stage:11}" + "".join(f"{t:>10}" for t in texts.values()), flush=True
            )
            write_table(results.with_suffix(".csv"), rows)
            plot(rows, results.with_suffix(".svg"))


def main() -> None:
    """Measure, print a table, plot, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument(
        "--results", type=Path, default=ROOT / "docs/results/corpus-scale", help="without suffix"
    )
    arguments = parser.parse_args()
    rows = read_rows(arguments.results.with_suffix(".csv"))
    print(f"{'calls':>8} {'stage':11}{'wall s':>10}{'CPU s':>10}{'peak MB':>10}{'ms/call':>10}")
    for n_calls in arguments.sizes:
        if str(n_calls) not in {row["calls"] for row in rows}:
            measure(n_calls, rows, arguments.results)
    slopes = {stage: slope(rows, stage) for stage in PATHS}
    print("slopes: " + ", ".join(f"{stage} {value:.2f}" for stage, value in slopes.items()))
    print(json.dumps({"rows": rows, "slopes": {k: v for k, v in slopes.items() if v == v}}))


if __name__ == "__main__":
    main()
