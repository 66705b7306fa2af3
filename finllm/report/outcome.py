"""Verdict on the primary metric with its figures, as stored in verdict.json."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass

from finllm.stats.verdict import decide

BEATS, LOSES, UNCLEAR = "yes", "no", "unclear"  # whether tuned is better than copying


@dataclass(frozen=True)
class Copying:
    """Tuned minus the model-free baseline that was best on validation; None for missing numbers."""

    answer: str  # BEATS, LOSES or UNCLEAR
    baseline: str  # one of finllm.scoring.baselines.BASELINES
    baseline_mean: float  # mean of company means
    difference: float
    low: float | None
    high: float | None
    p_corrected: float | None
    confidence: float  # of the interval


@dataclass(frozen=True)
class Outcome:
    """Verdict with its figures; None for values that the data do not give."""

    primary_metric: str
    verdict: str  # one of finllm.stats.verdict.VERDICTS
    frequentist: str
    bayesian: str
    reason: str
    disagreement: str
    alpha: float
    rope: float
    n_examples: int
    n_companies: int
    base_mean: float  # mean of company means
    tuned_mean: float
    difference: float
    bayes_usable: bool
    n_clusters_needed: int | None = None
    low: float | None = None
    high: float | None = None
    p_corrected: float | None = None
    cohens_d: float | None = None
    p_better: float | None = None
    p_rope: float | None = None
    hdi_low: float | None = None
    hdi_high: float | None = None
    bf10: float | None = None
    log_bf10: float | None = None
    copying: Copying | None = None  # None if no baseline was compared
    candidate: str | None = None  # "preferred" if that model replaces the tuned one


def outcome(
    significance: Mapping,
    bayes_stats: Mapping,
    *,
    primary: str,
    alpha: float,
    rope: float,
    candidate: str = "tuned",
) -> Outcome:
    """Return the verdict on the ``primary`` metric from the results of both statistics stages.

    The region of practical equivalence is ``[-rope, rope]``. Do not use the Bayesian figures if
    ``bayes_usable`` is false: the sampler's diagnostics failed, or nothing varied.

    Raises
    ------
    ValueError
        If either stage was run for another primary metric: its correction is not valid here.
    """
    for name, row in (("significance", significance), ("bayes_stats", bayes_stats)):
        if row["primary_metric"] != primary:
            raise ValueError(
                f"{name} was run for the primary metric {row['primary_metric']}, and "
                f"verdict.primary_metric is {primary}; run `dvc repro`"
            )
    tests, posterior = significance["metrics"][primary], bayes_stats["metrics"][primary]
    usable = posterior["usable"]
    nan = math.nan
    found = decide(
        estimate=tests["difference"],
        low=tests.get("low", nan),
        high=tests.get("high", nan),
        p_value=tests.get("p_corrected", nan),
        alpha=alpha,
        rope_low=-rope,
        rope_high=rope,
        p_better=posterior.get("p_better", nan),
        p_rope=posterior.get("p_rope", nan),
        bayes_usable=usable,
        n_clusters=tests["n_clusters"],
        cluster_sd=tests.get("cluster_sd", nan),
    )
    from_posterior = ("p_better", "p_rope", "hdi_low", "hdi_high", "bf10", "log_bf10")
    return Outcome(
        primary_metric=primary,
        alpha=alpha,
        rope=rope,
        n_examples=tests["n"],
        n_companies=tests["n_clusters"],
        base_mean=tests["base_mean"],
        tuned_mean=tests["tuned_mean"],
        difference=tests["difference"],
        bayes_usable=usable,
        **{key: tests.get(key) for key in ("low", "high", "p_corrected", "cohens_d")},
        **{key: posterior.get(key) for key in from_posterior},
        **dataclasses.asdict(found),
        copying=_copying(significance.get("copying", {}), alpha=alpha, rope=rope),
        candidate=None if candidate == "tuned" else candidate,
    )


def _copying(tests: Mapping, *, alpha: float, rope: float) -> Copying | None:
    """Decide by the rule of the verdict whether tuned beats copying.

    The answer "yes" requires that the primary test is significant. "No" (worse, or equivalent
    within the ROPE) claims no gain and does not require it.
    """
    if not tests:
        return None
    nan = math.nan
    alone = decide(
        estimate=tests["estimate"],
        low=tests.get("low", nan),
        high=tests.get("high", nan),
        p_value=tests.get("p_alone", nan),
        alpha=alpha,
        rope_low=-rope,
        rope_high=rope,
        p_better=nan,
        p_rope=nan,
        bayes_usable=False,
        n_clusters=tests["n_clusters"],
        cluster_sd=tests.get("cluster_sd", nan),
    ).frequentist
    answer = LOSES if alone in ("worse", "equivalent") else UNCLEAR
    if alone == "better" and tests.get("p_corrected", nan) < alpha:
        answer = BEATS
    return Copying(
        answer=answer,
        baseline=tests["baseline"],
        baseline_mean=tests["baseline_mean"],
        difference=tests["estimate"],
        confidence=tests["confidence"],
        **{key: tests.get(key) for key in ("low", "high", "p_corrected")},
    )


def to_metrics(found: Outcome) -> dict[str, object]:
    """Return the contents of verdict.json, without missing values."""
    fields = dataclasses.asdict(found)
    return {key: value for key, value in fields.items() if value is not None and value != ""}


def from_metrics(row: Mapping) -> Outcome:
    """Return the Outcome of the contents of verdict.json, the inverse of ``to_metrics``.

    Raises
    ------
    ValueError
        If a key is missing or unknown, as in a file of another version.
    """
    try:
        copying = Copying(**row["copying"]) if row.get("copying") else None
        return Outcome(**{"reason": "", "disagreement": "", **row, "copying": copying})
    except TypeError as error:
        raise ValueError(f"not a verdict of this version ({error}); run `make repro`") from None
