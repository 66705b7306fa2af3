"""The candidate of the verdict in the place of the tuned model, in scores and in metrics.

The report calls the model under test "tuned". If ``verdict.candidate`` is another model, its
scores and metrics take that name here and nowhere else, and those of the tuned model, from which
its training started, take the name ``BEFORE``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from finllm.records import Score

TUNED, BEFORE = "tuned", "before"
# what the stage evaluate measures for the tuned model alone
OF_TUNED_ALONE = ("parts_of_gain", "cross_domain", "by_language", "correlations")


def with_candidate(scores: Sequence[Score], candidate: str) -> list[Score]:
    """Replace the scores of the tuned model with those of the verdict's candidate."""
    return [
        replace(score, model=TUNED) if score.model == candidate else score
        for score in scores
        if score.model != TUNED or candidate == TUNED
    ]


def metrics_with_candidate(
    metrics: Mapping[str, Mapping], candidate: str
) -> dict[str, Mapping[str, object]]:
    """Rename the candidate to ``tuned`` and the tuned model to ``before``, in every stage.

    Measurements that exist for the tuned model alone become empty: they say nothing about the
    candidate. The ratio of forgetting becomes that of both trainings.
    """
    if candidate == TUNED:
        return dict(metrics)
    names = {TUNED: BEFORE, candidate: TUNED}
    train, ratio = dict(metrics["train"]), metrics["prefer"]["forgetting"]["ratio"]
    if "forgetting" in train:
        train["forgetting"] = {"ratio": train["forgetting"]["ratio"] * ratio}
    tested = dict(metrics["significance"])
    if "chain" in tested:
        tested["chain"] = [
            {**row, **{end: names.get(row[end], row[end]) for end in ("before", "after")}}
            for row in tested["chain"]
        ]
    return {
        **metrics,
        **{f"predict_{new}": metrics[f"predict_{old}"] for old, new in names.items()},
        f"predict_{candidate}": {"answers": 0},
        "train": train,
        "evaluate": _evaluated(metrics["evaluate"], names),
        "significance": tested,
        "ratings": {**metrics["ratings"], "rated": BEFORE},
    }


def trained_by(metrics: Mapping[str, Mapping]) -> dict[str, Mapping]:
    """Return the metrics of the stages that train, by the name of the model that each made."""
    made = (BEFORE, TUNED) if f"predict_{BEFORE}" in metrics else (TUNED, "preferred")
    return dict(zip(made, (metrics["train"], metrics["prefer"]), strict=True))


def _evaluated(scored: Mapping, names: Mapping[str, str]) -> dict[str, object]:
    kept = {key: [] if key in OF_TUNED_ALONE else value for key, value in scored.items()}
    found = _renamed(kept, names)
    found.get("reference_perplexity", {}).pop("difference", None)  # of the tuned model, too
    return found


def _renamed(value: object, names: Mapping[str, str]) -> object:
    """Rename models that are keys, and those that are the value of a key ``model``."""
    if isinstance(value, Mapping):
        found = {names.get(key, key): _renamed(one, names) for key, one in value.items()}
        if isinstance(value.get("model"), str):
            found["model"] = names.get(value["model"], value["model"])
        return found
    if isinstance(value, list):
        return [_renamed(one, names) for one in value]
    return value
