"""Calibration of the default procedure: error rates and coverage on realistic differences.

Simulates differences of five correlated metric scores that are bounded, tied at zero, skewed or
heavy-tailed, with several examples per company, an intra-company correlation of 0.3 and companies
of unequal size. The true mean is zero, so that every claim is false. The columns are:

- family: any claim of the whole procedure as the pipeline runs it: ``infer_mean`` on every metric,
  and the p-values through ``gatekept_bonferroni``, the function that ``compare`` calls.
- primary, bonferroni, holm, max_t: its parts. The primary metric alone; any secondary metric, by
  Bonferroni or Holm on the p-values of ``infer_mean``, or by the max-T permutation test, if the
  gate were open (as it is when the primary metric truly differs).
- covered: the 95 % interval of the primary metric contains the truth. below, above: the interval
  lies entirely on that side of the truth, which is how often a difference on the edge of the ROPE
  is called "equivalent".
- single methods on the same data: t, bootstrap-t and sign-flip tests by company, and t and Wilcoxon
  tests on rows.

P(better) is checked on true effects spread evenly over +-0.8 standard deviations, with the
flat-prior t posterior of the company means as a substitute for the model, and with --n-fits also
with the model itself.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import scipy.stats

from finllm.stats.bayes_model import fit_paired_model
from finllm.stats.clusters import cluster_means
from finllm.stats.inference import bootstrap_t, infer_mean
from finllm.stats.multiplicity import (
    bonferroni,
    gatekept_bonferroni,
    holm,
    max_t_permutation,
)
from finllm.stats.paired_tests import (
    paired_t_test,
    sign_flip_permutation_test,
    wilcoxon_signed_rank,
)

ICC = 0.3
N_METRICS = 5
METRIC_CORRELATION = 0.6
ALPHA = 0.05
SHOWN = (
    *("family", "primary", "bonferroni", "holm", "max_t", "covered", "below", "above"),
    *("t", "boot_t", "sign_flip", "row_t", "row_wilcoxon"),
)


def quantile_tables() -> dict[str, np.ndarray]:
    """Return the quantiles of a difference with mean zero in [-1, 1], by scenario."""
    q = (np.arange(200_000) + 0.5) / 200_000
    heavy = scipy.stats.t.ppf(q, 3) * 0.15
    losses = scipy.stats.beta.ppf(np.clip((0.2 - q) / 0.2, 0, 1), 1, 1.5)
    wins = scipy.stats.beta.ppf(np.clip((q - 0.65) / 0.35, 0, 1), 1, 2)
    rare = scipy.stats.beta.ppf(np.clip((q - 0.7) / 0.3, 0, 1), 1, 2)
    tables = {
        "normal": np.clip(scipy.stats.norm.ppf(q) * 0.2, -1, 1),
        "heavy tails": np.clip(heavy, -1, 1),
        "half ties": np.where(np.abs(q - 0.5) < 0.25, 0.0, np.clip(heavy, -1, 1)),
        # About a third gain a little, a fifth lose a lot, and the rest are tied.
        "skewed, ties": wins * losses.sum() / wins.sum() - losses,
        "skewed": scipy.stats.beta.ppf(q, 1.5, 5.0),
        # Most lose a little, and fewer than a third gain a lot: skewness 1.8.
        "strongly skewed": rare,
    }
    return {name: table - table.mean() for name, table in tables.items()}


def draw_study(
    table: np.ndarray, n_companies: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw differences of shape (rows, metrics), and the company of each row."""
    sizes = np.maximum(1, rng.negative_binomial(2, 1 / 3, size=n_companies))
    codes = np.repeat(np.arange(n_companies), sizes)

    def related(n: int) -> np.ndarray:
        shared, own = rng.standard_normal((n, 1)), rng.standard_normal((n, N_METRICS))
        return np.sqrt(METRIC_CORRELATION) * shared + np.sqrt(1 - METRIC_CORRELATION) * own

    z = np.sqrt(ICC) * related(n_companies)[codes] + np.sqrt(1 - ICC) * related(len(codes))
    u = scipy.stats.norm.cdf(z)
    return table[np.minimum((u * len(table)).astype(int), len(table) - 1)], codes


def false_claims(
    differences: np.ndarray, codes: np.ndarray, n_resamples: int, rng: np.random.Generator
) -> dict[str, bool]:
    """Return the claims made about one study in which all claims are false."""
    results = [
        infer_mean(column, codes, n_bootstrap=n_resamples, rng=rng) for column in differences.T
    ]
    primary, secondary = results[0], [result.p_value for result in results[1:]]
    joint = max_t_permutation(differences[:, 1:], codes, n_permutations=n_resamples, rng=rng)
    first = differences[:, 0]
    means = cluster_means(first, codes).means
    t = means.mean() / (means.std(ddof=1) / np.sqrt(len(means)))
    low, high = np.quantile(bootstrap_t(means, n_bootstrap=n_resamples, rng=rng), [0.025, 0.975])
    flips = sign_flip_permutation_test(first, n_resamples, rng, codes)
    return {
        "family": bool((gatekept_bonferroni(primary.p_value, secondary) < ALPHA).any()),
        "primary": primary.p_value < ALPHA,
        "bonferroni": bool((bonferroni(secondary) < ALPHA).any()),
        "holm": bool((holm(secondary) < ALPHA).any()),
        "max_t": bool((joint.p_adjusted < ALPHA).any()),
        "covered": primary.low <= 0 <= primary.high,
        "below": primary.high < 0,
        "above": primary.low > 0,
        "t": paired_t_test(first, codes).p_value < ALPHA,
        "boot_t": not low <= t <= high,
        "sign_flip": flips.p_value <= ALPHA,
        "row_t": paired_t_test(first).p_value < ALPHA,
        "row_wilcoxon": wilcoxon_signed_rank(first).p_value < ALPHA,
    }


def claimed_and_right(
    table: np.ndarray, n_companies: int, n_studies: int, fit: bool, rng: np.random.Generator
) -> np.ndarray:
    """Return rows of (probability claimed for the likelier sign, whether that sign was right)."""
    rows = []
    for seed in range(n_studies):
        differences, codes = draw_study(table, n_companies, rng)
        effect = rng.uniform(-0.8, 0.8) * table.std()
        first = differences[:, 0] + effect
        if fit:
            p_better = fitted_p_better(first, codes, seed)
        else:
            means = cluster_means(first, codes).means
            t = means.mean() / (means.std(ddof=1) / np.sqrt(len(means)))
            p_better = scipy.stats.t.cdf(t, len(means) - 1)
        rows.append((max(p_better, 1 - p_better), (p_better > 0.5) == (effect > 0)))
    return np.array(rows, dtype=float)


def fitted_p_better(differences: np.ndarray, codes: np.ndarray, seed: int) -> float:
    """Return P(better) from the model itself, with fewer draws than for a report."""
    return fit_paired_model(
        differences,
        codes,
        prior_scale=0.707,
        rope_low=0.0,
        rope_high=0.0,
        n_draws=500,
        n_tune=300,
        n_chains=2,
        seed=seed,
    ).p_better


def simulate_cell(
    task: tuple[str, int, int, int, int, list[int]],
) -> tuple[dict[str, float], np.ndarray, np.ndarray]:
    """Simulate one shape and number of companies; return shares and both posteriors' claims."""
    name, k, n_simulations, n_resamples, n_fits, seed = task
    table, rng = quantile_tables()[name], np.random.default_rng(seed)
    claimed = [
        false_claims(*draw_study(table, k, rng), n_resamples, rng) for _ in range(n_simulations)
    ]
    shares = {key: float(np.mean([row[key] for row in claimed])) for key in SHOWN}
    sure = claimed_and_right(table, k, n_simulations, False, rng)
    return shares, sure, claimed_and_right(table, k, n_fits, True, rng).reshape(-1, 2)


def percentages(shares: dict[str, float]) -> str:
    """Return the columns of one table line."""
    return "".join(f"{100 * shares[name]:>13.1f}" for name in SHOWN)


def calibration_lines(rows: np.ndarray) -> list[dict[str, float]]:
    """Return the mean claimed probability and the share that was right, by range of claims."""
    lines = []
    for low, high in ((0.5, 0.8), (0.8, 0.95), (0.95, 0.99), (0.99, 1.0001)):
        inside = rows[(rows[:, 0] >= low) & (rows[:, 0] < high)]
        if len(inside):
            claimed, right = inside.mean(axis=0)
            error = np.sqrt(max(claimed * (1 - claimed), 1e-6) / len(inside))
            lines.append({"claimed": claimed, "right": right, "se": error, "n": len(inside)})
    return lines


def main() -> None:
    """Run the simulations; print a table and, as the last line, one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-simulations", type=int, default=2000)
    parser.add_argument("--n-resamples", type=int, default=999)
    parser.add_argument("--n-fits", type=int, default=0)
    parser.add_argument("--companies", type=int, nargs="+", default=[12, 20, 40])
    parser.add_argument("--jobs", type=int, default=1, help="processes; the figures are the same")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    started = time.perf_counter()
    print(f"{args.n_simulations} null studies each; per cent of studies")
    print(f"{'differences':<16}{'companies':>10}" + "".join(f"{name:>13}" for name in SHOWN))
    names = [(name, k) for name in quantile_tables() for k in args.companies]
    sizes = (args.n_simulations, args.n_resamples, args.n_fits)
    tasks = [(name, k, *sizes, [args.seed, i]) for i, (name, k) in enumerate(names)]
    cells, claims, fits = [], [], []
    with ProcessPoolExecutor(args.jobs) as pool:
        for (name, k), done in zip(names, pool.map(simulate_cell, tasks), strict=True):
            shares, claimed, fitted = done
            cells.append({"differences": name, "companies": k, **shares})
            claims.append(claimed)
            fits.append(fitted)
            print(f"{name:<16}{k:>10}" + percentages(shares), flush=True)
    mean = {key: float(np.mean([cell[key] for cell in cells])) for key in SHOWN}
    print(f"{'all':<26}" + percentages(mean))
    error = 100 * np.sqrt(ALPHA * (1 - ALPHA) / args.n_simulations)
    print(f"Monte Carlo standard error of one cell at 5 %: {error:.1f}")
    checks = {"t posterior": calibration_lines(np.concatenate(claims))}
    if args.n_fits:
        checks["model"] = calibration_lines(np.concatenate(fits))
    for name, lines in checks.items():
        for line in lines:
            print(
                f"{name}: claimed {line['claimed']:.3f}, right {line['right']:.3f}"
                f" (+-{2 * line['se']:.3f}, {line['n']} studies)"
            )
    figures = {
        "n_simulations": args.n_simulations,
        "cells": cells,
        "mean": mean,
        "p_better": checks,
        "seconds": time.perf_counter() - started,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
