"""Decide which calls to keep: bounds on length and term density, and robust outlier detection."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from finllm.languages.files import ENGLISH, known_languages
from finllm.languages.lexicon import Lexicon
from finllm.records import Reject, Transcript

MEASURES = ("length", "digit_share", "term_density", "repetition")
REASONS = ("too_short", "too_long", "low_term_density", *(f"outlier_{name}" for name in MEASURES))
MIN_CALLS_FOR_OUTLIERS = 20  # the spread of fewer calls says little
NGRAM = 4
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True)
class CallMeasures:
    """A few numbers about a call that suffice for the filter, so that no text stays in memory."""

    id: str
    n_words: int
    digit_share: float  # share of words with a digit
    term_density: float  # share of words inside a lexicon term
    repetition: float  # share of word 4-grams that occurred before in the call
    source: str = ""  # outliers are sought among calls of the same source and language
    language: str = ENGLISH


def measure(
    call: Transcript, text: str, tokens: Sequence[str], *, lexicon: Lexicon
) -> CallMeasures:
    """Compute the measures of one call; all shares are 0 for a call without words.

    Parameters
    ----------
    text, tokens
        The text of the call (``call.text``), and its lower-case words as ``words`` splits them.
    """
    n_words = len(tokens)
    n_digit_words = sum(1 for word in tokens if not word.isalpha() and _DIGIT.search(word))
    return CallMeasures(
        id=call.id,
        n_words=n_words,
        digit_share=n_digit_words / n_words if n_words else 0.0,
        term_density=lexicon.n_words_in_terms(text) / n_words if n_words else 0.0,
        repetition=repetition(tokens),
        source=call.source,
        language=call.language or ENGLISH,
    )


def repetition(tokens: Sequence[str]) -> float:
    """Return the share of word 4-grams that repeat an earlier one; 0 if there are none.

    >>> repetition("we grew sales again we grew sales again".split())
    0.2
    """
    runs = list(zip(*(tokens[start:] for start in range(NGRAM)), strict=False))
    return (len(runs) - len(set(runs))) / len(runs) if runs else 0.0


def modified_z(values: Sequence[float]) -> np.ndarray:
    """Compute modified z-scores, shape (n,): 0.6745 (x - median) / MAD.

    See Iglewicz and Hoaglin (1993), "How to detect and handle outliers", who advise 3.5 as the
    bound. If more than half of the values are equal, the MAD is 0; the score is then (x - median)
    divided by 1.2533 times the mean absolute deviation. Unreliable for fewer than 20 values or a
    bimodal distribution.

    >>> modified_z([1.0, 2.0, 3.0, 4.0, 100.0]).round(2).tolist()
    [-1.35, -0.67, 0.0, 0.67, 65.43]
    """
    x = np.asarray(values, dtype=float)
    if not x.size:
        return x
    deviation = x - np.median(x)
    mad = np.median(np.abs(deviation))
    if mad > 0:
        return 0.6745 * deviation / mad
    mean_deviation = np.mean(np.abs(deviation))
    return deviation / (1.253314 * mean_deviation) if mean_deviation > 0 else deviation


def judge(
    measures: Sequence[CallMeasures],
    *,
    min_words: int,
    max_words: int,
    min_term_density: float,
    max_outlier_z: float,
) -> dict[str, Reject]:
    """Return the rejects by call id; a call that is not among the keys is kept.

    Outliers are sought among the calls inside the bounds of each source and language
    (``outlier_scores``); for repetition only high values count. The reason is the first that
    applies, the detail lists all.

    Raises
    ------
    ValueError
        If a bound is out of range, or two calls have the same id.
    """
    if not 0 <= min_words < max_words:
        raise ValueError(f"min_words {min_words}, max_words {max_words}: need 0 <= min < max")
    if not 0 <= min_term_density < 1:
        raise ValueError(f"min_term_density {min_term_density}: must be in [0, 1)")
    if not max_outlier_z > 0:
        raise ValueError(f"max_outlier_z {max_outlier_z}: must be above 0 (.inf turns it off)")
    reasons: dict[str, list[tuple[str, str]]] = {call.id: [] for call in measures}
    if len(reasons) != len(measures):
        raise ValueError(f"{len(measures) - len(reasons)} calls have duplicate ids")
    for call in measures:
        why = reasons[call.id]
        if call.n_words < min_words:
            why.append(("too_short", f"{call.n_words} words, at least {min_words}"))
        if call.n_words > max_words:
            why.append(("too_long", f"{call.n_words} words, at most {max_words}"))
        if call.term_density < min_term_density:
            detail = f"term density {call.term_density:.4f}, at least {min_term_density}"
            if call.language not in known_languages():
                detail += f"; it is in {call.language!r}, for which there is no lexicon"
            why.append(("low_term_density", detail))
    inside = [call for call in measures if not reasons[call.id]]
    for call_id, name, value, z in _outliers(inside, max_outlier_z):
        detail = f"{name} {value:.4g}, modified z {z:.1f}, at most {max_outlier_z}"
        reasons[call_id].append((f"outlier_{name}", detail))
    return {
        call_id: Reject(call_id, "", 0, why[0][0], "; ".join(detail for _, detail in why))
        for call_id, why in reasons.items()
        if why
    }


def outlier_scores(calls: Sequence[CallMeasures]) -> dict[str, np.ndarray]:
    """Return modified z-scores by measure, shape (n_calls,), within each source and language.

    They are computed on the log of the length, and on the arcsine of the square root of the share
    of words with digits, of term density and of repetition, since raw shares are skewed. NaN if a
    source has fewer than ``MIN_CALLS_FOR_OUTLIERS`` calls in the language.
    """
    of_source: dict[tuple[str, str], list[int]] = {}
    for i, call in enumerate(calls):
        of_source.setdefault((call.source, call.language), []).append(i)
    scores = {name: np.full(len(calls), np.nan) for name in MEASURES}
    for rows in of_source.values():
        if len(rows) >= MIN_CALLS_FOR_OUTLIERS:
            for name in MEASURES:
                values = [_value(calls[i], name) for i in rows]
                even = np.log1p(values) if name == "length" else np.arcsin(np.sqrt(values))
                scores[name][rows] = modified_z(even)
    return scores


def _value(call: CallMeasures, name: str) -> float:
    return call.n_words if name == "length" else vars(call)[name]


def _outliers(
    calls: Sequence[CallMeasures], max_outlier_z: float
) -> Iterable[tuple[str, str, float, float]]:
    for name, z in outlier_scores(calls).items():
        size = z if name == "repetition" else np.abs(z)
        for index in np.flatnonzero(size > max_outlier_z):
            yield calls[index].id, name, _value(calls[index], name), z[index]


def check_some_kept(n_calls: int, dropped: dict[str, Reject]) -> None:
    """Raise an error if the filter keeps no call.

    Raises
    ------
    ValueError
        If every call was dropped; the message lists the reasons.
    """
    if len(dropped) == n_calls:
        reasons = Counter(reject.reason for reject in dropped.values())
        raise ValueError(
            f"all {n_calls} transcripts were filtered out "
            f"({', '.join(f'{reason}: {n}' for reason, n in reasons.most_common())}); "
            "loosen filter.min_words, filter.max_words or filter.min_term_density"
        )
