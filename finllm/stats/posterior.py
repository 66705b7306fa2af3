"""Summaries of posterior draws: intervals and shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from finllm.stats.clusters import finite_vector


def hdi(draws: ArrayLike, prob: float = 0.95) -> tuple[float, float]:
    """Return the narrowest interval that contains ``prob`` of the draws.

    See Kruschke (2015), section 25.2.3. Under skew it differs from the equal-tailed interval. Its
    ends are single order statistics, so do not rely on a second digit with fewer than a few
    thousand draws, and do not use it for a posterior with two modes.

    >>> hdi([0, 1, 2, 3, 4, 5, 6, 7, 8, 90], 0.8)
    (0.0, 8.0)
    """
    if not 0 < prob < 1:
        raise ValueError(f"prob is {prob}; a share between 0 and 1 is needed")
    ordered = np.sort(finite_vector(draws, "draws", at_least=2))
    span = int(np.floor(prob * len(ordered)))
    narrowest = np.argmin(ordered[span:] - ordered[: len(ordered) - span])
    return float(ordered[narrowest]), float(ordered[narrowest + span])


def share_above(draws: ArrayLike, bound: float) -> float:
    """Return the share of draws above ``bound``: for the mean difference and 0, P(tuned is better).

    Draws equal to the bound count as half, so that P(better) + P(worse) = 1.
    """
    values = finite_vector(draws, "draws")
    return float((values > bound).mean() + (values == bound).mean() / 2)


def share_inside(draws: ArrayLike, low: float, high: float) -> float:
    """Return the share of draws inside ``[low, high]``: P(practically equivalent) for a ROPE.

    The share is of *all* draws, not of those inside the 95 % HDI: the two conventions differ
    (Kruschke 2018 compares the HDI; Makowski et al. 2019 recommend all draws).
    """
    if not low <= high:
        raise ValueError(f"the region is [{low}, {high}]; low must not be above high")
    values = finite_vector(draws, "draws")
    return float(((values >= low) & (values <= high)).mean())
