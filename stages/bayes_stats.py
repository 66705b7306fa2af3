"""Fit a Bayesian model of the paired differences: P(better), credible interval, Bayes factor."""

import math
import time

from finllm.comparing.pairs import pair
from finllm.comparing.posteriors import density, fit_pairs
from finllm.records import csv_text, read_scores, write_metrics, write_text
from finllm.stats import rounding
from stages import adapter


def main() -> str:
    """Fit the model to every metric, and write the posterior density of the primary metric."""
    at = adapter.paths("scores", "posterior", "metrics", "costs")
    params = adapter.params()
    p, v = params.bayes_stats, params.verdict
    pairs = pair(read_scores(at.scores), split="test", tuned=v.candidate)
    started = time.perf_counter()
    found, draws = fit_pairs(
        pairs,
        primary=v.primary_metric,
        rope=v.rope,
        prior_scale=p.prior_scale,
        n_draws=p.n_draws,
        n_tune=p.n_tune,
        n_chains=p.n_chains,
        hdi_prob=p.hdi_probability,
        seed=p.seed,
    )
    metrics = {
        "primary_metric": v.primary_metric,
        "hdi_probability": p.hdi_probability,
        "metrics": found,
        "timing": {"seconds": time.perf_counter() - started},
    }
    write_text(at.posterior, csv_text(["difference", "density"], density(draws)))
    write_metrics(at.metrics, at.costs, metrics)
    p_better = found[v.primary_metric].get("p_better", math.nan)
    return f"P(better) {rounding.share(p_better)} on {v.primary_metric}"


if __name__ == "__main__":
    adapter.run(main)
