"""Decomposition of the gain into the effects of tuning and of the decoding rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from finllm.comparing.robustness import paired_change
from finllm.records import FREE, METRICS, Score

# For each part, the model and whether the decoding rules apply, before and after.
PARTS = {
    "tuning": (("base", False), ("tuned", False)),
    "decoding": (("base", False), ("base", True)),
    "both": (("base", False), ("tuned", True)),
}


@dataclass(frozen=True)
class Part:
    """One metric before and after tuning, decoding rules, or both, on the same examples."""

    part: str
    metric: str
    original: float  # mean of company means, as are the next two
    changed: float
    estimate: float  # changed minus original
    low: float
    high: float
    n_companies: int
    n_examples: int


def parts_of_gain(
    ruled: Sequence[Score],
    free: Sequence[Score],
    *,
    confidence: float,
    n_bootstrap: int,
    seed: int,
) -> list[Part]:
    """Return each part of the gain for each metric.

    Only test examples that were also answered without the decoding rules count. Intervals and
    omissions are as in ``finllm.comparing.robustness``; nothing is corrected for the number of
    metrics. The result is empty if no answer was written without the rules.
    """
    values = {(s.model, False, s.example_id): s for s in free if s.split == FREE}
    drawn = {example_id for _, _, example_id in values}
    values |= {
        (s.model, True, s.example_id): s
        for s in ruled
        if s.split == "test" and s.example_id in drawn
    }
    found = []
    for part, (before, after) in PARTS.items():
        pairs = [(values[*before, i], values[*after, i]) for i in sorted(drawn)]
        for position, metric in enumerate(METRICS):
            change = paired_change(
                pairs, metric, confidence=confidence, n_bootstrap=n_bootstrap, seed=[seed, position]
            )
            if change:
                found.append(Part(part, metric, **change))
    return found
