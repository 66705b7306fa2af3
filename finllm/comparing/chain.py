"""From base to tuned to preferred: each model against the one before it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from finllm.comparing.pairs import pair
from finllm.records import Score
from finllm.stats.clusters import cluster_means
from finllm.stats.inference import infer_mean
from finllm.stats.multiplicity import holm

STEPS = (("base", "tuned"), ("tuned", "preferred"))


def chain(
    scores: Sequence[Score], *, primary: str, alpha: float, n_bootstrap: int, seed: int
) -> list[dict[str, object]]:
    """Each step on the primary metric and the test set, as JSON takes it; empty without preferred.

    The steps are a family of their own with the error rate ``alpha``: ``p_corrected`` is Holm's,
    and each interval has the confidence 1 - alpha / steps. Do not add the two differences up to the
    verdict's: it has a correction of its own.
    """
    if not any(score.model == STEPS[-1][1] for score in scores):
        return []
    confidence = 1 - alpha / len(STEPS)
    found = []
    for position, (before, after) in enumerate(STEPS):
        pairs = pair(scores, split="test", base=before, tuned=after)
        differences, companies, _ = pairs.defined(primary)
        if len(set(companies)) < 2:
            return []
        kept = np.isfinite(pairs.difference(primary))
        one = infer_mean(
            differences,
            companies,
            confidence=confidence,
            n_bootstrap=n_bootstrap,
            rng=np.random.default_rng([seed, position]),
        )
        means = {
            f"{name}_mean": float(cluster_means(values[primary][kept], companies).means.mean())
            for name, values in (("before", pairs.base), ("after", pairs.tuned))
        }
        found.append({"before": before, "after": after, **means, **asdict(one)})
    corrected = holm([row["p_value"] for row in found])
    return [
        {
            key: value
            for key, value in {**row, "p_corrected": float(p), "confidence": confidence}.items()
            if isinstance(value, str) or math.isfinite(value)
        }
        for row, p in zip(found, corrected, strict=True)
    ]
