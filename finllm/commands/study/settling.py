"""The number of runs that would settle an undecided study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import scipy.stats

from finllm.commands.study.contrasts import MeanSquares

POWER = 0.8  # of the suggested number of runs
MOST_SEEDS = 20  # a level; more are not suggested
MOST_TIMES = 16  # as many companies; more are not suggested


@dataclass(frozen=True)
class Goal:
    """What a study has to show of a comparison: that it lies ``distance`` or more from a bound."""

    distance: float
    squares: MeanSquares  # of the study so far
    rate: float  # one-sided error rate of the test
    miss: float  # probability that chance hides it, at one bound

    def reached(self, n_seeds: int, n_companies: int) -> bool:
        """Return whether a study of this size has the power, if spreads are those found so far."""
        one = self.squares.expected(n_seeds, n_companies).contrast(0.0)
        reach = one.critical(self.rate) + scipy.stats.norm.isf(self.miss)
        return self.distance >= reach * one.standard_error


def runs_needed(goals: Sequence[Goal]) -> tuple[int | None, int | None]:
    """Return the seeds a level, and the companies if more seeds alone do not suffice.

    All goals are reached with power 0.8 or more. The companies are doubled until at most
    ``MOST_SEEDS`` seeds suffice; seeds are None if ``MOST_TIMES`` as many companies are too few.
    Companies are None if those of the study suffice. Read only the order of magnitude: the spreads
    are estimated from few seeds.
    """
    before = goals[0].squares
    times = 1
    while times <= (MOST_TIMES if before.n_companies > 1 else 1):
        n_companies = times * before.n_companies
        fewest = before.n_seeds + 1 if times == 1 else before.n_seeds
        for n_seeds in range(fewest, MOST_SEEDS + 1):
            if all(goal.reached(n_seeds, n_companies) for goal in goals):
                return n_seeds, n_companies if times > 1 else None
        times *= 2
    return None, None
