"""Support human review of the filter: draw a stratified sample to rate; evaluate the ratings."""

from __future__ import annotations

import csv
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import NormalDist

import numpy as np

from finllm.records import Transcript

QUESTIONS = ("is_earnings_call", "is_readable", "should_be_kept")
ANSWERS = ("yes", "no")
COLUMNS = ("id", "company", "period", "n_words", "excerpt", "rater", *QUESTIONS, "comment")
N_HEAD_WORDS, N_MIDDLE_WORDS, N_TAIL_WORDS = 80, 60, 40


@dataclass(frozen=True)
class Rating:
    """One rater's answers about one call."""

    id: str
    rater: str
    answers: dict[str, str]  # question -> "yes" or "no"


@dataclass(frozen=True)
class ErrorRate:
    """Rate at which raters disagree with the filter, with its Wilson interval."""

    n_rated: int
    n_wrong: int
    n_tied: int  # raters split evenly: not counted either way
    rate: float
    low: float
    high: float


def draw_sample(strata: dict[str, str], *, n_sample: int, rng: np.random.Generator) -> list[str]:
    """Draw the ids to rate, shuffled; each stratum in proportion to its size.

    Proportional allocation (largest remainders) keeps the plain share of errors among the rated
    calls an unbiased estimate; rare reasons may have no call in a small sample.

    Parameters
    ----------
    strata
        Call id to stratum ("kept", or the reason of the reject).

    Raises
    ------
    ValueError
        If ``n_sample`` is below 1.
    """
    if n_sample < 1:
        raise ValueError(f"n_sample {n_sample}: must be at least 1")
    members: defaultdict[str, list[str]] = defaultdict(list)
    for call_id in sorted(strata):
        members[strata[call_id]].append(call_id)
    n_sample = min(n_sample, len(strata))
    exact = {name: n_sample * len(ids) / len(strata) for name, ids in members.items()}
    quota = {name: math.floor(share) for name, share in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (quota[name] - exact[name], name))
    for name in by_remainder[: n_sample - sum(quota.values())]:
        quota[name] += 1
    drawn = [
        str(call_id)
        for name in sorted(members)
        for call_id in rng.choice(members[name], size=quota[name], replace=False)
    ]
    return [drawn[index] for index in rng.permutation(len(drawn))]


def review_row(transcript: Transcript) -> dict[str, str]:
    """Return one row of the sheet: the call, an excerpt, and empty cells to fill in.

    The filter's verdict is not shown, so that it does not influence the rater.
    """
    words = transcript.text.split()
    parts = [words]
    if len(words) > N_HEAD_WORDS + N_MIDDLE_WORDS + N_TAIL_WORDS:
        middle = (len(words) - N_MIDDLE_WORDS) // 2
        parts = [words[:N_HEAD_WORDS], words[middle : middle + N_MIDDLE_WORDS]]
        parts.append(words[-N_TAIL_WORDS:])
    excerpt = " [...] ".join(" ".join(part) for part in parts)
    if excerpt.startswith(("=", "+", "-", "@")):
        excerpt = " " + excerpt  # otherwise a spreadsheet would read a formula
    row = dict.fromkeys(COLUMNS, "")
    return row | {
        "id": transcript.id,
        "company": transcript.company,
        "period": transcript.period,
        "n_words": str(len(words)),
        "excerpt": excerpt,
    }


def write_sheet(path: Path, rows: Sequence[dict[str, str]]) -> None:
    """Write the rows as a CSV file with the header ``COLUMNS``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def read_ratings(path: Path) -> list[Rating]:
    """Read the answered rows of a completed sheet; rows left empty are skipped.

    Raises
    ------
    ValueError
        If a column is missing, or an answered row has no rater or an answer other than yes and no.
    """
    ratings = []
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if missing := sorted({"id", "rater", *QUESTIONS} - set(reader.fieldnames or ())):
            raise ValueError(
                f"{path}: missing column {missing[0]!r}; must have {', '.join(COLUMNS)}"
            )
        for row in reader:
            answers = {question: (row[question] or "").strip().lower() for question in QUESTIONS}
            if not any(answers.values()):
                continue
            where = f"{path}, line {reader.line_num}"
            for question, answer in answers.items():
                if answer not in ANSWERS:
                    raise ValueError(f"{where}: {question} {answer!r}; allowed are yes and no")
            if not (row["rater"] or "").strip():
                raise ValueError(f"{where}: no rater; enter the rater's name")
            ratings.append(Rating(row["id"], row["rater"].strip(), answers))
    return ratings


def inter_rater_agreement(ratings: Sequence[Rating], question: str) -> dict[str, float | None]:
    """Compute the agreement of pairs of raters on the same calls, and Cohen's kappa.

    Returns
    -------
    dict
        ``n_pairs`` of ratings, ``observed`` agreement, ``kappa`` = (observed - expected) /
        (1 - expected) with the expected agreement from each rater's own share of yes (Cohen 1960),
        averaged over pairs of raters, weighted by their number of shared calls. Pairs in
        which both raters give one and the same answer throughout leave no room for chance and are
        left out of kappa. A value without any pair is None. Kappa is unreliable if nearly all
        answers are equal.

    Raises
    ------
    ValueError
        If a rater rated one call twice.
    """
    by_rater: defaultdict[str, dict[str, bool]] = defaultdict(dict)
    for rating in ratings:
        if rating.id in by_rater[rating.rater]:
            raise ValueError(f"rater {rating.rater!r} rated {rating.id!r} twice")
        by_rater[rating.rater][rating.id] = rating.answers[question] == "yes"
    n_pairs = n_agree = n_kappa = 0
    kappa_sum = 0.0
    for one, other in combinations(sorted(by_rater), 2):
        shared = sorted(set(by_rater[one]) & set(by_rater[other]))
        if not shared:
            continue
        a = np.array([by_rater[one][call] for call in shared], dtype=float)
        b = np.array([by_rater[other][call] for call in shared], dtype=float)
        n_pairs += len(shared)
        n_agree += int(np.sum(a == b))
        expected = a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean())
        if expected < 1:
            kappa_sum += len(shared) * (np.mean(a == b) - expected) / (1 - expected)
            n_kappa += len(shared)
    return {
        "n_pairs": n_pairs,
        "observed": n_agree / n_pairs if n_pairs else None,
        "kappa": float(kappa_sum / n_kappa) if n_kappa else None,
    }


def wilson_interval(n_hits: int, n: int, *, confidence: float) -> tuple[float, float]:
    """Compute Wilson's score interval for a share (Wilson 1927), without continuity correction.

    Raises
    ------
    ValueError
        If ``n_hits`` is not in 0 to ``n``, ``n`` is below 1, or ``confidence`` is not in (0, 1).

    >>> [round(x, 4) for x in wilson_interval(2, 20, confidence=0.95)]
    [0.0279, 0.301]
    """
    if not 0 <= n_hits <= n or n < 1:
        raise ValueError(f"{n_hits} of {n}: need 0 <= hits <= n and n >= 1")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence}: must be in (0, 1)")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    p = n_hits / n
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if n_hits == 0 else (centre - half) / scale  # exact at the ends, not 1e-17
    high = 1.0 if n_hits == n else (centre + half) / scale
    return low, high


def filter_error_rates(
    ratings: Sequence[Rating], kept: dict[str, bool], *, confidence: float
) -> dict[str, ErrorRate]:
    """Compute the filter's error rates among ``kept`` calls, ``dropped`` calls, and in ``all``.

    The majority of a call's raters decides whether it should be kept. A group without a decided
    call is left out. The rate of ``dropped`` is unreliable for a handful of calls: see the
    interval.

    Parameters
    ----------
    kept
        Call id to the filter's verdict.

    Raises
    ------
    ValueError
        If a rated call is not among the verdicts.
    """
    votes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for rating in ratings:
        if rating.id not in kept:
            raise ValueError(f"rated call {rating.id!r} is not in this corpus")
        votes[rating.id][rating.answers["should_be_kept"]] += 1
    tallies: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for call_id, vote in votes.items():
        should_keep = vote["yes"] > vote["no"]
        for group in ("kept" if kept[call_id] else "dropped", "all"):
            tied = vote["yes"] == vote["no"]
            tallies[group]["tied"] += tied
            tallies[group]["decided"] += not tied
            tallies[group]["wrong"] += not tied and should_keep != kept[call_id]
    rates = {}
    for group, tally in sorted(tallies.items()):
        n, wrong = tally["decided"], tally["wrong"]
        if n:
            low, high = wilson_interval(wrong, n, confidence=confidence)
            rates[group] = ErrorRate(n, wrong, tally["tied"], wrong / n, low, high)
    return rates
