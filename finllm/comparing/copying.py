"""Test of the tuned model against the best model-free baseline, on unseen companies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from finllm.comparing.pairs import infer_pairs, pair
from finllm.records import Score, finite
from finllm.stats.clusters import cluster_means
from finllm.stats.multiplicity import COPYING_SHARE, gatekept_share


def validation_means(scores: Sequence[Score], metric: str) -> dict[str, float]:
    """Return each baseline's mean of company means on the validation set, if it has scores."""
    rows = [s for s in scores if s.split == "val" and s.values.get(metric) is not None]
    found = {}
    for model in dict.fromkeys(score.model for score in rows):
        own = [score for score in rows if score.model == model]
        values = [score.values[metric] for score in own]
        found[model] = float(cluster_means(values, [s.company for s in own]).means.mean())
    return found


def against_copying(
    scores: Sequence[Score],
    *,
    primary: str,
    alpha: float,
    primary_p: float,
    n_bootstrap: int,
    seed: int,
    candidate: str = "tuned",
) -> dict[str, object]:
    """Compare the tuned model on the test set with the baseline that is best on validation.

    Return tuned minus baseline in JSON-ready form. The baseline is chosen on companies that are
    not tested, so the choice needs no correction. The test receives ``COPYING_SHARE`` of the error
    rate that the primary metric's test passes on: its interval has the confidence
    1 - share * alpha, and ``p_corrected`` is p / share, gated by the primary test. The result is
    empty if no baseline has validation scores or there is nothing to compare.

    Parameters
    ----------
    scores
        Scores of all models on the test set, and of the baselines on the validation set (``val``).
    primary
        Metric of the verdict.
    alpha
        Error rate of the whole family of tests.
    primary_p
        p-value of the primary test, tuned against base; with NaN the gate stays closed.
    n_bootstrap, seed
        Bootstrap samples and random seed of ``infer_mean``.
    candidate
        Model to test in place of the tuned one.
    """
    tested = {score.model for score in scores if score.split == "test"}
    means = {m: x for m, x in validation_means(scores, primary).items() if m in tested}
    if not means:
        return {}
    best = max(means, key=lambda model: means[model])  # the first in a tie
    pairs = pair(scores, split="test", base=best, tuned=candidate)
    confidence = 1 - COPYING_SHARE * alpha
    inferred = infer_pairs(
        pairs,
        primary,
        confidence=confidence,
        n_bootstrap=n_bootstrap,
        rng=np.random.default_rng([seed, len(means)]),
    )
    if inferred is None:
        return {}
    baseline_mean, _, found = inferred
    numbers = {
        "baseline_mean": baseline_mean,
        **asdict(found),
        "p_alone": float(np.minimum(1.0, found.p_value / COPYING_SHARE)),
        "p_corrected": gatekept_share(primary_p, found.p_value, share=COPYING_SHARE),
        "confidence": confidence,
    }
    return {"baseline": best, "validation_means": means, **finite(numbers)}
