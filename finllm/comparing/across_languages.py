"""Gain on the transfer set, by language of the call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from finllm.comparing.cross_domain import Gain, difference_of_means
from finllm.comparing.pairs import Pairs
from finllm.stats.inference import MeanInference, infer_mean

ENGLISH = "en"
SHOWN = ("number_accuracy", "coherence", "term_recall")  # independent of an answer's language


@dataclass(frozen=True)
class LanguageRow:
    """Results of one metric on the calls of one language."""

    metric: str
    language: str
    n_companies: int
    n_examples: int
    base: float  # means over the examples
    tuned: float
    gain: Gain | None  # tuned minus base, mean of company means; None for fewer than two companies
    change: Gain | None  # minus the English gain; None for English or if either is missing


def by_language(
    transfer: Pairs,
    languages: Mapping[str, str],
    *,
    confidence: float,
    n_bootstrap: int,
    seed: int,
) -> list[LanguageRow]:
    """Return a row per metric of ``SHOWN`` and language; no rows if all calls are English.

    Only templates that every language has are compared. If two or more companies have calls in
    both English and the other language, each is compared with itself: the change is the mean of
    their differences. Otherwise it is a difference of two means (``difference_of_means``). The
    rows are exploratory: nothing is corrected for their number. Do not trust an interval from
    fewer than ten companies.

    Parameters
    ----------
    languages
        Language of each example's call, by example id; English if it is missing or empty.
    """
    spoken = np.asarray([languages.get(i) or ENGLISH for i in transfer.example_ids])
    codes = sorted(set(spoken.tolist()), key=lambda code: (code != ENGLISH, code))
    if codes in ([], [ENGLISH]):
        return []
    templates = np.asarray(transfer.templates)
    common = set.intersection(*(set(templates[spoken == code].tolist()) for code in codes))
    asked = np.isin(templates, sorted(common))
    draws = {"confidence": confidence, "n_bootstrap": n_bootstrap}
    rows = []
    for metric in SHOWN:
        difference = transfer.difference(metric)
        kept = asked & np.isfinite(difference)
        of_code = {code: np.flatnonzero(kept & (spoken == code)) for code in codes}
        for code, places in of_code.items():
            if places.size:
                rng = np.random.default_rng([seed, len(rows)])
                rows.append(_row(transfer, metric, code, of_code, rng=rng, **draws))
    return rows


def _row(
    transfer: Pairs,
    metric: str,
    code: str,
    of_code: Mapping[str, np.ndarray],
    *,
    confidence: float,
    n_bootstrap: int,
    rng: np.random.Generator,
) -> LanguageRow:
    places, english = of_code[code], of_code.get(ENGLISH, np.zeros(0, dtype=int))
    difference = transfer.difference(metric)
    companies = np.asarray(transfer.companies)

    def infer(values: np.ndarray, owners: np.ndarray) -> MeanInference | None:
        if len(set(owners.tolist())) < 2:
            return None
        return infer_mean(
            values, owners.tolist(), confidence=confidence, n_bootstrap=n_bootstrap, rng=rng
        )

    own = infer(difference[places], companies[places])
    change = None
    if code != ENGLISH and own is not None:
        shared = np.intersect1d(companies[places], companies[english])
        if shared.size > 1:
            means = [
                [difference[rows][companies[rows] == name].mean() for name in shared]
                for rows in (places, english)
            ]
            change = _gain(infer(np.subtract(*means), shared))
        else:
            other = infer(difference[english], companies[english])
            change = other and difference_of_means(own, other, confidence=confidence)
    return LanguageRow(
        metric,
        code,
        len(set(companies[places].tolist())),
        int(places.size),
        float(transfer.base[metric][places].mean()),
        float(transfer.tuned[metric][places].mean()),
        _gain(own),
        change,
    )


def _gain(found: MeanInference | None) -> Gain | None:
    return found and Gain(found.estimate, found.low, found.high)
