"""Agreement between raters beyond chance: Krippendorff's alpha and Cohen's kappa."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike

from finllm.stats.resampling import check_levels, percentile_interval, resampling_counts

LEVELS = ("nominal", "ordinal", "interval", "ratio")
WEIGHTS = ("none", "linear", "quadratic")


@dataclass(frozen=True)
class Agreement:
    """Chance-corrected agreement, 1 if perfect and 0 at chance level, with its interval."""

    estimate: float
    low: float
    high: float
    n_units: int


def krippendorff_alpha(
    ratings: ArrayLike,
    level: str = "nominal",
    *,
    confidence: float = 0.95,
    n_bootstrap: int = 10000,
    rng: np.random.Generator | None = None,
) -> Agreement:
    """Compute Krippendorff's alpha of ``ratings``, shape (n_raters, n_units), NaN if missing.

    ``1 - D_observed / D_expected`` from the coincidence matrix (Krippendorff 2011, "Computing
    Krippendorff's alpha-reliability", sections C and D), for nominal, ordinal, interval or ratio
    ratings. Units with fewer than two ratings are not counted.

    The interval is a percentile bootstrap over units (Krippendorff's own bootstrap resamples pairs
    of ratings and is narrower); without ``rng`` its ends are NaN. The estimate is NaN if all
    ratings are equal, since chance agreement is undefined without variation. Do not trust alpha
    below about twenty units. Krippendorff requires 0.8, or 0.667 for tentative conclusions.
    """
    if level not in LEVELS:
        raise ValueError(f"level is {level!r}; one of {', '.join(LEVELS)}")
    check_levels(confidence, n_bootstrap)
    table = np.asarray(ratings, dtype=np.float64)
    if table.ndim != 2 or len(table) < 2:
        raise ValueError(f"ratings has shape {table.shape}; (at least 2 raters, units) needed")
    if np.isinf(table).any():
        raise ValueError("ratings contains an infinity; use finite numbers, or NaN for no rating")
    table = table[:, np.isfinite(table).sum(axis=0) >= 2]
    if table.shape[1] == 0:
        raise ValueError("no unit has two ratings; agreement needs at least one that does")
    values = np.unique(table[np.isfinite(table)])
    coincidences = _coincidences(table, values)
    estimate = _alpha(coincidences.sum(axis=0)[None], values, level)[0]
    if rng is None:
        return Agreement(float(estimate), float("nan"), float("nan"), table.shape[1])
    counts = resampling_counts(table.shape[1], n_bootstrap, rng)
    n_parts = 1 + counts.shape[0] * len(values) ** 2 // 2_000_000  # so that memory stays small
    replicates = np.concatenate(
        [
            _alpha(np.tensordot(part, coincidences, axes=1), values, level)
            for part in np.array_split(counts, n_parts)
        ]
    )
    replicates = replicates[np.isfinite(replicates)]
    low = high = float("nan")
    if np.isfinite(estimate) and len(replicates):
        low, high = percentile_interval(replicates, confidence)
    return Agreement(float(estimate), low, high, table.shape[1])


def cohen_kappa(
    first: Sequence[Hashable],
    second: Sequence[Hashable],
    *,
    labels: Sequence[Hashable] | None = None,
    weights: str = "none",
    confidence: float = 0.95,
) -> Agreement:
    """Compute Cohen's kappa of two raters, plain or weighted by the distance within ``labels``.

    ``1 - sum(v p_observed) / sum(v p_expected)`` (Cohen 1960, 1968) with disagreement weights v of
    0/1, ``|i - j|`` or ``(i - j)^2``. ``labels`` is the complete scale in order: a label that
    nobody used still counts in the weights, so leaving it out changes the result. Plain kappa does
    not depend on the scale, and ``labels`` may be omitted.

    The interval uses the large-sample standard error of Fleiss, Cohen and Everitt (1969) and is
    clipped to -1 and 1; do not trust it below about 50 units. NaN if the expected agreement is
    perfect (both raters always give the same single label).
    """
    if weights not in WEIGHTS:
        raise ValueError(f"weights is {weights!r}; one of {', '.join(WEIGHTS)}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; a share between 0 and 1 is needed")
    if labels is None:
        if weights != "none":
            raise ValueError(f"labels is None; {weights} weights need the whole scale in order")
        labels = list(dict.fromkeys([*first, *second]))
    table = _cross_table(first, second, labels)
    n = table.sum()
    p = table / n
    distance = np.abs(np.subtract.outer(np.arange(len(labels)), np.arange(len(labels))))
    power = {"none": 0, "linear": 1, "quadratic": 2}[weights]
    disagreement = np.where(distance > 0, distance.astype(float) ** power, 0.0)
    agreement = 1 - disagreement / max(disagreement.max(), 1.0)
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    observed, expected = (agreement * p).sum(), rows @ agreement @ columns
    if np.isclose(expected, 1, rtol=0, atol=1e-12):
        return Agreement(float("nan"), float("nan"), float("nan"), int(n))
    kappa = (observed - expected) / (1 - expected)
    # Mean weights of each row and column, equation 8 of Fleiss, Cohen and Everitt.
    mean_weights = np.add.outer(agreement @ columns, rows @ agreement)
    spread = (p * (agreement - mean_weights * (1 - kappa)) ** 2).sum()
    variance = (spread - (kappa - expected * (1 - kappa)) ** 2) / (n * (1 - expected) ** 2)
    reach = scipy.stats.norm.isf((1 - confidence) / 2) * np.sqrt(max(variance, 0.0))
    low, high = max(-1.0, kappa - reach), min(1.0, kappa + reach)
    return Agreement(float(kappa), float(low), float(high), int(n))


def _cross_table(
    first: Sequence[Hashable], second: Sequence[Hashable], labels: Sequence[Hashable]
) -> np.ndarray:
    if len(first) != len(second) or not len(first):
        raise ValueError(
            f"{len(first)} and {len(second)} ratings; the numbers must be equal and at least 1"
        )
    position = {label: i for i, label in enumerate(labels)}
    if len(position) != len(labels) or len(labels) < 2:
        raise ValueError(f"labels is {list(labels)}; at least two distinct labels are needed")
    table = np.zeros((len(labels), len(labels)))
    for a, b in zip(first, second, strict=True):
        for rating in (a, b):
            if rating not in position:
                raise ValueError(f"rating {rating!r} is not among the labels {list(labels)}")
        table[position[a], position[b]] += 1
    return table


def _coincidences(table: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Count the ordered pairs of values in each unit, divided by its number of ratings - 1."""
    held = (table[:, :, None] == values).sum(axis=0).astype(np.float64)  # (units, values)
    pairs = held[:, :, None] * held[:, None, :]
    diagonal = np.arange(len(values))
    pairs[:, diagonal, diagonal] -= held
    return pairs / (held.sum(axis=1) - 1)[:, None, None]


def _alpha(coincidences: np.ndarray, values: np.ndarray, level: str) -> np.ndarray:
    """Return alpha for each of a stack of coincidence matrices; NaN if only one value occurs."""
    totals = coincidences.sum(axis=2)
    n = totals.sum(axis=1)
    if level == "ordinal":
        # Squared number of ranks between two values, with half of each end.
        middle = np.cumsum(totals, axis=1) - totals / 2
        distance = (middle[:, :, None] - middle[:, None, :]) ** 2
    else:
        gap = np.abs(values[:, None] - values[None, :])
        if level == "nominal":
            gap = (gap > 0).astype(float)
        if level == "ratio":
            both = np.abs(values[:, None] + values[None, :])
            gap = np.where(both > 0, gap / np.where(both > 0, both, 1.0), 0.0)
        distance = np.broadcast_to(gap**2, coincidences.shape)
    observed = (coincidences * distance).sum(axis=(1, 2)) / n
    pairs = totals[:, :, None] * totals[:, None, :]
    expected = (pairs * distance).sum(axis=(1, 2)) / (n * np.maximum(n - 1, 1))
    varied = expected > 0
    return np.where(varied, 1 - observed / np.where(varied, expected, 1.0), np.nan)
