"""The values of a study's cells as a balanced table: levels by seeds by companies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from finllm.commands.study.measure import RUN, Values


@dataclass(frozen=True)
class Table:
    """Company means of all compared cells."""

    levels: tuple[str, ...]
    seeds: tuple[int, ...]
    companies: tuple[str, ...]
    means: np.ndarray  # shape (levels, seeds, companies)
    n_examples: int
    left_out: tuple[str, ...]  # levels with too few runs


def table(
    cells: Mapping[tuple[str, int], Values],
    levels: Sequence[str],
    seeds: Sequence[int],
    *,
    at_least: int,
) -> Table | None:
    """Return the levels and seeds that can be compared, on the examples that all runs share.

    A level with fewer than ``at_least`` runs is left out, then each seed that one of the remaining
    levels lacks; None if fewer than two levels or ``at_least`` seeds remain. Failed runs are not
    missing at random: a level that fails often tends to look better here than it is.

    Raises
    ------
    ValueError
        If the runs share no example, or the shared examples are all of one company.
    """
    kept = [one for one in levels if sum((one, s) in cells for s in seeds) >= at_least]
    shared = [s for s in seeds if all((one, s) in cells for one in kept)]
    if len(kept) < 2 or len(shared) < at_least:
        return None
    values = [[cells[level, seed] for seed in shared] for level in kept]
    every = [cell for row in values for cell in row]
    ids = sorted(set.intersection(*(set(cell) for cell in every)))
    if not ids:
        raise ValueError("the runs have no example in common; the factor may not change the set")
    companies = sorted({every[0][i][0] for i in ids})
    if len(companies) == 1 and companies != [RUN]:
        raise ValueError(
            f"all {len(ids)} examples are of one company, {companies[0]}: how scores vary from one "
            "company to the next is what an answer rests on; at least 2 are needed"
        )
    code = {company: i for i, company in enumerate(companies)}
    codes = np.array([code[every[0][i][0]] for i in ids])
    sizes = np.bincount(codes)

    def by_company(cell: Values) -> np.ndarray:
        return np.bincount(codes, weights=[cell[i][1] for i in ids]) / sizes

    means = np.array([[by_company(cell) for cell in row] for row in values])
    left_out = tuple(one for one in levels if one not in kept)
    return Table(tuple(kept), tuple(shared), tuple(companies), means, len(ids), left_out)
