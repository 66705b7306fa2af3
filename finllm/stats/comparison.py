"""Frequentist comparison of two models on every metric, by company, with correction."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from finllm.stats.clusters import cluster_means
from finllm.stats.effects import cohens_d, cohens_d_z
from finllm.stats.inference import infer_mean
from finllm.stats.multiplicity import gatekept_bonferroni
from finllm.stats.paired_tests import (
    paired_t_test,
    shapiro_wilk,
    sign_flip_permutation_test,
    wilcoxon_signed_rank,
)
from finllm.stats.resampling import bootstrap_ci


@dataclass(frozen=True)
class MetricComparison:
    """Comparison of two models on one metric; means are means of company means."""

    base_mean: float
    tuned_mean: float
    difference: float  # tuned - base
    low: float
    high: float
    p_value: float
    p_corrected: float
    p_paired_t: float
    p_wilcoxon: float
    p_sign_flip: float
    p_shapiro: float
    bootstrap_low: float
    bootstrap_high: float
    cohens_d: float
    cohens_d_z: float
    cluster_sd: float
    n: int
    n_clusters: int


def compare(
    base: Mapping[str, np.ndarray],
    tuned: Mapping[str, np.ndarray],
    clusters: Sequence[Hashable],
    *,
    primary: str,
    confidence: float,
    n_permutations: int,
    n_bootstrap: int,
    seed: int,
    others_share: float = 1.0,
) -> dict[str, MetricComparison]:
    """Compare two models on every metric of ``base``.

    The unit of evidence is the company: means, tests and resampling use company means.
    ``infer_mean`` gives the interval and the p-value; the classical tests are reported in addition.
    NaN marks an example for which a metric is not defined; the example is left out for that metric
    only. A metric other than the primary is left out if it is defined in fewer than two companies.

    The correction is a fixed sequence: the primary metric, named before the run, is tested alone.
    The others are tested by Bonferroni among themselves, and only if the primary is significant, so
    that their corrected p-value is never below the primary's (Maurer, Hothorn and Lehmacher 1995).
    The chance of any false claim in the whole table is then at most 1 - confidence. With
    ``others_share`` the others get only that share of it; the rest is left for another question
    after the same gate.

    Raises
    ------
    ValueError
        If the primary metric is not in ``base`` or is defined in fewer than two companies, the
        arms differ in length, or a score is infinite.
    """
    if primary not in base:
        raise ValueError(f"the primary metric is {primary!r}; the metrics are {', '.join(base)}")
    arms = {name: _arms(base[name], tuned[name], clusters, name) for name in base}
    n_companies = {name: len(set(companies)) for name, (_, _, companies) in arms.items()}
    if n_companies[primary] < 2:
        raise ValueError(
            f"{primary} is defined in {n_companies[primary]} companies; at least 2 are needed"
        )
    found = {
        name: _one_metric(
            *arms[name],
            confidence=confidence,
            n_permutations=n_permutations,
            n_bootstrap=n_bootstrap,
            rng=np.random.default_rng([seed, position]),
        )
        for position, name in enumerate(base)
        if n_companies[name] >= 2
    }
    ordered = [primary, *(name for name in found if name != primary)]
    first, *rest = (found[name].p_value for name in ordered)
    corrected = dict(
        zip(ordered, gatekept_bonferroni(first, rest, share=others_share), strict=True)
    )
    return {
        name: dataclasses.replace(c, p_corrected=float(corrected[name]))
        for name, c in found.items()
    }


def _arms(
    base: np.ndarray, tuned: np.ndarray, clusters: Sequence[Hashable], name: str
) -> tuple[np.ndarray, np.ndarray, list[Hashable]]:
    """Return tuned, base and companies of the examples that have a score in both arms."""
    x, y = np.asarray(tuned, dtype=np.float64), np.asarray(base, dtype=np.float64)
    if not len(x) == len(y) == len(clusters):
        raise ValueError(
            f"{name} has {len(y)} scores of base and {len(x)} of tuned on {len(clusters)} "
            "examples; one each is needed"
        )
    if np.isinf(x).any() or np.isinf(y).any():
        raise ValueError(f"{name} contains an infinity; use finite scores, or NaN for no score")
    defined = np.isfinite(x) & np.isfinite(y)
    return x[defined], y[defined], [c for c, keep in zip(clusters, defined, strict=True) if keep]


def _one_metric(
    x: np.ndarray,
    y: np.ndarray,
    companies: list[Hashable],
    *,
    confidence: float,
    n_permutations: int,
    n_bootstrap: int,
    rng: np.random.Generator,
) -> MetricComparison:
    d = x - y
    mean = infer_mean(d, companies, confidence=confidence, n_bootstrap=n_bootstrap, rng=rng)
    interval = bootstrap_ci(
        cluster_means(d, companies).means,
        n_bootstrap=n_bootstrap,
        confidence=confidence,
        method="bca",
        rng=rng,
    )
    enough = len(set(companies)) >= 3
    return MetricComparison(
        base_mean=float(cluster_means(y, companies).means.mean()),
        tuned_mean=float(cluster_means(x, companies).means.mean()),
        difference=mean.estimate,
        low=mean.low,
        high=mean.high,
        p_value=mean.p_value,
        p_corrected=float("nan"),
        p_paired_t=paired_t_test(d, companies).p_value,
        p_wilcoxon=wilcoxon_signed_rank(d, companies).p_value,
        p_sign_flip=sign_flip_permutation_test(d, n_permutations, rng, companies).p_value,
        p_shapiro=shapiro_wilk(d, companies).p_value if enough else float("nan"),
        bootstrap_low=interval.low,
        bootstrap_high=interval.high,
        cohens_d=cohens_d(x, y, companies, n_bootstrap=n_bootstrap, rng=rng).estimate,
        cohens_d_z=cohens_d_z(d, companies, n_bootstrap=n_bootstrap, rng=rng).estimate,
        cluster_sd=mean.cluster_sd,
        n=mean.n,
        n_clusters=mean.n_clusters,
    )
