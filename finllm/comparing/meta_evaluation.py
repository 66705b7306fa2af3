"""Meta-evaluation of metrics: correlations and stability of the model ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats

from finllm.records import METRICS, Score
from finllm.stats.association import spearman
from finllm.stats.resampling import resampling_counts

MODEL = "tuned"  # the model whose answers are correlated, so that each example counts once


@dataclass(frozen=True)
class RankStability:
    """Stability of a metric's ranking of the models over resamples of the companies."""

    tau: float  # mean Kendall's tau-b between a resample's ranking and this sample's
    same_order: float  # share of the resamples with exactly this sample's ranking
    n_companies: int


def correlations(scores: Sequence[Score], *, split: str) -> dict[str, dict[str, float]]:
    """Return Spearman's rho of each pair of metrics over the tuned model's answers, with interval.

    Keys are "metric ~ metric". A pair is left out if fewer than four answers have both metrics, or
    one is constant. Examples of one company are not independent, so the intervals are too narrow.
    """
    rows = [score.values for score in scores if score.model == MODEL and score.split == split]
    found = {}
    for i, a in enumerate(METRICS):
        for b in METRICS[i + 1 :]:
            both = [(row[a], row[b]) for row in rows if row[a] is not None and row[b] is not None]
            if len(both) < 4:
                continue
            rho = spearman(*zip(*both, strict=True))
            if np.isfinite([rho.estimate, rho.low, rho.high]).all():
                found[f"{a} ~ {b}"] = {
                    "rho": rho.estimate,
                    "low": rho.low,
                    "high": rho.high,
                    "n": rho.n,
                }
    return found


def rank_stability(
    scores: Sequence[Score], *, split: str, n_bootstrap: int, rng: np.random.Generator
) -> dict[str, RankStability]:
    """Estimate for each metric how stable its ranking of the models is.

    Companies are drawn with replacement, the models are ranked by their mean over the examples
    drawn, and the ranking is compared with that of all companies. The result is uninformative for
    two models of which one is far ahead: every metric is then stable. Stability shows that a
    metric repeats itself, not that it is right.
    """
    chosen = [score for score in scores if score.split == split]
    companies = sorted({score.company for score in chosen})
    models = sorted({score.model for score in chosen})
    if len(companies) < 2 or len(models) < 2:
        return {}
    counts = resampling_counts(len(companies), n_bootstrap, rng)
    place = {company: i for i, company in enumerate(companies)}
    found = {}
    for metric in METRICS:
        means, full = [], []
        for model in models:
            sums, sizes = np.zeros(len(companies)), np.zeros(len(companies))
            for score in chosen:
                value = score.values[metric]
                if score.model == model and value is not None:
                    sums[place[score.company]] += value
                    sizes[place[score.company]] += 1
            if not sizes.any():
                break
            drawn = counts @ sizes
            means.append(np.divide(counts @ sums, drawn, out=np.zeros_like(drawn), where=drawn > 0))
            full.append(sums.sum() / sizes.sum())
        if len(full) == len(models):
            found[metric] = _stability(np.array(means).T, np.array(full), len(companies))
    return found


def _stability(means: np.ndarray, full: np.ndarray, n_companies: int) -> RankStability:
    """Compare the ranking in each resample with the full one.

    ``means`` of the models has shape (n_bootstrap, n_models), and ``full`` has shape (n_models,).
    """
    order = scipy.stats.rankdata(full)
    taus: dict[bytes, float] = {}
    ranks = scipy.stats.rankdata(means, axis=1)
    rows, n = np.unique(ranks, axis=0, return_counts=True)
    for row in rows:
        tau = scipy.stats.kendalltau(row, order).statistic
        taus[row.tobytes()] = float(tau) if np.isfinite(tau) else 0.0  # all models tied
    values = np.array([taus[row.tobytes()] for row in rows])
    same = (rows == order).all(axis=1)
    return RankStability(float(values @ n / n.sum()), float(n[same].sum() / n.sum()), n_companies)
