"""Looking after every seed with one error rate: what each look may spend of it."""

from __future__ import annotations

from functools import cache

import numpy as np
import scipy.stats
from scipy.optimize import brentq

GRID = 801  # points of the integration; levels are right to six digits
REACH = 9.0  # standard deviations that the integration covers


@cache
def spent_levels(alpha: float, looks: tuple[int, ...], n: int) -> tuple[float, ...]:
    """The one-sided level of each look, so that all together reject a true null in ``alpha``.

    ``looks`` are the numbers of seeds at which is looked, the last at most ``n``, the number at
    which the study ends. With t = seeds / n, the error spent until t is that of Lan and DeMets
    (1983, "Discrete sequential boundaries for clinical trials", their alpha_1), which follows
    O'Brien and Fleming's boundary::

        2 - 2 Phi(z_(alpha / 2) / sqrt(t))

    The levels follow from it by the recursion of Armitage, McPherson and Rowe (1969) for a process
    with independent increments, in which two looks correlate by ``sqrt(t_j / t_k)``. Companies are
    the same at every look, so that the looks of a study correlate *more* than that, and the levels
    are conservative (Slepian 1962). Student's p-values are compared with the levels of the normal
    process ("significance level approach": Jennison and Turnbull 1999, *Group Sequential Methods*,
    section 3.8). ``benchmarks/study_calibration.py`` measures what the whole keeps.

    >>> [round(level, 5) for level in spent_levels(0.025, (3, 4, 5), 5)]
    [0.00381, 0.01105, 0.02114]
    """
    shares = np.array(looks, dtype=np.float64) / n
    if not len(shares) or (np.diff(shares) <= 0).any() or shares[0] <= 0 or shares[-1] > 1:
        raise ValueError(f"looks at {list(looks)} of {n} seeds; they must rise up to {n} at most")
    spent = 2 * scipy.stats.norm.sf(scipy.stats.norm.isf(alpha / 2) / np.sqrt(shares))
    to_spend = np.diff(spent, prepend=0.0)
    levels, before = [], 0.0
    grid, density = np.zeros(1), np.ones(1)  # of the sum of increments, before the first look
    for share, wanted in zip(shares, to_spend, strict=True):
        step = np.sqrt(share - before)
        process = float(wanted), float(np.sqrt(share)), float(step), grid, density
        bound = brentq(_excess, -REACH, REACH, args=process)
        levels.append(float(scipy.stats.norm.sf(bound)))
        new = np.linspace(-REACH * np.sqrt(share), bound * np.sqrt(share), GRID)
        weight = np.full(GRID, new[1] - new[0])
        weight[[0, -1]] /= 2
        kernel = scipy.stats.norm.pdf((new[:, None] - grid) / step) / step
        grid, density, before = new, (kernel @ density) * weight, share
    return tuple(levels)


def _excess(
    z: float, wanted: float, scale: float, step: float, grid: np.ndarray, density: np.ndarray
) -> float:
    """How much more than ``wanted`` a bound of z lets cross it now and not before."""
    return float(density @ scipy.stats.norm.sf((z * scale - grid) / step)) - wanted
