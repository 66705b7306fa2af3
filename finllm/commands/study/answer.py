"""Compute the answer of a study from its table: confirmed, refuted or undecided, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from finllm.commands.study.contrasts import (
    Contrast,
    contrast,
    mean_squares,
    ratio,
    ratio_weights,
)
from finllm.commands.study.file import MIN_SEEDS, Study
from finllm.commands.study.looks import spent_levels
from finllm.commands.study.settling import POWER, Goal, runs_needed
from finllm.commands.study.table import Table
from finllm.stats.multiplicity import holm


@dataclass(frozen=True)
class Finding:
    """The result of one comparison: of two levels, or of the trend over all levels."""

    name: str
    estimate: float  # the first level minus the second, or their ratio
    low: float  # interval of this comparison alone, at 1 - alpha
    high: float
    low_all: float  # interval that holds for all comparisons together
    high_all: float
    p_value: float  # of the result shown, or of the one nearest to it; directions two-sided
    p_holm: float  # the same, corrected for all comparisons
    bayes_factor: float | None
    result: str  # what has been shown, in words
    verdict: str  # confirmed, refuted, undecided


@dataclass(frozen=True)
class Answer:
    """The verdict, its comparisons, and the number of runs that would settle an undecided one."""

    verdict: str
    findings: tuple[Finding, ...]
    seeds_needed: int | None  # of a new study; None if decided, or if no number is known
    companies_needed: int | None  # None if more seeds alone would settle it


@dataclass(frozen=True)
class _Way:
    """A possible result of a comparison, and what it means for the claim."""

    result: str
    p: float  # one-sided p-value
    share: float  # of alpha: 0.5 for a direction, 1 for a region
    verdict: str


UNDECIDED = _Way("undecided", 1.0, 1.0, "undecided")
UNVARIED = _Way("nothing varied", 1.0, 1.0, "undecided")
NOTHING = Answer("undecided", (), None, None)  # if too few runs can be compared


@dataclass(frozen=True)
class _Pair:
    """A comparison: the weights of the levels, and the two levels unless it is a trend."""

    name: str
    weights: np.ndarray
    a: int = -1
    b: int = -1


def answer(study: Study, table: Table) -> Answer:
    """Return the study's answer from the runs in the table.

    Each comparison has several possible results, each with a one-sided test: *better* and *worse*
    at alpha / 2, *equivalent* at alpha, by two one-sided tests (Schuirmann 1987): the interval of
    1 - 2 alpha lies inside the margin. For each result, Holm's step-down procedure (1979) controls
    the error over all comparisons, whatever their dependence; the p-values are those of
    ``contrast``, which include the variance between seeds. So the probability of *any* false
    "better" or "worse" in a study is at most alpha, and so is that of any false "equivalent".

    A claim is confirmed if all its comparisons confirm it, and refuted if one refutes it. A
    difference that is shown and lies within the margin is "equivalent": too small to matter.

    Ratios (``at_least``, ``between``, a margin in per cent) are tested as ``a - x b`` against zero
    (Hauschke, Kieser and Hothorn 1999). The reference's mean must be shown to be positive as well:
    half of no gain is no answer.

    If all runs differ by the same amount, nothing is concluded, as in the main verdict, unless they
    are the same on every one of several companies.

    In a sequential study the error rates are those of ``spent_levels``, and the intervals are
    repeated ones (Jennison and Turnbull 1989), which hold no matter at which look the study stops.
    """
    if _lacks_reference(study, table):
        return NOTHING
    level, pairs = _levels(study, table), _pairs(study, table)
    contrasts = [contrast(table.means, pair.weights, exact=study.exact) for pair in pairs]
    ways = [_ways(study, table, pair, one) for pair, one in zip(pairs, contrasts, strict=True)]
    said = _said(study, ways, contrasts, level)
    rates = level(study.alpha / 2), level(study.alpha / 2 / len(pairs))
    findings = []
    for pair, one, way, p in zip(pairs, contrasts, said, _p_values(ways, said), strict=True):
        estimate, low, high = _estimate(study, table, pair, one, rates[0])
        _, low_all, high_all = _estimate(study, table, pair, one, rates[1])
        findings.append(
            Finding(
                name=pair.name,
                estimate=estimate,
                low=low,
                high=high,
                low_all=low_all,
                high_all=high_all,
                p_value=p[0],
                p_holm=p[1],
                bayes_factor=one.bayes_factor(),
                result=way.result,
                verdict=way.verdict,
            )
        )
    verdict = _together(said, table)
    needed = None, None
    if verdict == "undecided" and not study.exact:
        needed = runs_needed([_to_settle(study, table, pair, len(pairs)) for pair in pairs])
    return Answer(verdict, tuple(findings), *needed)


def results(study: Study, table: Table) -> list[str]:
    """Return the result of each comparison as in ``answer``, without intervals and much faster."""
    return [way.result for way in _all_said(study, table)]


def verdict(study: Study, table: Table) -> str:
    """Return only the verdict of ``answer``, much faster."""
    return _together(_all_said(study, table), table)


def _all_said(study: Study, table: Table) -> list[_Way]:
    """Return the result of each comparison; an empty list if the reference could not be run."""
    if _lacks_reference(study, table):
        return []
    pairs = _pairs(study, table)
    contrasts = [contrast(table.means, pair.weights, exact=study.exact) for pair in pairs]
    ways = [_ways(study, table, pair, one) for pair, one in zip(pairs, contrasts, strict=True)]
    return _said(study, ways, contrasts, _levels(study, table))


def _lacks_reference(study: Study, table: Table) -> bool:
    return study.reference >= 0 and study.levels[study.reference].name not in table.levels


def _said(
    study: Study,
    ways: Sequence[list[_Way]],
    contrasts: Sequence[Contrast],
    level: Callable[[float], float],
) -> list[_Way]:
    """Return the result of each comparison, given its possible results."""
    shown = [_shown(column, study.alpha, level) for column in zip(*ways, strict=True)]
    said = []
    for i, (row, one) in enumerate(zip(ways, contrasts, strict=True)):
        found = [way for way, column in zip(row, shown, strict=True) if column[i]]
        refuting = [way for way in found if way.verdict == "refuted"]
        nothing = UNDECIDED if one.varied else UNVARIED
        said.append((refuting or found or [nothing])[-1])
    return said


def _p_values(ways: Sequence[list[_Way]], said: Sequence[_Way]) -> list[tuple[float, float]]:
    """Return the p-value of each result and its Holm correction, both to be compared with alpha.

    For an undecided comparison they are those of the possible result with the smallest p-value.
    """
    raw = np.array([[min(1.0, way.p / way.share) for way in row] for row in ways])
    corrected = np.array([holm(column) for column in raw.T]).T
    found = []
    for i, (row, shown) in enumerate(zip(ways, said, strict=True)):
        names = [way.result for way in row]
        at = names.index(shown.result) if shown.result in names else int(raw[i].argmin())
        found.append((float(raw[i][at]), float(corrected[i][at])))
    return found


def _levels(study: Study, table: Table) -> Callable[[float], float]:
    """Return a function from a one-sided error rate to its level at this look."""
    if not study.sequential:
        return lambda rate: rate
    n_seeds = len(table.seeds)
    looks = tuple(range(min(n_seeds, MIN_SEEDS), n_seeds + 1))
    return lambda rate: spent_levels(rate, looks, len(study.seeds))[-1]


def _pairs(study: Study, table: Table) -> list[_Pair]:
    """Return the comparisons that the study's question needs."""
    n = len(table.levels)
    if study.question == "trend":  # from the first level to the last, along the fitted line
        x = np.arange(n) - (n - 1) / 2
        return [_Pair(f"{table.levels[0]} to {table.levels[-1]}", x / (x @ x) * (n - 1))]
    reference = table.levels.index(study.levels[study.reference].name)
    found = []
    for other in range(n):
        if other != reference:
            a, b = (reference, other) if study.question == "best" else (other, reference)
            name = f"{table.levels[a]} against {table.levels[b]}"
            found.append(_Pair(name, ratio_weights(n, a, b, 1.0), a, b))
    return found


def _ways(study: Study, table: Table, pair: _Pair, one: Contrast) -> list[_Way]:
    """Return the possible results of a comparison, whose contrast is ``one``."""
    question, margin = study.question, study.margin
    if question in ("better", "best", "trend"):
        up = study.rising if question == "trend" else study.higher_is_better
        above, below = one.p_above(), one.p_below()
        good, bad = (above, below) if up else (below, above)
        words = ("better", "worse")
        if question == "trend":
            words = ("rises", "falls") if up else ("falls", "rises")
        return [
            _Way(words[0], good, 0.5, "confirmed"),
            _Way(words[1], bad, 0.5, "refuted"),
            _Way("equivalent", one.p_inside(-margin, margin), 1.0, "refuted"),
        ]
    low, high = _bounds(study, table, pair, one)
    positive = 0.0  # p-value of a mean of the reference above zero, which a ratio needs
    if is_ratio(study):
        alone = contrast(table.means, np.eye(len(table.levels))[pair.b], exact=study.exact)
        positive = alone.p_above() if alone.varied else float(alone.estimate <= 0)
    if question == "at_least":
        return [
            _Way(f"at least {study.low:g} times", max(positive, low.p_above()), 0.5, "confirmed"),
            _Way(f"less than {study.low:g} times", max(positive, low.p_below()), 0.5, "refuted"),
        ]
    words = "equivalent", "more than the margin above", "more than the margin below"
    if question == "between":
        bounds = f"{study.low:g}", f"{study.high:g}"
        words = "between", f"above {bounds[1]} times", f"below {bounds[0]} times"
    return [
        _Way(words[0], max(positive, low.p_above(), high.p_below()), 1.0, "confirmed"),
        _Way(words[1], max(positive, high.p_above()), 0.5, "refuted"),
        _Way(words[2], max(positive, low.p_below()), 0.5, "refuted"),
    ]


def _bounds(study: Study, table: Table, pair: _Pair, one: Contrast) -> tuple[Contrast, Contrast]:
    """Return two contrasts; the claim holds if the first is above zero and the second below."""
    if study.question == "equivalent" and not study.relative:
        return one.moved(study.margin), one.moved(-study.margin)
    n = len(table.levels)
    low, high = (
        contrast(table.means, ratio_weights(n, pair.a, pair.b, x), exact=study.exact)
        for x in _ends(study)
    )
    return low, high


def _ends(study: Study) -> tuple[float, float]:
    """Return the bounds of the ratio that the claim is about."""
    if study.question == "equivalent":
        return 1 - study.margin, 1 + study.margin
    return study.low, study.high


def is_ratio(study: Study) -> bool:
    """Return whether the question is about the ratio of two levels' means."""
    return study.relative or study.question in ("at_least", "between")


def _estimate(
    study: Study, table: Table, pair: _Pair, one: Contrast, rate: float
) -> tuple[float, float, float]:
    """Return the estimate and an interval with error rate ``rate`` on each side."""
    if is_ratio(study):
        return ratio(table.means, pair.a, pair.b, rate=rate, exact=study.exact)
    return (one.estimate, *one.interval(1 - 2 * rate))


def _to_settle(study: Study, table: Table, pair: _Pair, n_pairs: int) -> Goal:
    """Return what a larger study would have to show of one comparison.

    A question with a margin is settled by showing equivalence where the levels do not differ, one
    about a ratio by showing on which side of its nearer bound the observed means lie.
    """
    if not is_ratio(study):
        weights, distance, is_region = pair.weights, study.margin, True
    elif study.question == "equivalent":
        weights, is_region = pair.weights, True
        distance = study.margin * float(table.means[pair.b].mean())
    else:
        low, high = (ratio_weights(len(table.levels), pair.a, pair.b, x) for x in _ends(study))
        centre = [contrast(table.means, one).estimate for one in (low, high)]
        weights = low if abs(centre[0]) <= abs(centre[1]) else high
        distance, is_region = min(map(abs, centre)), False
    miss = (1 - POWER) / n_pairs  # over both bounds of a region
    rate = study.alpha / n_pairs / (1 if is_region else 2)
    return Goal(distance, mean_squares(table.means, weights), rate, miss / (2 if is_region else 1))


def _shown(column: Sequence[_Way], alpha: float, level: Callable[[float], float]) -> list[bool]:
    """Return which comparisons have this result, by Holm's step-down over all of them."""
    rate, m = alpha * column[0].share, len(column)
    claimed = [False] * m
    for rank, i in enumerate(sorted(range(m), key=lambda i: column[i].p)):
        if column[i].p > level(rate / (m - rank)):
            break
        claimed[i] = True
    return claimed


def _together(said: Sequence[_Way], table: Table) -> str:
    """Return the verdict over all comparisons; never confirmed if a level could not be run."""
    verdicts = {way.verdict for way in said}
    if "refuted" in verdicts:
        return "refuted"
    return "confirmed" if verdicts == {"confirmed"} and not table.left_out else "undecided"
