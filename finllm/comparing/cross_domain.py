"""Gains on the test and transfer sets, and their difference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.stats

from finllm.comparing.pairs import Pairs
from finllm.records import METRICS
from finllm.stats.inference import MeanInference, infer_mean


@dataclass(frozen=True)
class Gain:
    """Mean of company means with its confidence interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class CrossDomain:
    """Gain (tuned minus base) of one metric on two sets, and the second gain minus the first."""

    test: Gain
    transfer: Gain
    change: Gain
    n_test_companies: int
    n_transfer_companies: int


def cross_domain(
    test: Pairs, transfer: Pairs, *, confidence: float, n_bootstrap: int, seed: int
) -> dict[str, CrossDomain]:
    """Return each metric's gain on the two sets and the difference of the gains.

    A metric that is defined in fewer than two companies of a set is left out. The results are
    exploratory: nothing is corrected for the number of metrics.
    """
    found = {}
    for position, metric in enumerate(METRICS):
        sets = [
            _infer(pairs, metric, confidence, n_bootstrap, np.random.default_rng([seed, position]))
            for pairs in (test, transfer)
        ]
        if sets[0] is not None and sets[1] is not None:
            found[metric] = CrossDomain(
                _gain(sets[0]),
                _gain(sets[1]),
                difference_of_means(sets[1], sets[0], confidence=confidence),
                sets[0].n_clusters,
                sets[1].n_clusters,
            )
    return found


def difference_of_means(a: MeanInference, b: MeanInference, *, confidence: float) -> Gain:
    """Return the mean of ``a`` minus that of ``b`` for sets without common companies (Welch 1947).

    With squared standard errors v over K companies each, the standard error is
    ``sqrt(v_a + v_b)``, and the degrees of freedom are
    ``(v_a + v_b)^2 / (v_a^2 / (K_a - 1) + v_b^2 / (K_b - 1))``. Do not trust the interval if a
    set has fewer than ten companies and skewed differences. It has zero width if nothing varies.
    """
    estimate = a.estimate - b.estimate
    v_a, v_b = a.standard_error**2, b.standard_error**2
    if v_a + v_b == 0:
        return Gain(estimate, estimate, estimate)
    df = (v_a + v_b) ** 2 / (v_a**2 / (a.n_clusters - 1) + v_b**2 / (b.n_clusters - 1))
    width = float(scipy.stats.t.isf((1 - confidence) / 2, df)) * (v_a + v_b) ** 0.5
    return Gain(estimate, estimate - width, estimate + width)


def _infer(
    pairs: Pairs, metric: str, confidence: float, n_bootstrap: int, rng: np.random.Generator
) -> MeanInference | None:
    differences = pairs.difference(metric)
    defined = np.isfinite(differences)
    companies = np.asarray(pairs.companies)[defined].tolist()
    if len(set(companies)) < 2:
        return None
    return infer_mean(
        differences[defined], companies, confidence=confidence, n_bootstrap=n_bootstrap, rng=rng
    )


def _gain(found: MeanInference) -> Gain:
    return Gain(found.estimate, found.low, found.high)
