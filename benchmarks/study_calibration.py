"""Calibration of studies: their error rates on simulated data under the null and known effects.

A study compares levels with the same seeds on the same companies. Each cell (levels, seeds,
companies, spread between seeds) reports, for studies in which no level differs, how often

- family: any level is called better or worse than the reference, over all comparisons (Holm);
- sequential: the same, testing after every seed from the third on and stopping at the first claim;
- covered: the 95 % interval of a comparison contains the truth, over all comparisons;

and, for studies in which the levels differ by exactly the margin, how often

- equivalent: any comparison is called equivalent nevertheless.

Company means are normal, or have the shapes of ``benchmarks.calibration``. Spreads are standard
deviations in units of that of the residuals, which is one: ``over companies`` is that of a level's
effect, ``spread`` that between seeds. With ``uneven``, the last level has three times the spread
between seeds of the others.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from benchmarks.calibration import quantile_tables
from finllm.commands.study.answer import results
from finllm.commands.study.contrasts import contrast, ratio_weights
from finllm.commands.study.file import MIN_SEEDS, Level, Study
from finllm.commands.study.measure import read_measure
from finllm.commands.study.power import as_table

SPREADS = (0.0, 0.2, 0.5, 2.0)
SHOWN = ("family", "sequential", "covered", "equivalent")


def made_study(n_levels: int, n_seeds: int, *, margin: float, sequential: bool) -> Study:
    """Return a study that asks whether every level is better than the first."""
    levels = tuple(Level(str(i), {}) for i in range(n_levels))
    nan = float("nan")
    return Study(
        name="simulated", claim="", question="better", levels=levels, reference=0, fixed={},
        seeds=tuple(range(n_seeds)), measure=read_measure("number_accuracy", with_command=False),
        higher_is_better=True, margin=margin, relative=False, low=nan, high=nan, rising=True,
        alpha=0.05, sequential=sequential, hours=1.0, power=None, command="", exact=False,
        digest="",
    )  # fmt: skip


def drawn(
    table: np.ndarray | None, shape: tuple[int, int, int], over_companies: float, spread: float,
    uneven: bool, rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Draw company means in which no level differs; the residuals have variance 1."""
    n_levels, n_seeds, n_companies = shape
    if table is None:
        by_company = rng.standard_normal((n_levels, 1, n_companies))
    else:
        by_company = rng.choice(table, (n_levels, 1, n_companies)) / table.std()
    seeds = np.full(n_levels, spread)
    if uneven:
        seeds[-1] *= 3
    of_seeds = seeds[:, None, None] * rng.standard_normal((n_levels, n_seeds, 1))
    return over_companies * by_company + of_seeds + rng.standard_normal(shape)


def simulate(task: tuple) -> dict[str, float]:
    """Simulate one cell of the table."""
    name, n_levels, n_seeds, n_companies, over_companies, spread, uneven, n, seed = task
    rng = np.random.default_rng(seed)
    table = None if name == "normal" else quantile_tables()[name]
    of_companies = (over_companies**2 + 1 / n_seeds) / n_companies
    margin = 3.0 * np.sqrt(2 * (of_companies + spread**2 / n_seeds))  # three standard errors
    one = made_study(n_levels, n_seeds, margin=margin, sequential=False)
    looking = dataclasses.replace(one, sequential=True)
    shape, counts = (n_levels, n_seeds, n_companies), dict.fromkeys(SHOWN, 0)
    for _ in range(n):
        means = drawn(table, shape, over_companies, spread, uneven, rng)
        counts["family"] += differs(one, means)
        counts["sequential"] += any(
            differs(looking, means[:, :k]) for k in range(MIN_SEEDS, n_seeds + 1)
        )
        counts["covered"] += covered(means)
        moved = means.copy()
        moved[1:] += margin
        counts["equivalent"] += says(one, moved, "equivalent")
    return {key: value / n for key, value in counts.items()}


def differs(study: Study, means: np.ndarray) -> bool:
    """Return whether any level is called better or worse, whatever else the results say."""
    found = results(dataclasses.replace(study, margin=1e-12), as_table(study, means))
    return "better" in found or "worse" in found


def says(study: Study, means: np.ndarray, result: str) -> bool:
    """Return whether any comparison has the given result."""
    return result in results(study, as_table(study, means))


def covered(means: np.ndarray) -> float:
    """Return the share of comparisons with the first level whose 95 % interval contains zero."""
    held = []
    for i in range(1, len(means)):
        weights = ratio_weights(len(means), i, 0, 1.0)
        low, high = contrast(means, weights).interval(0.95)
        held.append(low <= 0 <= high)
    return float(np.mean(held))


def main() -> None:
    """Run the simulations; print a table and, as the last line, one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-simulations", type=int, default=2000)
    parser.add_argument("--levels", type=int, nargs="+", default=[2, 5])
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 5])
    parser.add_argument("--companies", type=int, nargs="+", default=[12, 64])
    parser.add_argument("--over-companies", type=float, nargs="+", default=[1.0, 0.3, 0.0])
    parser.add_argument("--shapes", nargs="+", default=["normal", "skewed, ties"])
    parser.add_argument(
        "--uneven", action="store_true", help="one level has three times the spread between seeds"
    )
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    began = time.perf_counter()
    cells = [
        (shape, n_levels, n_seeds, n_companies, over_companies, spread)
        for shape in args.shapes
        for n_levels in args.levels
        for n_seeds in args.seeds
        for n_companies in args.companies
        for over_companies in args.over_companies
        for spread in SPREADS
    ]
    tasks = [(*c, args.uneven, args.n_simulations, [args.seed, i]) for i, c in enumerate(cells)]
    print(f"{args.n_simulations} studies each; per cent of studies")
    head = ("differences", "levels", "seeds", "companies", "over companies", "spread")
    print(f"{head[0]:<16}" + "".join(f"{one:>16}" for one in (*head[1:], *SHOWN)))
    rows = []
    with ProcessPoolExecutor(args.jobs) as pool:
        for cell, found in zip(cells, pool.map(simulate, tasks), strict=True):
            rows.append({**dict(zip(head, cell, strict=True)), **found})
            figures = "".join(f"{100 * found[name]:>16.1f}" for name in SHOWN)
            print(
                f"{cell[0]:<16}" + "".join(f"{one:>16}" for one in cell[1:]) + figures, flush=True
            )
    print(
        json.dumps(
            {
                "n_simulations": args.n_simulations,
                "uneven": args.uneven,
                "cells": rows,
                "seconds": time.perf_counter() - began,
            }
        )
    )


if __name__ == "__main__":
    main()
