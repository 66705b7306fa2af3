"""The power of a study: the probability of each verdict, by simulating its analysis."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from finllm.commands.study.answer import verdict
from finllm.commands.study.file import MIN_SEEDS, Power, Study
from finllm.commands.study.table import Table

N_SIMULATIONS = 400


@dataclass(frozen=True)
class Chances:
    """Shares of verdicts in simulated studies; the Monte Carlo error is at most 0.025 at 400."""

    confirmed: float
    refuted: float
    undecided: float
    mean_seeds: float  # seeds run; fewer than planned if a look was decisive
    n_simulations: int


def chances(study: Study, *, n_simulations: int = N_SIMULATIONS, seed: int = 7) -> Chances | None:
    """Estimate the probability of each verdict if means and spreads are as the study file assumes.

    Company means are drawn from the model of ``contrast``: the mean of each level plus normal
    deviations of the level's effect over companies (``company_sd``), over seeds (``seed_sd``) and
    the rest (``rest_sd``). Deviations of companies that all levels share cancel and are not drawn.
    Sequential looks are simulated. Return None if the file assumes nothing, or nothing is random.
    """
    if study.power is None or study.exact:
        return None
    rng = np.random.default_rng(seed)
    ends, seeds = Counter(), 0
    for _ in range(n_simulations):
        means = draw(study.power, n_seeds=len(study.seeds), rng=rng)
        said, n = ending(study, means)
        ends[said] += 1
        seeds += n
    shares = [ends[name] / n_simulations for name in ("confirmed", "refuted", "undecided")]
    return Chances(*shares, seeds / n_simulations, n_simulations)


def draw(power: Power, *, n_seeds: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the company means of one simulated study, shape (levels, seeds, companies)."""
    n_levels, n_companies = len(power.means), power.companies
    means = np.array(power.means)[:, None, None] + np.zeros((n_levels, n_seeds, n_companies))
    if n_companies > 1:
        means += rng.normal(0.0, power.company_sd, (n_levels, 1, n_companies))
    means += rng.normal(0.0, power.seed_sd, (n_levels, n_seeds, 1))
    return means + rng.normal(0.0, power.rest_sd, means.shape)


def ending(study: Study, means: np.ndarray) -> tuple[str, int]:
    """Return the verdict on company means of all planned seeds, and the number of seeds it took."""
    n_seeds = means.shape[1]
    for n in range(MIN_SEEDS if study.sequential else n_seeds, n_seeds + 1):
        said = verdict(study, as_table(study, means[:, :n]))
        if said != "undecided":
            break
    return said, n


def as_table(study: Study, means: np.ndarray) -> Table:
    """Return means as a study's table, with numbers as names of companies."""
    names = tuple(level.name for level in study.levels)
    companies = tuple(map(str, range(means.shape[2])))
    return Table(names, tuple(range(means.shape[1])), companies, means, means.shape[2], ())
