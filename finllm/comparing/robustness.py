"""Change of the scores when questions are reworded or excerpts noisy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from finllm.records import METRICS, Score
from finllm.stats.clusters import cluster_means
from finllm.stats.inference import infer_mean


@dataclass(frozen=True)
class Change:
    """One metric of one model on a changed set and on the same examples unchanged."""

    set: str  # what was changed: "reworded", "noise"
    metric: str
    model: str
    original: float  # mean of company means, as are the next two
    changed: float
    estimate: float  # changed minus original
    low: float
    high: float
    n_companies: int
    n_examples: int


def robustness(
    original: Sequence[Score],
    changed: Sequence[Score],
    *,
    confidence: float,
    n_bootstrap: int,
    seed: int,
) -> list[Change]:
    """Return the change of the score for each changed set, metric and model, paired by example.

    The interval is that of ``infer_mean`` over companies, uncorrected for the number of metrics. A
    metric is left out if fewer than two companies have it both before and after the change. The
    changed answers are scored against the original excerpt and reference.
    """
    before = {(s.model, s.example_id): s for s in original if s.split == "test"}
    by_set: dict[tuple[str, str], list[Score]] = {}
    for score in changed:
        by_set.setdefault((score.split, score.model), []).append(score)
    found = []
    for name in sorted({name for name, _ in by_set}, reverse=True):
        for position, metric in enumerate(METRICS):
            for model in sorted(model for key, model in by_set if key == name):
                pairs = [(before[model, s.example_id], s) for s in by_set[name, model]]
                change = paired_change(
                    pairs,
                    metric,
                    confidence=confidence,
                    n_bootstrap=n_bootstrap,
                    seed=[seed, position],
                )
                if change:
                    found.append(Change(name, metric, model, **change))
    return found


def paired_change(
    pairs: Sequence[tuple[Score, Score]],
    metric: str,
    *,
    confidence: float,
    n_bootstrap: int,
    seed: int | Sequence[int],
) -> dict[str, float]:
    """Return a metric's means before and after, and the mean change with its interval.

    Each pair holds the scores of one example before and after. The result is empty if fewer than
    two companies have both.
    """
    kept = [
        (first.values[metric], second.values[metric], first.company)
        for first, second in pairs
        if first.values[metric] is not None and second.values[metric] is not None
    ]
    companies = [company for _, _, company in kept]
    if len(set(companies)) < 2:
        return {}
    a, b = (np.array([row[side] for row in kept]) for side in (0, 1))
    rng = np.random.default_rng(seed)
    one = infer_mean(b - a, companies, confidence=confidence, n_bootstrap=n_bootstrap, rng=rng)
    return {
        "original": float(cluster_means(a, companies).means.mean()),
        "changed": float(cluster_means(b, companies).means.mean()),
        "estimate": one.estimate,
        "low": one.low,
        "high": one.high,
        "n_companies": one.n_clusters,
        "n_examples": one.n,
    }
