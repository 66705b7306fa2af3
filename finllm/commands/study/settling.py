"""The number of runs that would settle an undecided study."""

from __future__ import annotations

import math
from collections.abc import Sequence

import scipy.stats

from finllm.commands.study.contrasts import Contrast

POWER = 0.8  # of the suggested number of runs
MOST_SEEDS = 200  # more are not suggested


def runs_needed(
    distances: Sequence[tuple[float, Contrast]], *, rate: float, n_seeds: int, n_companies: int
) -> tuple[int | None, int | None]:
    """Return the total number of seeds, and of companies if more seeds alone do not suffice.

    Each comparison has a ``distance`` from zero to detect, which has power 0.8 if
    ``distance >= (z_(1 - rate) + z_0.8) se``. The two parts of the squared error shrink with the
    number of seeds and of companies. If more companies are needed, each part gets half of the
    allowed squared error. Seeds are None if more than ``MOST_SEEDS`` would be needed; companies are
    None if more seeds suffice. Read only the order of magnitude: the parts are estimated from few
    seeds.
    """
    z = scipy.stats.norm.isf(rate) + scipy.stats.norm.ppf(POWER)
    seeds, companies = n_seeds + 1, 0
    for distance, one in distances:
        allowed = (max(distance, 1e-12) / z) ** 2
        of_seeds = one.standard_error**2 * one.seed_share
        of_companies = one.standard_error**2 - of_seeds
        if of_companies >= allowed:
            companies = max(companies, math.ceil(2 * n_companies * of_companies / allowed))
            seeds = max(seeds, math.ceil(2 * n_seeds * of_seeds / allowed))
        else:
            seeds = max(seeds, math.ceil(n_seeds * of_seeds / (allowed - of_companies)))
    return (seeds if seeds <= MOST_SEEDS else None), (companies or None)
