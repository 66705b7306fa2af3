"""Coverage of the rating stage's intervals, and the cost of a click.

``python -m benchmarks.human_ratings --trials 1000`` measures how often the 95 % intervals contain
the truth if examples of a company are correlated, compared with intervals that treat examples as
independent; then the milliseconds of a click, from the record to the synced disk.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.special import expit

from finllm.rating.analysis import win_rate
from finllm.rating.clicks import Click, append
from finllm.stats.association import spearman, weighted_spearman
from finllm.stats.resampling import percentile_interval, resampling_counts


def main() -> None:
    """Print a table, then one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--companies", type=int, nargs="+", default=[12, 40])
    parser.add_argument("--per-company", type=int, default=4)
    parser.add_argument("--clicks", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    flags = parser.parse_args()
    rng = np.random.default_rng(flags.seed)
    rows = []
    for companies in flags.companies:
        for spread in (0.0, 1.5):
            sizes = (flags.trials, companies, flags.per_company, spread)
            ours, plain = win_rate_coverage(*sizes, rng)
            rows.append(["win rate", companies, spread, ours, plain])
        for share in (0.0, 0.5):
            ours, plain = rho_coverage(flags.trials, companies, flags.per_company, share, rng)
            rows.append(["rho", companies, share, ours, plain])
    print(f"{'interval':10}{'companies':>10}{'likeness':>10}{'ours':>8}{'independent':>13}")
    for name, companies, likeness, ours, plain in rows:
        print(f"{name:10}{companies:>10}{likeness:>10}{ours:>8.3f}{plain:>13.3f}")
    milliseconds = click_times(flags.clicks)
    print(f"a click, of {flags.clicks}: {milliseconds} ms (median, 99th percentile)")
    keys = ("interval", "companies", "likeness", "coverage", "coverage_if_independent")
    found = [dict(zip(keys, row, strict=True)) for row in rows]
    print(json.dumps({"coverage": found, "click_ms": milliseconds}))


def win_rate_coverage(
    trials: int, companies: int, per_company: int, spread: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the coverage with and without clustering by company.

    ``spread`` is the standard deviation of the companies' log odds.
    """
    centre, labels = 0.6, np.repeat(np.arange(companies), per_company).tolist()
    nodes, weights = np.polynomial.hermite_e.hermegauss(61)
    truth = float(weights @ expit(centre + spread * nodes) / weights.sum())
    held = np.zeros(2)
    for _ in range(trials):
        odds = centre + spread * rng.standard_normal(companies)
        wins = rng.random((companies, per_company)) < expit(odds)[:, None]
        preferred = wins.ravel().astype(float).tolist()
        for i, clusters in enumerate((labels, list(range(len(labels))))):
            found = win_rate(preferred, clusters, confidence=0.95)
            held[i] += found["low"] <= truth <= found["high"]
    return tuple((held / trials).tolist())


def rho_coverage(
    trials: int, companies: int, per_company: int, share: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the coverage by resampling companies, and by formula.

    Companies account for ``share`` of the variance.
    """
    r = 0.5
    truth = 6 / math.pi * math.asin(r / 2)  # of a bivariate normal
    codes = np.repeat(np.arange(companies), per_company)
    held = np.zeros(2)
    for _ in range(trials):
        parts = [
            math.sqrt(part) * rng.multivariate_normal([0, 0], [[1, r], [r, 1]], n)
            for part, n in ((share, companies), (1 - share, len(codes)))
        ]
        x, y = (parts[0][codes] + parts[1]).T
        counts = resampling_counts(companies, 500, rng)[:, codes]
        low, high = percentile_interval(weighted_spearman(x, y, counts), 0.95)
        plain = spearman(x, y)
        held += (low <= truth <= high, plain.low <= truth <= plain.high)
    return tuple((held / trials).tolist())


def click_times(n: int) -> list[float]:
    """Return median and 99th percentile of ``append`` to a growing file, in milliseconds."""
    seconds = []
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for i in range(n):
            click = Click("ann", f"e{i}", "accuracy", "A", 3, "base", "0" * 64, "2026-11-22")
            started = time.perf_counter()
            append(Path(folder), click)
            seconds.append(time.perf_counter() - started)
    return [round(1000 * float(q), 2) for q in np.quantile(seconds, [0.5, 0.99])]


if __name__ == "__main__":
    main()
