"""A Bayesian model of the paired differences: P(better), credible interval, Bayes factor."""

import csv
import math
import time

import numpy as np
from tqdm import tqdm

from finllm.records import METRICS, read_scores, write_json
from finllm.scoring.pairs import pair
from finllm.stats.bayes_factor import prior_sensitivity
from finllm.stats.bayes_model import fit_paired_model
from finllm.stats.clusters import is_constant
from stages import adapter

N_BINS = 60


def main() -> None:
    """Fit the model to every metric; draw the primary one's posterior."""
    at = adapter.paths("scores", "posterior", "metrics")
    params = adapter.params()
    p, v = params.bayes_stats, params.verdict
    pairs = pair(read_scores(at.scores), split="test")
    started = time.perf_counter()
    found: dict[str, dict[str, float]] = {}
    for name in tqdm(METRICS, desc="bayes_stats", unit="metric", disable=None):
        differences, companies, templates = pairs.defined(name)
        if len(set(companies)) < 2 or is_constant(differences):
            found[name] = {"usable": False}  # nothing varies, so there is nothing to model
            if name == v.primary_metric:
                _write_histogram(np.empty(0), at.posterior)
            continue
        fitted = fit_paired_model(
            differences,
            companies,
            templates=templates,
            prior_scale=p.prior_scale,
            rope_low=-v.rope,
            rope_high=v.rope,
            n_draws=p.n_draws,
            n_tune=p.n_tune,
            n_chains=p.n_chains,
            seed=p.seed,
            hdi_prob=p.hdi_probability,
        )
        found[name] = _scalars(fitted) | _scalars(prior_sensitivity(differences, companies))
        if name == v.primary_metric:
            _write_histogram(fitted.mu_draws, at.posterior)
    write_json(
        at.metrics,
        {
            "primary_metric": v.primary_metric,
            "hdi_probability": p.hdi_probability,
            "metrics": found,
            "timing": {"seconds": time.perf_counter() - started},
        },
    )
    one = found[v.primary_metric]
    print(f"bayes_stats: P(better) {one.get('p_better', math.nan):.3f} on {v.primary_metric}")


def _scalars(fitted: object) -> dict[str, float]:
    fields = vars(fitted).items()
    return {k: x for k, x in fields if not isinstance(x, np.ndarray) and math.isfinite(x)}


def _write_histogram(draws: np.ndarray, path) -> None:  # noqa: ANN001
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["difference", "density"])
        if draws.size:
            density, edges = np.histogram(draws, bins=N_BINS, density=True)
            rows.writerows(zip((edges[:-1] + edges[1:]) / 2, density, strict=True))


if __name__ == "__main__":
    adapter.run(main)
