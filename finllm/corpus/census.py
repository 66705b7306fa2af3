"""Corpus statistics: length distribution, temporal consistency, vocabulary overlap."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finllm.numbers.vocabulary import quarters_in_english

REFERENCE_VOCABULARY = Path(__file__).parent / "reference_vocabulary.tsv"
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_QUARTERS = {
    "first": 1,
    "second": 2,
    "third": 3,
    "fourth": 4,
    "1st": 1,
    "2nd": 2,
    "3rd": 3,
    "4th": 4,
}
_FISCAL = r"(?:(?:of|for|in|the|fiscal|year|fy),? ){0,3}?"
_NAMED = re.compile(
    rf"\b(?P<name>first|second|third|fourth|1st|2nd|3rd|4th)[ -]quarter,? {_FISCAL}(?P<y1>20\d\d)\b"
    rf"|\bq(?P<q2>[1-4]),? {_FISCAL}(?P<y2>20\d\d)\b"
    r"|\b(?P<y3>20\d\d)(?:'s)? (?:fiscal )?"
    r"(?:q(?P<q3>[1-4])\b|(?P<name3>first|second|third|fourth) quarter)"
)  # applied to lower-case text: ignoring case takes twice as long
_WORD = re.compile(r"[a-z][a-z'-]*[a-z]")


@dataclass(frozen=True)
class CallPeriods:
    """The quarter in a call's metadata, and the quarters named in its text."""

    company: str
    period: str  # "2021Q3", empty where unknown
    named: tuple[str, ...]  # in order, with repetitions


def named_periods(text: str, language: str) -> tuple[str, ...]:
    """Return the quarters that a text names with their year, in order and with repetitions.

    >>> named_periods("In the third quarter of fiscal 2021, against Q3 2020, ...", "en")
    ('2021Q3', '2020Q3')
    >>> named_periods("Im dritten Quartal 2021, nach dem 3. Quartal 2020, ...", "de")
    ('2021Q3', '2020Q3')
    """
    found = []
    for match in _NAMED.finditer(quarters_in_english(text, language).lower()):
        year = match["y1"] or match["y2"] or match["y3"]
        name = match["name"] or match["name3"]
        quarter = _QUARTERS[name] if name else match["q2"] or match["q3"]
        found.append(f"{year}Q{quarter}")
    return tuple(found)


def temporal_consistency(calls: Iterable[CallPeriods]) -> dict[str, float]:
    """Compare the periods in the metadata with those in the text, and check their order by company.

    Returns
    -------
    dict
        ``n_calls``; ``share_with_period``; ``share_naming_quarters`` (the share of calls whose text
        names any quarter with its year); of those calls, ``share_period_named`` (the text names the
        quarter in the metadata) and ``share_period_latest`` (it is also the latest named);
        by company, ``n_repeated_periods`` (further calls for the same quarter) and
        ``share_forward`` (the share of the ``n_neighbouring_calls`` pairs of consecutive calls of a
        company in which the latest quarter named does not go back). A low ``share_period_named``
        does not mean errors where sources number quarters by calendar year and speakers by fiscal
        year. A share with a denominator of 0 is 0.
    """
    n_calls = n_dated = n_naming = n_named = n_latest = 0
    by_company: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for call in calls:
        n_calls += 1
        n_dated += bool(call.period)
        n_naming += bool(call.named)
        n_named += call.period in call.named
        n_latest += bool(call.named) and call.period == max(call.named)
        if call.period and call.company:
            by_company[call.company].append((call.period, max(call.named, default="")))
    n_repeated = n_pairs = n_forward = 0
    for dated in by_company.values():
        n_repeated += len(dated) - len({period for period, _ in dated})
        latest = [named for _, named in sorted(dated) if named]
        for before, after in zip(latest, latest[1:], strict=False):
            n_pairs += 1
            n_forward += after >= before
    return {
        "n_calls": n_calls,
        "share_with_period": _share(n_dated, n_calls),
        "share_naming_quarters": _share(n_naming, n_calls),
        "share_period_named": _share(n_named, n_naming),
        "share_period_latest": _share(n_latest, n_naming),
        "n_repeated_periods": n_repeated,
        "n_neighbouring_calls": n_pairs,
        "share_forward": _share(n_forward, n_pairs),
    }


def length_distribution(n_words: Sequence[int]) -> dict[str, float]:
    """Return count, mean, standard deviation and quantiles of lengths in words; {} for no calls."""
    x = np.asarray(n_words, dtype=float)
    if not x.size:
        return {}
    quantiles = np.quantile(x, QUANTILES)
    return {"n_calls": x.size, "mean_words": float(x.mean()), "sd_words": float(x.std())} | {
        f"q{round(100 * q):02d}_words": float(value)
        for q, value in zip(QUANTILES, quantiles, strict=True)
    }


def vocabulary_words(text: str) -> list[str]:
    """Return the lower-case words of at least two letters, as in the reference vocabulary."""
    return _WORD.findall(text.lower())


def read_vocabulary(path: Path) -> dict[str, int]:
    """Read a reference vocabulary: a dict from each word to the number of calls that use it.

    Raises
    ------
    ValueError
        If a line is not a word, a tab and a whole number, or the file has no words.
    """
    frequencies: dict[str, int] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        word, _, count = line.partition("\t")
        if not word or not count.isdecimal():
            raise ValueError(f"{path}, line {number}: {line!r} must be a word, a tab and a count")
        frequencies[word] = int(count)
    if not frequencies:
        raise ValueError(f"{path}: no words; must have at least one line of word, tab, count")
    return frequencies


def vocabulary_overlap(counts: Counter[str], reference: dict[str, int]) -> dict[str, float]:
    """Measure how far the vocabulary of a corpus and that of the reference overlap.

    Parameters
    ----------
    counts
        How often each of ``vocabulary_words`` occurs in the corpus.
    reference
        From ``read_vocabulary``.

    Returns
    -------
    dict
        ``n_words`` and ``n_distinct_words`` of the corpus; ``share_of_reference_seen`` (the share
        of reference words that the corpus uses at all; grows with the size of the corpus) and
        ``share_of_words_in_reference`` (the share of running words that are in the reference;
        common English words count too, so 0.8 proves nothing).
    """
    n_running = counts.total()
    n_inside = sum(count for word, count in counts.items() if word in reference)
    n_seen = sum(1 for word in reference if counts.get(word))
    return {
        "n_words": n_running,
        "n_distinct_words": len(counts),
        "share_of_reference_seen": _share(n_seen, len(reference)),
        "share_of_words_in_reference": _share(n_inside, n_running),
    }


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
