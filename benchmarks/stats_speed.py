"""Speed of the statistics: the whole frequentist procedure, and one Bayesian model.

Simulates scores of ten metrics on 500 examples of 40 companies. The first figure is ``compare``
(every interval, test, permutation and effect size of the report, clustered by company) after its
imports. The second is ``fit_paired_model`` on the first metric, including import and compilation,
and the third the same on the second metric. Reports wall-clock and processor seconds; on a busy
machine use the latter.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np

from finllm.stats.comparison import compare


def scores(
    n_metrics: int, n_examples: int, n_companies: int, seed: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], list[str]]:
    """Return base, tuned and companies: bounded scores with shared levels and gains by company."""
    rng = np.random.default_rng(seed)
    codes = np.sort(rng.integers(0, n_companies, size=n_examples))
    base, tuned = {}, {}
    for i in range(n_metrics):
        level = rng.normal(0.4, 0.1, size=n_companies)[codes]
        gain = rng.normal(0.05, 0.1, size=n_companies)[codes]
        first = level + rng.normal(0, 0.15, size=n_examples)
        base[f"metric{i}"] = np.clip(first, 0, 1)
        tuned[f"metric{i}"] = np.clip(first + gain + rng.normal(0, 0.1, size=n_examples), 0, 1)
    return base, tuned, [f"company{code:03d}" for code in codes]


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return wall-clock seconds and the processor seconds of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Time the tasks; print a table and, as the last line, one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--metrics", type=int, default=10)
    parser.add_argument("--examples", type=int, default=500)
    parser.add_argument("--companies", type=int, default=40)
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--tune", type=int, default=1000)
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--no-model", action="store_true", help="leave the Bayesian model out")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    base, tuned, companies = scores(args.metrics, args.examples, args.companies, args.seed)

    def frequentist() -> None:
        compare(
            base,
            tuned,
            companies,
            primary="metric0",
            confidence=0.95,
            n_permutations=args.resamples,
            n_bootstrap=args.resamples,
            seed=args.seed,
        )

    def model(name: str) -> None:
        from finllm.stats.bayes_model import fit_paired_model  # the time includes PyMC's import

        fit_paired_model(
            tuned[name] - base[name],
            companies,
            prior_scale=0.707,
            rope_low=-0.02,
            rope_high=0.02,
            n_draws=args.draws,
            n_tune=args.tune,
            n_chains=args.chains,
            seed=args.seed,
        )

    tasks = {"compare": frequentist}
    if not args.no_model:
        tasks |= {"first model": lambda: model("metric0"), "next model": lambda: model("metric1")}
    figures = {}
    print(f"{'what':<14}{'seconds':>10}{'processor':>12}")
    for name, work in tasks.items():
        wall, cpu = timed(work)
        figures[name] = {"seconds": wall, "processor_seconds": cpu}
        print(f"{name:<14}{wall:>10.2f}{cpu:>12.2f}", flush=True)
    print(json.dumps({**vars(args), "timed": figures}))


if __name__ == "__main__":
    main()
