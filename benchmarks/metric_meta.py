"""Share of cases in which each metric prefers a human summary to a corrupted copy.

python -m benchmarks.metric_meta [--calls FOLDER] [--limit N] [--seed N] [--losses METRIC]

FOLDER contains ECTSum's `ects` and `gt_summaries`. The original is compared with each corrupted
copy once per applicable rewording of the original (another notation of a figure, another word for a
direction, another form of a period): one rewording against one error. The reference is the human
summary, and the source is the call. A tie counts as a loss. A plain F-measure of the digit strings
is reported along with the metrics.
"""

from __future__ import annotations

import argparse
import json
import re
import time
import zlib
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from benchmarks.rewordings import REWORDINGS
from finllm.preference.corruptions import ERRORS
from finllm.scoring import score_example

FACTUAL = tuple(ERRORS)[:8]
OTHERS = ("another call", "previous summary")


def read_folder(folder: Path, limit: int) -> dict[str, tuple[str, str]]:
    """Return the human summary and the text of each call, by name.

    Raises
    ------
    ValueError
        If the folder has no summaries in ECTSum's layout.
    """
    found = {}
    for path in sorted((folder / "gt_summaries").glob("*.txt"))[: limit or None]:
        call = folder / "ects" / path.name
        found[path.stem] = path.read_text(encoding="utf-8"), call.read_text(encoding="utf-8")
    if not found:
        raise ValueError(f"{folder}: no gt_summaries/*.txt; give a folder in ECTSum's layout")
    return found


def previous(name: str, names: list[str]) -> str | None:
    """Return the company's call before this one; names end in a quarter and a year."""

    def when(other: str) -> tuple[str, ...]:
        company, quarter, year = other.rsplit("_", 2)
        return company, year, quarter

    older = [o for o in names if when(o)[0] == when(name)[0] and when(o) < when(name)]
    return max(older, key=when, default=None)


def corrupted(name: str, texts: dict[str, tuple[str, str]], seed: int) -> dict[str, str]:
    """Return every corruption that changes the summary, by name."""
    summary, call = texts[name]
    found = {}
    for kind, edit in ERRORS.items():
        rng = np.random.default_rng([seed, zlib.crc32(f"{name} {kind}".encode())])
        found[kind] = edit(summary, call, rng)
    names = list(texts)
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    company = name.rsplit("_", 2)[0]
    others = [other for other in names if other.rsplit("_", 2)[0] != company]
    if others:
        found["another call"] = texts[others[int(rng.integers(len(others)))]][0]
    before = previous(name, names)
    if before:
        found["previous summary"] = texts[before][0]
    return {kind: text for kind, text in found.items() if text.split() != summary.split()}


def reworded(name: str, summary: str, call: str, seed: int) -> dict[str, str]:
    """Return every rewording that changes the summary, by name."""
    found = {}
    for kind, edit in REWORDINGS.items():
        rng = np.random.default_rng([seed, zlib.crc32(f"{name} reworded {kind}".encode())])
        text = edit(summary, call, rng)
        if text != summary:
            found[kind] = text
    return found


def digits_f1(candidate: str, reference: str) -> float:
    """Return the F-measure of the digit strings of two texts, as multisets."""
    a, b = (Counter(re.findall(r"\d[\d,.]*\d|\d", text)) for text in (candidate, reference))
    total = a.total() + b.total()
    return 2 * (a & b).total() / total if total else 0.0


def scores(candidate: str, summary: str, call: str) -> dict[str, float]:
    """Return every metric of one candidate."""
    return score_example(candidate, summary, call) | {"digits_f1": digits_f1(candidate, summary)}


def main() -> None:
    """Corrupt, reword and score the summaries, and count the wins."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=Path, default=Path("../shared/data/ectsum/val"))
    parser.add_argument("--limit", type=int, default=0, help="calls; 0 for all")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--losses", default="", help="print the pairs that this metric loses")
    args = parser.parse_args()
    started = time.perf_counter()
    texts = read_folder(args.calls, args.limit)
    wins: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for name, (summary, call) in texts.items():
        good = {
            kind: (text, scores(text, summary, call))
            for kind, text in reworded(name, summary, call, args.seed).items()
        }
        for error, text in corrupted(name, texts, args.seed).items():
            bad = scores(text, summary, call)
            for kind, (original, own) in good.items():
                for metric, value in own.items():
                    won = value > bad[metric]
                    wins[metric][error].append(won)
                    if metric == args.losses and not won:
                        print(f"== {name} | {error} | {kind} | {value:.4f} {bad[metric]:.4f}")
                        print(_changes(summary, text), "||", _changes(summary, original))
    errors = [error for error in (*ERRORS, *OTHERS) if error in wins["composite"]]
    rates = {m: {e: float(np.mean(row[e])) for e in errors} for m, row in wins.items()}
    _print_table(rates, errors, {e: len(wins["composite"][e]) for e in errors})
    means = {metric: float(np.mean(list(row.values()))) for metric, row in rates.items()}
    print(
        json.dumps(
            {
                "calls": len(texts),
                "seed": args.seed,
                "wins": rates,
                "mean": means,
                "factual_mean": {
                    m: float(np.mean([row[e] for e in errors if e in FACTUAL]))
                    for m, row in rates.items()
                },
                "seconds": time.perf_counter() - started,
            }
        )
    )


def _changes(old: str, new: str) -> str:
    """Return the first differing words of two texts, with their neighbours."""
    a, b = old.split(), new.split()
    at = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), 0)
    return f"{' '.join(a[max(0, at - 6) : at + 5])} -> {' '.join(b[max(0, at - 6) : at + 5])}"


def _print_table(
    rates: dict[str, dict[str, float]], errors: list[str], counts: dict[str, int]
) -> None:
    print("| corruption | pairs | " + " | ".join(rates) + " |")
    print("| --- " * (len(rates) + 2) + "|")
    for error in errors:
        cells = " | ".join(f"{row[error]:.3f}" for row in rates.values())
        print(f"| {error} | {counts[error]} | {cells} |")
    cells = " | ".join(f"{np.mean(list(row.values())):.3f}" for row in rates.values())
    print(f"| mean | {sum(counts.values())} | {cells} |")


if __name__ == "__main__":
    main()
