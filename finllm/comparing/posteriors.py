"""Fits of the Bayesian model to each metric's differences, for details/bayes_stats.json."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from finllm.comparing.pairs import Pairs
from finllm.records import METRICS, finite
from finllm.runtime import screen
from finllm.stats.bayes_factor import prior_sensitivity
from finllm.stats.bayes_model import fit_paired_model
from finllm.stats.clusters import is_constant

N_BINS = 60


def fit_pairs(
    pairs: Pairs,
    *,
    primary: str,
    rope: float,
    prior_scale: float,
    n_draws: int,
    n_tune: int,
    n_chains: int,
    hdi_prob: float,
    seed: int,
    metrics: Sequence[str] = METRICS,
) -> tuple[dict[str, dict[str, float]], np.ndarray]:
    """Return the posterior summary of tuned minus base by metric, and the primary metric's draws.

    The region of practical equivalence is ``[-rope, rope]``. If the differences do not vary or come
    from fewer than two companies, the metric is marked as not ``usable`` and has no draws. Values
    that could not be computed are left out, since JSON has no NaN.
    """
    found: dict[str, dict[str, float]] = {}
    draws = np.empty(0)
    for name in screen.Bar(metrics, desc="bayes_stats", unit="metric"):
        differences, companies, templates = pairs.defined(name)
        if len(set(companies)) < 2 or is_constant(differences):
            found[name] = {"usable": False}
            continue
        fitted = fit_paired_model(
            differences,
            companies,
            templates=templates,
            prior_scale=prior_scale,
            rope_low=-rope,
            rope_high=rope,
            n_draws=n_draws,
            n_tune=n_tune,
            n_chains=n_chains,
            seed=seed,
            hdi_prob=hdi_prob,
        )
        found[name] = _scalars(fitted) | _scalars(prior_sensitivity(differences, companies))
        if name == primary:
            draws = fitted.mu_draws
    return found, draws


def density(draws: np.ndarray) -> list[tuple[float, float]]:
    """Return a histogram of the draws with area 1 as (bin centre, density), empty without draws."""
    if not draws.size:
        return []
    heights, edges = np.histogram(draws, bins=N_BINS, density=True)
    centres = (edges[:-1] + edges[1:]) / 2
    return list(zip(centres.tolist(), heights.tolist(), strict=True))


def _scalars(fitted: object) -> dict[str, float]:
    return finite({k: x for k, x in vars(fitted).items() if not isinstance(x, np.ndarray)})
