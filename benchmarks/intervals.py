"""Comparison of ten interval procedures on many thousand simulated studies.

Simulates company means under the null, as ``benchmarks/calibration.py`` does, for the primary
metric only: its gate blocks the claims of the other metrics, so that a study makes a false claim
exactly when the primary metric's interval excludes zero. One hundred thousand studies per cell cost
about ten processor seconds, and a rate of 5 % then has a standard error of 0.07 points.

Each candidate is a pair of critical values for t or for a transformed t:

- default: ``infer_mean``, the outer bounds of Student's t and the bootstrap-t, bound by bound.
- t, boot_t: each of them alone. symmetric: the quantile of the bootstrap's ``|t*|`` (Hall 1988).
- average: the mean of the critical values of t and the bootstrap-t.
- long_side: the bootstrap-t where it is longer, the average where it is shorter.
- by_skew: the bootstrap-t if the sample skewness exceeds two standard errors, else the default.
- shrunken: Student's t plus half of the bootstrap-t's excess on its side and a fifth of the
  symmetric interval's excess. The weights were chosen on the first six shapes, with other seeds.
- johnson: t corrected for skewness with its first moments (Johnson 1978, equation 2.8).
- hall: the cubic transformation that removes skewness (Hall 1992), with bootstrapped quantiles.

The shapes in ``further_tables`` were written after the weights of "shrunken" had been chosen.
"""

from __future__ import annotations

import argparse
import json
import time

import numba
import numpy as np
import scipy.special
import scipy.stats

from benchmarks.calibration import ALPHA, ICC, quantile_tables

BLOCK = 2000  # studies in memory at once
SHRUNKEN = 0.5, 0.2
CANDIDATES = (
    *("default", "t", "boot_t", "symmetric", "average", "long_side", "by_skew", "shrunken"),
    *("johnson", "hall"),
)


def further_tables() -> dict[str, np.ndarray]:
    """Return six more shapes of differences, in the form of ``quantile_tables``; mean zero."""
    q = (np.arange(200_000) + 0.5) / 200_000
    halves = np.where(q < 0.5, 2 * q, 2 * q - 1)
    steps = [q < 0.06, q < 0.72, q < 0.87, q < 0.96]
    tables = {
        "rare gains": np.where(
            q < 0.85, 0.0, scipy.stats.beta.ppf(np.clip((q - 0.85) / 0.15, 0, 1), 2, 2)
        ),
        "five values": np.select(steps, [-1.0, 0.0, 0.25, 0.5], 1.0),
        "lognormal": np.clip(0.15 * np.exp(0.8 * scipy.stats.norm.ppf(q)), 0, 1.5),
        "uniform": q - 0.5,
        "two lumps": np.where(q < 0.5, -0.4, 0.4)
        + 0.1 * scipy.stats.norm.ppf(np.clip(halves, 1e-6, 1 - 1e-6)),
        "rare losses": np.where(q < 0.1, 2 * q - 0.8, 0.05 + (q - 0.1) / 9),
    }
    return {name: table - table.mean() for name, table in tables.items()}


def company_means(table: np.ndarray, k: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the means of k companies, one study per row, as ``draw_study`` draws them.

    Studies without variation between companies are dropped from the n studies.
    """
    sizes = np.maximum(1, rng.negative_binomial(2, 1 / 3, size=n * k))
    codes = np.repeat(np.arange(n * k), sizes)
    z = np.sqrt(ICC) * rng.standard_normal(n * k)[codes]
    z += np.sqrt(1 - ICC) * rng.standard_normal(len(codes))
    at = np.minimum((scipy.special.ndtr(z) * len(table)).astype(int), len(table) - 1)
    means = (np.bincount(codes, weights=table[at]) / sizes).reshape(n, k)
    return means[np.ptp(means, axis=1) > 1e-9]


@numba.njit
def resampled_t(means: np.ndarray, n_resamples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return Student's t and Hall's transform for resamples around each study's own mean.

    Both have shape (studies, n_resamples). A resample without spread is drawn again, so every study
    needs at least two different means. The generator is xorshift64 (Marsaglia 2003).
    """
    n, k = means.shape
    t, transformed = np.empty((n, n_resamples)), np.empty((n, n_resamples))
    state = np.uint64(2 * seed + 88172645463325253)
    for i in range(n):
        centred = means[i] - means[i].mean()
        least = 1e-10 * (centred**2).sum()
        j = 0
        while j < n_resamples:
            first = second = third = 0.0
            for _ in range(k):
                state ^= state << np.uint64(13)
                state ^= state >> np.uint64(7)
                state ^= state << np.uint64(17)
                x = centred[np.int64(((state >> np.uint64(32)) * np.uint64(k)) >> np.uint64(32))]
                first += x
                second += x * x
                third += x * x * x
            mean = first / k
            variance = second / k - mean * mean
            if variance > least:
                skew = (third / k - 3 * mean * second / k + 2 * mean**3) / variance**1.5
                t[i, j] = mean / np.sqrt(variance / (k - 1))
                transformed[i, j] = hall(mean / np.sqrt(variance), skew, k)
                j += 1
    return t, transformed


@numba.njit
def hall(w: float, skew: float, k: int) -> float:
    """Return Hall's (1992) monotone cubic transform of ``w``.

    ``w`` is a mean divided by its standard deviation (divisor k).
    """
    return np.sqrt(k) * (w + skew * w**2 / 3 + skew**2 * w**3 / 27 + skew / (6 * k))


def bounds(
    t_star: np.ndarray, skew: np.ndarray, k: int, alpha: float
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return lower and upper critical values of t at a two-sided ``alpha``, by candidate.

    ``t_star`` is sorted along its last axis; ``skew`` is the sample skewness of each study. The
    interval runs from ``mean - upper * error`` to ``mean - lower * error``.
    """
    student = scipy.stats.t.isf(alpha / 2, k - 1)
    low, high = order_statistics(t_star, alpha / 2)
    both = order_statistics(np.sort(np.abs(t_star), axis=-1), alpha)[1]
    outer = np.minimum(low, -student), np.maximum(high, student)
    mean = (low - student) / 2, (high + student) / 2
    # The standard error of the sample skewness for normal data, and the usual bias correction.
    error = np.sqrt(6 * k * (k - 1) / ((k - 2) * (k + 1) * (k + 3)))
    skewed = np.abs(skew) * np.sqrt(k * (k - 1)) / (k - 2) > 2 * error
    one, two = SHRUNKEN
    common = student + two * np.maximum(both - student, 0)
    return {
        "default": outer,
        "t": (-student, student),
        "boot_t": (low, high),
        "symmetric": (-both, both),
        "average": mean,
        "long_side": (np.minimum(low, mean[0]), np.maximum(high, mean[1])),
        "by_skew": (np.where(skewed, low, outer[0]), np.where(skewed, high, outer[1])),
        "shrunken": (
            -common + one * np.minimum(low + student, 0),
            common + one * np.maximum(high - student, 0),
        ),
    }


def order_statistics(ordered: np.ndarray, tail: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the values at or beyond which a share ``tail`` lies, from below and from above."""
    rank = int(np.floor((ordered.shape[-1] + 1) * tail + 1e-9))
    return ordered[..., rank - 1], ordered[..., -rank]


def misses(
    table: np.ndarray, k: int, n_studies: int, n_resamples: int, rng: np.random.Generator
) -> dict[str, tuple[float, float]]:
    """Return the shares of intervals wholly below and wholly above the truth, by candidate."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in CANDIDATES}
    for start in range(0, n_studies, BLOCK):
        means = company_means(table, k, min(BLOCK, n_studies - start), rng)
        t_star, hall_star = resampled_t(means, n_resamples, int(rng.integers(1 << 40)))
        t_star.sort(axis=1)
        hall_star.sort(axis=1)
        centred = means - means.mean(axis=1, keepdims=True)
        variance = (centred**2).mean(axis=1)
        w = means.mean(axis=1) / np.sqrt(variance)
        skew = (centred**3).mean(axis=1) / variance**1.5
        t = w * np.sqrt(k - 1)
        for name, (low, high) in bounds(t_star, skew, k, ALPHA).items():
            found[name].append(np.array([t < low, t > high]))
        student = scipy.stats.t.isf(ALPHA / 2, k - 1)
        johnson = t + skew / np.sqrt(k) * (1 / 6 + t**2 / 3)
        found["johnson"].append(np.array([johnson < -student, johnson > student]))
        low, high = order_statistics(hall_star, ALPHA / 2)
        transformed = hall(w, skew, k)
        found["hall"].append(np.array([transformed < low, transformed > high]))
    shares = {name: np.concatenate(rows, axis=1).mean(axis=1) for name, rows in found.items()}
    return {name: (float(below), float(above)) for name, (below, above) in shares.items()}


def main() -> None:
    """Run the simulations; print a table and, as the last line, one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-studies", type=int, default=100_000)
    parser.add_argument("--n-resamples", type=int, default=999)
    parser.add_argument("--companies", type=int, nargs="+", default=[12, 20, 40])
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    started, cells = time.process_time(), []
    print(f"false claims in {args.n_studies} studies each, per cent; coverage is 100 minus this")
    print(f"{'differences':<16}{'companies':>10}" + "".join(f"{name:>11}" for name in CANDIDATES))
    for i, (shape, table) in enumerate((quantile_tables() | further_tables()).items()):
        for k in args.companies:
            rng = np.random.default_rng([args.seed, i, k])
            found = misses(table, k, args.n_studies, args.n_resamples, rng)
            cells.append({"differences": shape, "companies": k, "below_and_above": found})
            line = "".join(f"{100 * sum(found[name]):>11.2f}" for name in CANDIDATES)
            print(f"{shape:<16}{k:>10}{line}", flush=True)
    seconds = time.process_time() - started
    print(json.dumps({**vars(args), "cells": cells, "processor_seconds": seconds}))


if __name__ == "__main__":
    main()
