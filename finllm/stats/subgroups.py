"""The difference by template, sector, quarter and length, to find hidden regressions."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from finllm.stats.clusters import finite_vector
from finllm.stats.inference import infer_mean
from finllm.stats.multiplicity import holm

MIN_CLUSTERS = 5  # with fewer an interval by company says next to nothing


@dataclass(frozen=True)
class Subgroup:
    """One metric in one subgroup, tuned minus base; NaN in the interval where companies are few."""

    estimate: float
    low: float
    high: float
    p_value: float
    p_adjusted: float  # by Holm over all subgroups of all groupings
    n: int
    n_clusters: int
    n_up: int  # examples that gained
    n_down: int  # examples that lost; the rest are unchanged


def compare_subgroups(
    differences: ArrayLike,
    clusters: Sequence[Hashable],
    groupings: Mapping[str, Sequence[str]],
    *,
    confidence: float,
    n_bootstrap: int,
    seed: int,
) -> dict[str, dict[str, Subgroup]]:
    """Every level of every grouping by ``infer_mean``, the p-values corrected over all of them.

    ``groupings`` maps a name to each example's level. The intervals are each at ``confidence`` and
    not simultaneous: of twenty subgroups in which nothing happened, one will exclude zero. That is
    what ``p_adjusted`` is for (Holm 1979, over every subgroup tested, whatever its grouping).

    Groupings are looked at after the fact and are not the verdict: a subgroup is a lead, not a
    finding (Assmann et al. 2000, Lancet 355:1064). A level with fewer than ``MIN_CLUSTERS``
    companies has counts and an estimate only. A difference between two subgroups is not tested by
    one of them being significant and the other not.

    Raises
    ------
    ValueError
        For values that are not finite or a grouping of another length.
    """
    values = finite_vector(differences, "differences", at_least=0)
    companies = np.asarray(clusters)
    found: dict[str, dict[str, Subgroup]] = {}
    for position, (grouping, levels) in enumerate(groupings.items()):
        if not len(levels) == len(companies) == len(values):
            raise ValueError(
                f"{grouping} has {len(levels)} levels for {len(values)} differences of "
                f"{len(companies)} companies' examples; one each"
            )
        codes = np.asarray(levels)
        rng = np.random.default_rng([seed, position])
        found[grouping] = {
            str(level): _one(values[at], companies[at].tolist(), confidence, n_bootstrap, rng)
            for level in sorted(set(levels))
            for at in [codes == level]
        }
    return _corrected(found)


def hidden_regressions(
    found: Mapping[str, Mapping[str, Mapping[str, float]]], *, average_high: float
) -> list[tuple[str, str, Mapping[str, float]]]:
    """Subgroups whose interval lies wholly below zero while the average's does not.

    ``found`` has the fields of ``Subgroup`` by grouping and level; what is NaN may be missing. As
    (grouping, level, fields), the lowest estimate first.
    """
    if average_high < 0:
        return []
    hidden = [
        (grouping, level, one)
        for grouping, levels in found.items()
        for level, one in levels.items()
        if one.get("high", 0.0) < 0
    ]
    return sorted(hidden, key=lambda item: (item[2]["estimate"], *item[:2]))


def _one(
    values: np.ndarray,
    companies: list[Hashable],
    confidence: float,
    n_bootstrap: int,
    rng: np.random.Generator,
) -> Subgroup:
    counts = {"n_up": int((values > 0).sum()), "n_down": int((values < 0).sum())}
    n_clusters, nan = len(set(companies)), float("nan")
    if n_clusters < MIN_CLUSTERS:
        codes = np.unique(companies, return_inverse=True)[1]
        means = np.bincount(codes, weights=values) / np.bincount(codes)
        return Subgroup(float(means.mean()), nan, nan, nan, nan, len(values), n_clusters, **counts)
    mean = infer_mean(values, companies, confidence=confidence, n_bootstrap=n_bootstrap, rng=rng)
    return Subgroup(
        mean.estimate, mean.low, mean.high, mean.p_value, nan, mean.n, n_clusters, **counts
    )


def _corrected(found: dict[str, dict[str, Subgroup]]) -> dict[str, dict[str, Subgroup]]:
    adjusted = iter(holm([one.p_value for levels in found.values() for one in levels.values()]))
    return {
        grouping: {
            level: dataclasses.replace(one, p_adjusted=float(next(adjusted)))
            for level, one in levels.items()
        }
        for grouping, levels in found.items()
    }
