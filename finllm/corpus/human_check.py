"""Make rating sheets for the filter's decisions, and compute metrics from the completed ratings."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from finllm.corpus.quality import CallMeasures
from finllm.corpus.review import (
    QUESTIONS,
    Rating,
    draw_sample,
    filter_error_rates,
    inter_rater_agreement,
    read_ratings,
    review_row,
)
from finllm.records import Line, Reject

NEAR = 0.25  # kept calls this close to a bound, relative to it, form a stratum of their own
CONFIDENCE = 0.95


def strata(
    measures: Sequence[CallMeasures],
    dropped: Mapping[str, Reject],
    *,
    min_words: int,
    max_words: int,
    min_term_density: float,
) -> dict[str, str]:
    """Map each call id to "kept", "near_bound" (kept, but only just) or its reject reason."""
    found = {}
    for call in measures:
        near = (
            call.n_words < (1 + NEAR) * min_words
            or call.n_words > (1 - NEAR) * max_words
            or call.term_density < (1 + NEAR) * min_term_density
        )
        reject = dropped.get(call.id)
        found[call.id] = reject.reason if reject else "near_bound" if near else "kept"
    return found


def sheet(
    strata: dict[str, str],
    lines_of: Callable[[set[str]], Iterable[Line]],
    *,
    n_review: int,
    seed: int,
) -> list[dict[str, str]]:
    """Return the rows to rate, shuffled; empty if ``n_review`` is 0.

    Parameters
    ----------
    strata
        Call id to stratum: see ``draw_sample``.
    lines_of
        Returns the lines of the calls with these ids; only the drawn ones are in memory.
    """
    if not n_review:
        return []
    drawn = draw_sample(strata, n_sample=n_review, rng=np.random.default_rng(seed))
    calls = {call.id: call for call in (line.transcript() for line in lines_of(set(drawn)))}
    return [review_row(calls[key]) for key in drawn]


def rating_metrics(folder: Path, kept: dict[str, bool]) -> dict[str, object]:
    """Evaluate the filter by the completed rating sheets ``filled*.csv`` of a folder.

    Returns
    -------
    dict
        ``n_ratings``; ``n_ratings_of_other_calls`` (ratings of calls that are not in ``kept``, left
        out); if there are ratings, ``agreement`` by question (undefined values are left out) and
        ``error_rate`` by group (kept, dropped, all) with its 95 % Wilson interval. The rates are
        invalid if the rated calls are not the drawn sample.

    Raises
    ------
    ValueError
        If a sheet is malformed or a rater rated one call twice.
    """
    every: list[Rating] = []
    for path in sorted(folder.glob("filled*.csv")):
        every += read_ratings(path)
    ratings = [rating for rating in every if rating.id in kept]
    metrics: dict[str, object] = {
        "n_ratings": len(ratings),
        "n_ratings_of_other_calls": len(every) - len(ratings),
    }
    if ratings:
        metrics["agreement"] = {
            question: {
                k: v for k, v in inter_rater_agreement(ratings, question).items() if v is not None
            }
            for question in QUESTIONS
        }
        rates = filter_error_rates(ratings, kept, confidence=CONFIDENCE)
        metrics["error_rate"] = {name: dataclasses.asdict(r) for name, r in rates.items()}
    return metrics
