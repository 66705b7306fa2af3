"""Analysis of human ratings: win rate, agreement, and correlation with the metrics."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

import numpy as np
import scipy.stats

from finllm.comparing.pairs import Pairs
from finllm.rating.ballot import pair_hash
from finllm.rating.clicks import (
    CRITERIA,
    POINTS,
    PREFERENCE,
    Click,
    latest,
    model_points,
    tuned_preferred,
)
from finllm.records import METRICS, Prediction, finite
from finllm.stats.agreement import cohen_kappa, krippendorff_alpha
from finllm.stats.association import weighted_spearman
from finllm.stats.clusters import cluster_robust_mean, design_effect, intraclass_correlation
from finllm.stats.resampling import percentile_interval, resampling_counts

MIN_CORRELATED = 4  # examples; with fewer, a correlation says nothing
QUESTIONS = (PREFERENCE, *CRITERIA)


@dataclass(frozen=True)
class Ratings:
    """The last clicks of all raters on the models' current answers.

    A unit of ``points`` is an example and a model.
    """

    raters: list[str]
    preference: dict[str, dict[str, float]]  # by example and rater: 1 tuned, 0.5 neither, 0 base
    points: dict[str, dict[tuple[str, str], dict[str, int]]]  # by criterion, unit and rater
    n_of_other_answers: int  # clicks on texts that are not the current predictions

    def examples(self) -> set[str]:
        """Return the examples with at least one rating."""
        points = {example for units in self.points.values() for example, _ in units}
        return points | set(self.preference)

    def humans(self, question: str) -> dict[str, float]:
        """Return the mean over raters by example: the preference, or tuned minus base in points."""
        if question == PREFERENCE:
            return {key: _mean(by_rater.values()) for key, by_rater in self.preference.items()}
        differences: dict[str, list[int]] = defaultdict(list)
        points = self.points[question]
        for example, model in points:
            if model == "tuned":
                base = points.get((example, "base"), {})
                for rater, value in points[example, model].items():
                    if rater in base:  # only raters of both answers
                        differences[example].append(value - base[rater])
        return {key: _mean(values) for key, values in differences.items() if values}


def collect(
    clicks: Sequence[Click], base: Sequence[Prediction], tuned: Sequence[Prediction]
) -> Ratings:
    """Collect the clicks on the given predictions by question; a rater's last click counts."""
    texts = {row.example_id: row.text for row in base}
    current = {
        pair_hash(row.example_id, texts[row.example_id], row.text)
        for row in tuned
        if row.example_id in texts
    }
    valid = [click for click in latest(clicks) if click.pair_sha256 in current]
    preference: dict[str, dict[str, float]] = defaultdict(dict)
    points: dict[str, dict[tuple[str, str], dict[str, int]]] = {
        criterion: defaultdict(dict) for criterion in CRITERIA
    }
    for click in valid:
        if click.question == PREFERENCE:
            preference[click.example_id][click.rater] = tuned_preferred(click)
        else:
            model, value = model_points(click)
            points[click.question][click.example_id, model][click.rater] = value
    return Ratings(
        raters=sorted({click.rater for click in valid}),
        preference=dict(preference),
        points={criterion: dict(values) for criterion, values in points.items()},
        n_of_other_answers=sum(click.pair_sha256 not in current for click in clicks),
    )


def rating_metrics(
    ratings: Ratings, pairs: Pairs, *, confidence: float, n_bootstrap: int, seed: int
) -> dict[str, object]:
    """Compute the content of ``metrics/details/ratings.json``; without ratings, only the counts.

    Returns
    -------
    dict
        ``n_raters``, ``n_examples`` (rated, current answers), ``n_of_other_answers``; with
        ratings also ``win_rate``, ``criteria`` (tuned minus base in points), ``agreement`` (with
        two raters) and ``correlation`` (metric against people). Undefined values are left out.
    """
    company = dict(zip(pairs.example_ids, pairs.companies, strict=True))
    rated = ratings.examples() & set(company)
    found: dict[str, object] = {
        "n_raters": len(ratings.raters),
        "n_examples": len(rated),
        "n_of_other_answers": ratings.n_of_other_answers,
    }
    if not rated:
        return found
    preferred = {k: v for k, v in ratings.humans(PREFERENCE).items() if k in company}
    if preferred:
        found["win_rate"] = win_rate(
            list(preferred.values()), [company[key] for key in preferred], confidence=confidence
        )
    found["criteria"] = {
        criterion: _criterion(ratings, criterion, company, confidence) for criterion in CRITERIA
    }
    if len(ratings.raters) > 1:
        found["agreement"] = inter_rater_agreement(
            ratings, confidence=confidence, n_bootstrap=n_bootstrap, seed=seed
        )
    found["correlation"] = correlation(
        ratings, pairs, confidence=confidence, n_bootstrap=n_bootstrap, seed=seed
    )
    return found


def win_rate(
    preferred: Sequence[float], companies: Sequence[str], *, confidence: float
) -> dict[str, float]:
    """Return how often the tuned answer is preferred, with a confidence interval.

    "Neither" counts as one half. The interval is Wilson's (1927) score interval at the effective
    sample size ``n / design effect`` (Kish 1965; Dean and Pagano 2015 compare such intervals),
    because examples of one company are not independent. If the clustering cannot be estimated (one
    company, or no variation), all examples of a company count as one. For two models this is the
    Bradley-Terry model: its difference in strength is ``log(p / (1 - p))``. The interval is
    conservative with ties, whose variance is below the binomial's.

    The result holds for these raters; with only one or two, it says nothing about other people.
    """
    n, p = len(preferred), _mean(preferred)
    icc = math.nan
    if 1 < len(set(companies)) and len(set(preferred)) > 1:
        icc = intraclass_correlation(preferred, companies)
    if len(set(companies)) == n:
        icc = 0.0
    effect = design_effect(companies, 1.0 if math.isnan(icc) else icc)
    n_effective = n / effect
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    scale = 1 + z**2 / n_effective
    centre = (p + z**2 / (2 * n_effective)) / scale
    reach = z / scale * math.sqrt(p * (1 - p) / n_effective + z**2 / (4 * n_effective**2))
    return {
        "estimate": p,
        "low": max(0.0, centre - reach),
        "high": min(1.0, centre + reach),
        "n": n,
        "n_effective": n_effective,
        "n_companies": len(set(companies)),
        "n_tuned": sum(value > 0.5 for value in preferred),
        "n_neither": sum(value == 0.5 for value in preferred),
        "n_base": sum(value < 0.5 for value in preferred),
    }


def inter_rater_agreement(
    ratings: Ratings, *, confidence: float, n_bootstrap: int, seed: int
) -> dict[str, dict[str, object]]:
    """Return Krippendorff's ordinal alpha and every two raters' Cohen's kappa, by question.

    Units are answers for the criteria and pairs for the preference, in terms of models, not of the
    letters shown. Kappa is weighted: by squared distance for points, linearly for the preference.
    A question that no two raters share is left out, and so is a coefficient without variation.
    """
    found: dict[str, dict[str, object]] = {}
    for question in QUESTIONS:
        units = ratings.preference if question == PREFERENCE else ratings.points[question]
        shared = [by_rater for by_rater in units.values() if len(by_rater) > 1]
        if not shared:
            continue
        table = [[unit.get(rater, math.nan) for unit in shared] for rater in ratings.raters]
        alpha = krippendorff_alpha(
            table,
            level="ordinal",
            confidence=confidence,
            n_bootstrap=n_bootstrap,
            rng=np.random.default_rng(seed),
        )
        row = finite(vars(alpha))
        row["kappa"] = {
            f"{first} and {second}": kappa
            for first, second in combinations(ratings.raters, 2)
            if (kappa := _kappa(shared, first, second, question, confidence))
        }
        found[question] = row
    return found


def correlation(
    ratings: Ratings, pairs: Pairs, *, confidence: float, n_bootstrap: int, seed: int
) -> dict[str, dict[str, dict[str, float]]]:
    """Return the correlation of each metric's difference with the raters' judgement, by question.

    Computes Spearman's rho between the metric's tuned minus base and the raters' mean (the
    preference, or tuned minus base in points) over examples, with a percentile interval from a
    bootstrap that resamples companies, and ``p_highest``: the share of resamples in which this
    metric has the highest rho. All metrics use the same resamples, so that they are compared on
    equal terms. An example for which a metric is undefined does not count for it.

    Do not trust an interval from fewer than thirty companies: it is too narrow. The metric with the
    highest rho is the best of many, so its rho is biased upwards.
    """
    found = {}
    position = {key: i for i, key in enumerate(pairs.example_ids)}
    for question in QUESTIONS:
        humans = {k: v for k, v in ratings.humans(question).items() if k in position}
        rows = [position[key] for key in humans]
        people = np.array(list(humans.values()), dtype=np.float64)
        _, codes = np.unique([pairs.companies[i] for i in rows], return_inverse=True)
        if len(rows) < MIN_CORRELATED or codes.max(initial=0) < 1:
            continue
        rng = np.random.default_rng(seed)
        counts = resampling_counts(codes.max() + 1, n_bootstrap, rng)[:, codes]
        columns = {name: pairs.difference(name)[rows] for name in METRICS}
        found[question] = _correlate(columns, people, counts, confidence)
    return {question: rows for question, rows in found.items() if rows}


def _correlate(
    columns: Mapping[str, np.ndarray], people: np.ndarray, counts: np.ndarray, confidence: float
) -> dict[str, dict[str, float]]:
    replicates, found = {}, {}
    for name, values in columns.items():
        known = np.isfinite(values)
        if known.sum() < MIN_CORRELATED:
            continue
        rho = weighted_spearman(values[known], people[known], np.ones((1, known.sum())))[0]
        if math.isnan(rho):
            continue
        replicates[name] = weighted_spearman(values[known], people[known], counts[:, known])
        usable = replicates[name][np.isfinite(replicates[name])]
        found[name] = {"estimate": float(rho), "n": int(known.sum())}
        if len(usable) >= len(counts) / 2:
            low, high = percentile_interval(usable, confidence)
            found[name] |= {"low": low, "high": high}
    if found:
        table = np.nan_to_num(np.array(list(replicates.values())), nan=-2.0)
        highest = np.bincount(table.argmax(axis=0), minlength=len(table)) / table.shape[1]
        for name, share in zip(replicates, highest, strict=True):
            found[name]["p_highest"] = float(share)
    return found


def _criterion(
    ratings: Ratings, criterion: str, company: Mapping[str, str], confidence: float
) -> dict[str, float]:
    """Return both models' mean points, and the mean difference with a t interval over companies."""
    row: dict[str, float] = {}
    for model in ("base", "tuned"):
        values = [
            _mean(by_rater.values())
            for (example, whose), by_rater in ratings.points[criterion].items()
            if whose == model and example in company
        ]
        if values:
            row[model] = _mean(values)
    differences = {k: v for k, v in ratings.humans(criterion).items() if k in company}
    row["n"] = len(differences)
    if differences:
        row["difference"] = _mean(differences.values())
    companies = [company[key] for key in differences]
    if len(set(companies)) > 1:
        mean = cluster_robust_mean(list(differences.values()), companies)
        reach = mean.standard_error * scipy.stats.t.isf((1 - confidence) / 2, mean.df)
        if math.isfinite(reach):
            row |= {"low": mean.estimate - float(reach), "high": mean.estimate + float(reach)}
    return row


def _kappa(
    units: Sequence[Mapping[str, float]], first: str, second: str, question: str, confidence: float
) -> dict[str, float] | None:
    both = [(unit[first], unit[second]) for unit in units if first in unit and second in unit]
    if not both:
        return None
    preference = question == PREFERENCE
    kappa = cohen_kappa(
        *zip(*both, strict=True),
        labels=(0.0, 0.5, 1.0) if preference else POINTS,
        weights="linear" if preference else "quadratic",
        confidence=confidence,
    )
    return finite(vars(kappa))


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return sum(values) / len(values)
