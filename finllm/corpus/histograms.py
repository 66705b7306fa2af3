"""Compute corpus histograms as rows of CSV files for ``dvc plots``."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from finllm.corpus.census import CallPeriods
from finllm.corpus.quality import MEASURES, CallMeasures, outlier_scores
from finllm.records import Reject

N_BINS = 30
Z_LIMIT = 12.0  # scores beyond it are counted in the outermost bins
RANKS_A_BAND = 150  # words of the reference vocabulary per point of the plot
FIELDS = {  # file name of each histogram -> the field of CallMeasures that it counts
    "length": "n_words",
    "term_density": "term_density",
    "digit_share": "digit_share",
    "repetition": "repetition",
}

Rows = list[dict[str, float]]


def distribution(values: Sequence[float], kept: Sequence[bool], *, name: str) -> Rows:
    """Count kept and dropped calls by bin of a measure; column ``name`` is the middle of the bin.

    The bins of length are spaced geometrically, since the longest call can be a thousand times the
    median.
    """
    x, is_kept = np.asarray(values, dtype=float), np.asarray(kept, dtype=bool)
    if name == "length":
        x = np.maximum(x, 1)
        edges = np.geomspace(x.min(), x.max() + 1, N_BINS + 1)
        edges[0], edges[-1] = x.min(), x.max() + 1  # exactly: no call falls out by rounding
    else:
        edges = np.histogram_bin_edges(x, N_BINS)
    counts = [np.histogram(x[chosen], edges)[0] for chosen in (is_kept, ~is_kept)]
    return [
        {name: round(float(middle), 6), "kept": int(n_kept), "dropped": int(n_dropped)}
        for middle, n_kept, n_dropped in zip((edges[:-1] + edges[1:]) / 2, *counts, strict=True)
    ]


def outlier_distribution(measures: Sequence[CallMeasures]) -> Rows:
    """Count calls by bin of the modified z-score, one column for each measure.

    Empty if no source has enough calls for a score.
    """
    edges = np.linspace(-Z_LIMIT, Z_LIMIT, N_BINS + 1)
    columns = {}
    for name, z in outlier_scores(measures).items():
        known = z[~np.isnan(z)]
        if not known.size:
            return []
        columns[name] = np.histogram(np.clip(known, -Z_LIMIT, Z_LIMIT), edges)[0]
    return [
        {"z": round(float(middle), 6)} | {name: int(columns[name][i]) for name in MEASURES}
        for i, middle in enumerate((edges[:-1] + edges[1:]) / 2)
    ]


def vocabulary_by_rank(words: Collection[str], reference: Mapping[str, int]) -> Rows:
    """Return the share of the reference vocabulary in a corpus, from frequent to rare words."""
    ranked = sorted(reference, key=lambda word: (-reference[word], word))
    bands = [ranked[i : i + RANKS_A_BAND] for i in range(0, len(ranked), RANKS_A_BAND)]
    return [
        {
            "rank": RANKS_A_BAND * i + len(band),
            "share_seen": sum(word in words for word in band) / len(band),
        }
        for i, band in enumerate(bands)
    ]


def calls_by_period(calls: Iterable[CallPeriods]) -> Rows:
    """Count calls by quarter of their metadata, and those whose text names only other quarters.

    ``year`` is 2021.5 for 2021Q3. Calls without a period are left out.
    """
    n_calls: dict[str, int] = {}
    n_mismatched: dict[str, int] = {}
    for call in calls:
        if call.period:
            n_calls[call.period] = n_calls.get(call.period, 0) + 1
            mismatch = bool(call.named) and call.period not in call.named
            n_mismatched[call.period] = n_mismatched.get(call.period, 0) + mismatch
    return [
        {
            "year": int(period[:4]) + (int(period[5]) - 1) / 4,
            "calls": n_calls[period],
            "naming_only_others": n_mismatched[period],
        }
        for period in sorted(n_calls)
    ]


def corpus_plots(
    measures: Sequence[CallMeasures],
    dropped: Mapping[str, Reject],
    *,
    words: Collection[str],
    reference: Mapping[str, int],
    periods: Iterable[CallPeriods],
) -> dict[str, Rows]:
    """Return the rows of every plot of the corpus, by file name.

    ``dropped`` has the rejects of these measures from ``quality.judge``. ``words`` and ``periods``
    are those of the calls that are kept.
    """
    inside = [
        call
        for call in measures
        if call.id not in dropped or dropped[call.id].reason.startswith("outlier_")
    ]
    kept = [call.id not in dropped for call in measures]
    found = {
        name: distribution([vars(call)[field] for call in measures], kept, name=name)
        for name, field in FIELDS.items()
    }
    return found | {
        "outliers": outlier_distribution(inside),
        "vocabulary": vocabulary_by_rank(words, reference),
        "periods": calls_by_period(periods),
    }


COLUMNS = {
    **{name: (name, "kept", "dropped") for name in FIELDS},
    "outliers": ("z", *MEASURES),
    "vocabulary": ("rank", "share_seen"),
    "periods": ("year", "calls", "naming_only_others"),
}


def write_plots(folder: Path, plots: Mapping[str, Rows]) -> None:
    """Write one CSV file for each plot; a plot without rows has only a header."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in plots.items():
        with open(folder / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS[name])
            writer.writeheader()
            writer.writerows(rows)
