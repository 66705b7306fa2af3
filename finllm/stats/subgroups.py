"""Differences by template, sector, quarter and length, to find hidden regressions."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from finllm.stats.clusters import finite_vector
from finllm.stats.inference import infer_mean
from finllm.stats.multiplicity import holm

MIN_CLUSTERS = 5  # with fewer, an interval by company is almost uninformative


@dataclass(frozen=True)
class Subgroup:
    """Tuned minus base in one subgroup; the interval is NaN with too few companies."""

    estimate: float
    low: float
    high: float
    p_value: float
    p_adjusted: float  # by Holm over all subgroups of all groupings
    n: int
    n_clusters: int
    n_up: int  # examples that improved
    n_down: int  # examples that got worse; the rest are unchanged


def compare_subgroups(
    differences: ArrayLike,
    clusters: Sequence[Hashable],
    groupings: Mapping[str, Sequence[str]],
    *,
    confidence: float,
    n_bootstrap: int,
    seed: int,
) -> dict[str, dict[str, Subgroup]]:
    """Apply ``infer_mean`` to each level of each grouping, and correct all p-values together.

    ``groupings`` maps a name to the level of each example. The intervals have ``confidence`` each,
    not simultaneously: of twenty subgroups without an effect, about one excludes zero at 95 %.
    ``p_adjusted`` accounts for this (Holm 1979, over all subgroups tested, of any grouping).

    Subgroups are explored after the fact and do not enter the verdict: a subgroup is a lead, not a
    finding (Assmann et al. 2000, Lancet 355:1064). A level with fewer than ``MIN_CLUSTERS``
    companies has only counts and an estimate. That one subgroup is significant and another is not
    does not show a difference between them.

    Raises
    ------
    ValueError
        If values are not finite or a grouping has another length.
    """
    values = finite_vector(differences, "differences", at_least=0)
    companies = np.asarray(clusters)
    found: dict[str, dict[str, Subgroup]] = {}
    for position, (grouping, levels) in enumerate(groupings.items()):
        if not len(levels) == len(companies) == len(values):
            raise ValueError(
                f"{grouping} has {len(levels)} levels for {len(values)} differences of "
                f"{len(companies)} companies' examples; one each is needed"
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
    """Return subgroups whose interval is entirely below zero while that of the average is not.

    ``found`` has the fields of ``Subgroup`` by grouping and level; fields that are NaN may be
    missing. The result is a list of (grouping, level, fields), the lowest estimate first.
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
