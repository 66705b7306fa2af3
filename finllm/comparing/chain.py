"""Comparison of each model with its predecessor: base, tuned, preferred."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from finllm.comparing.pairs import infer_pairs, pair
from finllm.records import Score, finite
from finllm.stats.multiplicity import holm

STEPS = (("base", "tuned"), ("tuned", "preferred"))


def chain(
    scores: Sequence[Score], *, primary: str, alpha: float, n_bootstrap: int, seed: int
) -> list[dict[str, object]]:
    """Compare each model with its predecessor on the primary metric and the test set.

    Return one JSON-ready row per step, or an empty list without a preferred model or with scores
    in fewer than two companies. The steps form a family of tests of their own with the error rate
    ``alpha``: ``p_corrected`` is Holm's, and each interval has the confidence 1 - alpha / steps.
    Do not add the two differences to obtain the verdict's: it has its own correction.
    """
    if not any(score.model == STEPS[-1][1] for score in scores):
        return []
    confidence = 1 - alpha / len(STEPS)
    found = []
    for position, (before, after) in enumerate(STEPS):
        pairs = pair(scores, split="test", base=before, tuned=after)
        inferred = infer_pairs(
            pairs,
            primary,
            confidence=confidence,
            n_bootstrap=n_bootstrap,
            rng=np.random.default_rng([seed, position]),
        )
        if inferred is None:
            return []
        before_mean, after_mean, one = inferred
        means = {"before_mean": before_mean, "after_mean": after_mean}
        found.append({"before": before, "after": after, **means, **asdict(one)})
    corrected = holm([row["p_value"] for row in found])
    return [
        finite({**row, "p_corrected": float(p), "confidence": confidence})
        for row, p in zip(found, corrected, strict=True)
    ]
