"""Verdict of a comparison: better, worse, equivalent or inconclusive, with its reasons."""

from __future__ import annotations

import math
from dataclasses import dataclass

from finllm.stats import rounding
from finllm.stats.power import required_n

VERDICTS = ("better", "worse", "equivalent", "inconclusive")


@dataclass(frozen=True)
class Verdict:
    """Verdict with the frequentist and Bayesian answers and their explanation in sentences."""

    verdict: str  # one of VERDICTS
    frequentist: str  # one of VERDICTS
    bayesian: str  # one of VERDICTS, or "not usable"
    reason: str
    disagreement: str  # empty if both answers are the same
    n_clusters_needed: int | None  # in total; None unless inconclusive and computable


def decide(
    *,
    estimate: float,
    low: float,
    high: float,
    p_value: float,
    alpha: float,
    rope_low: float,
    rope_high: float,
    p_better: float,
    p_rope: float,
    bayes_usable: bool,
    n_clusters: int,
    cluster_sd: float,
    power: float = 0.8,
) -> Verdict:
    """Decide on the primary metric by its interval, p-value, ROPE and posterior.

    The frequentist answer is the verdict, since its error rate was measured
    (``benchmarks/calibration.py``):

    - equivalent: the interval is entirely inside the ROPE, significant or not. With a 95 % interval
      this equals two one-sided tests at 2.5 % each, stricter than the usual 5 % (Schuirmann 1987;
      Kruschke 2018).
    - better, worse: p is below ``alpha`` and the interval on one side of zero.
    - inconclusive: anything else. This is *not* evidence of no difference.

    The Bayesian answer is equivalent if P(in ROPE) is at least 1 - alpha, and better or worse if
    P(better) is above 1 - alpha / 2 or below alpha / 2. A disagreement is explained but does not
    change the verdict, except that better against worse is inconclusive.

    An inconclusive verdict gives the number of clusters that would detect, with this ``power``, a
    true difference as large as the nearer edge of the ROPE (the smallest that matters; the observed
    estimate if the ROPE has no width), given the observed spread of cluster means. That spread is
    itself uncertain: below 20 clusters, read the number as an order of magnitude.

    A NaN interval is inconclusive, and so is a NaN p-value unless the interval is inside the ROPE.
    """
    _check_shares(alpha, p_better, p_rope)
    if not rope_low <= 0 <= rope_high:
        raise ValueError(f"the ROPE is [{rope_low}, {rope_high}]; it must include zero")
    frequentist = _frequentist(low, high, p_value, alpha, rope_low, rope_high)
    bayesian = _bayesian(p_better, p_rope, alpha) if bayes_usable else "not usable"
    opposed = {frequentist, bayesian} == {"better", "worse"}
    verdict = "inconclusive" if opposed else frequentist
    needed = None
    if verdict == "inconclusive":
        needed = clusters_needed(
            estimate, cluster_sd, rope_low, rope_high, alpha=alpha, power=power
        )
    reason = _reason(verdict, low, high, p_value, alpha, rope_low, rope_high)
    if needed is not None:
        reason += _needed_sentence(needed, n_clusters, estimate, rope_low, rope_high, power)
    disagreement = _disagreement(frequentist, bayesian, p_better, p_rope)
    return Verdict(verdict, frequentist, bayesian, reason, disagreement, needed)


def clusters_needed(
    estimate: float,
    cluster_sd: float,
    rope_low: float,
    rope_high: float,
    *,
    alpha: float,
    power: float,
) -> int | None:
    """Return the number of clusters that detects the smallest difference that matters.

    Return None if the spread is zero or not finite, the ROPE has no width and the estimate is zero,
    or more than ten million clusters would be needed.
    """
    smallest = _smallest_that_matters(estimate, rope_low, rope_high)
    if not (math.isfinite(cluster_sd) and cluster_sd > 0 and smallest > 0):
        return None
    try:
        return required_n(smallest / cluster_sd, alpha=alpha, power=power)
    except ValueError:
        return None


def _smallest_that_matters(estimate: float, rope_low: float, rope_high: float) -> float:
    edges = [abs(edge) for edge in (rope_low, rope_high) if edge != 0]
    return min(edges) if edges else abs(estimate)


def _frequentist(
    low: float, high: float, p_value: float, alpha: float, rope_low: float, rope_high: float
) -> str:
    if rope_low < rope_high and rope_low <= low and high <= rope_high:
        return "equivalent"
    if p_value < alpha and low > 0:
        return "better"
    if p_value < alpha and high < 0:
        return "worse"
    return "inconclusive"


def _bayesian(p_better: float, p_rope: float, alpha: float) -> str:
    if p_rope >= 1 - alpha:
        return "equivalent"
    if p_better > 1 - alpha / 2:
        return "better"
    return "worse" if p_better < alpha / 2 else "inconclusive"


def _reason(
    verdict: str,
    low: float,
    high: float,
    p_value: float,
    alpha: float,
    rope_low: float,
    rope_high: float,
) -> str:
    interval, p = rounding.interval(low, high), rounding.equals(rounding.p_value(p_value))
    region = f"[{rounding.as_set(rope_low)}, {rounding.as_set(rope_high)}]"
    if verdict == "equivalent":
        also = "" if low <= 0 <= high else ", although it excludes zero"
        return f"The interval {interval} lies inside the region of equivalence {region}{also}."
    if verdict in ("better", "worse"):
        side = "above" if verdict == "better" else "below"
        clears = low > rope_high if verdict == "better" else high < rope_low
        size = "clears" if clears else "still overlaps"
        return (
            f"The interval {interval} lies {side} zero (p {p}, below {rounding.as_set(alpha)});"
            f" it {size} the region of equivalence {region}."
        )
    if not (math.isfinite(low) and math.isfinite(high) and math.isfinite(p_value)):
        return "There is no interval or no p-value to judge by: nothing varied between clusters."
    crosses = "includes zero" if low <= 0 <= high else f"excludes zero, but p {p}"
    return f"The interval {interval} {crosses} and reaches outside {region}."


def _needed_sentence(
    needed: int, n_clusters: int, estimate: float, rope_low: float, rope_high: float, power: float
) -> str:
    smallest = _smallest_that_matters(estimate, rope_low, rope_high)
    size = rounding.as_set(smallest) if rope_low < rope_high else rounding.score(smallest)
    if needed <= n_clusters:
        return (
            f" {n_clusters} companies are enough to detect a difference of {size} with"
            f" power {rounding.as_set(power)}; the true difference may lie between zero and that."
        )
    return (
        f" About {needed} companies (here {n_clusters}) would detect a difference of"
        f" {size} with power {rounding.as_set(power)}."
    )


def _disagreement(frequentist: str, bayesian: str, p_better: float, p_rope: float) -> str:
    if bayesian == frequentist:
        return ""
    if bayesian == "not usable":
        return "The posterior did not pass its diagnostics and is not used."
    said = f"The interval says {frequentist}, the posterior {bayesian}"
    better, inside = (rounding.equals(rounding.share(p)) for p in (p_better, p_rope))
    shares = f"P(better) {better}, P(in the region of equivalence) {inside}"
    return f"{said} ({shares}): {_why(frequentist, bayesian)}."


def _why(frequentist: str, bayesian: str) -> str:
    if {frequentist, bayesian} == {"better", "worse"}:
        return "they contradict each other, which points to skew or outliers; look at the data"
    if bayesian == "equivalent":
        return "the prior expects small effects and draws the posterior into the region"
    if frequentist == "equivalent":
        return "the interval is inside the region, while the posterior has weight beyond its edge"
    if frequentist == "inconclusive":
        return (
            "the interval allows for skew and the number of companies, which the model's"
            " normal errors do not"
        )
    return "the prior draws the estimate towards zero, so that the posterior misses its threshold"


def _check_shares(alpha: float, p_better: float, p_rope: float) -> None:
    for name, share in (("alpha", alpha), ("p_better", p_better), ("p_rope", p_rope)):
        if not (0 <= share <= 1 or (math.isnan(share) and name != "alpha")):
            raise ValueError(f"{name} is {share}; a share between 0 and 1 is needed")
