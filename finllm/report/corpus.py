"""Corpus section of the report: funnel, lengths, vocabulary, periods, repetition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finllm.report import wording
from finllm.report.bars import BarFigure, bar_figure
from finllm.report.figures import CurveFigure, curve_figure
from finllm.report.funnel import FunnelStep
from finllm.report.tables import Table

Rows = Sequence[Mapping[str, float]]


@dataclass(frozen=True)
class CorpusFigures:
    """One figure per plot of the filter stage; None if the plot is missing or empty."""

    length: BarFigure | None
    term_density: BarFigure | None
    periods: BarFigure | None
    vocabulary: CurveFigure | None


def corpus_figures(plots: Mapping[str, Rows]) -> CorpusFigures:
    """Return the figures; ``plots`` has the rows of plots/corpus/NAME.csv, by NAME."""
    sides = ("kept", "dropped")
    periods = [
        (
            quarter(row["year"]),
            (row["calls"] - row["naming_only_others"], row["naming_only_others"]),
        )
        for row in plots.get("periods", ())
    ]
    seen = [(row["rank"], 100 * row["share_seen"]) for row in plots.get("vocabulary", ())]
    return CorpusFigures(
        length=bar_figure(
            [
                (wording.count(row["length"]), [row[side] for side in sides])
                for row in plots.get("length", ())
            ],
            sides,
        ),
        term_density=bar_figure(
            [
                (f"{100 * row['term_density']:.1f}%", [row[side] for side in sides])
                for row in plots.get("term_density", ())
            ],
            sides,
        ),
        periods=bar_figure(periods, ("calls", "naming other quarters only")),
        vocabulary=curve_figure({"words that the calls use, %": seen}),
    )


def quarter(year: float) -> str:
    """Return the name of a quarter from a decimal year, in which a quarter is 0.25.

    >>> quarter(2019.75)
    '2019Q4'
    """
    return f"{int(year)}Q{round(4 * (year - int(year))) + 1}"


def funnel_table(steps: Sequence[FunnelStep]) -> Table:
    """Return the funnel as a table with one row per stage and one per reason of removal."""
    rows = []
    for step in steps:
        counts = [wording.count(n) for n in (step.n_read, step.n_kept)]
        rows.append([f"{step.stage}: {step.unit}", *counts, wording.MISSING])
        rows += [[f"{step.stage}: {why}", "", "", wording.count(n)] for why, n in step.removed]
        if step.n_unexplained:
            n = wording.count(step.n_unexplained)
            rows.append([f"{step.stage}: without a reason", "", "", n])
    return Table(
        "Records in and out of every stage, as a table", ["stage", "in", "out", "removed"], rows
    )


def corpus_tables(metrics: Mapping[str, Mapping]) -> list[Table]:
    """Return the tables of lengths, vocabulary, duplicates and periods that have figures."""
    filtered, audit = metrics["filter"], metrics["split"].get("audit", {})
    made = [
        _table("Lengths of the kept calls, in words", _lengths(filtered.get("lengths", {}))),
        _table("Vocabulary of the calls", _vocabulary(filtered)),
        _table("Duplicates, and overlap between the sets", _duplicates(filtered, audit)),
        _table("Quarters of the calls", _periods(filtered.get("temporal", {}))),
    ]
    return [table for table in made if table.rows]


def _table(caption: str, rows: Sequence[tuple[str, str]]) -> Table:
    return Table(caption, ["measure", "value"], rows)


def _lengths(found: Mapping[str, float]) -> list[tuple[str, str]]:
    names = {
        "q00_words": "shortest",
        "q05_words": "5th percentile",
        "q25_words": "25th percentile",
        "q50_words": "median",
        "q75_words": "75th percentile",
        "q95_words": "95th percentile",
        "q100_words": "longest",
        "mean_words": "mean",
        "sd_words": "standard deviation",
    }
    return [(name, wording.count(found[key])) for key, name in names.items() if key in found]


def _vocabulary(filtered: Mapping) -> list[tuple[str, str]]:
    found = filtered.get("vocabulary", {})
    shares = {
        "share_of_words_in_reference": "words of the calls that are in the reference vocabulary",
        "share_of_reference_seen": "reference vocabulary that the calls use",
    }
    rows = [(name, _percent(found[key])) for key, name in shares.items() if key in found]
    if "n_distinct_words" in found:
        rows.insert(0, ("distinct words", wording.count(found["n_distinct_words"])))
    if "mean_term_density" in filtered:
        density = _percent(filtered["mean_term_density"])
        rows.append(("financial terms per word, mean over the calls", density))
    return rows


def _duplicates(filtered: Mapping, audit: Mapping) -> list[tuple[str, str]]:
    found = filtered.get("paragraphs", {})
    counts = {
        "n_paragraphs": "paragraphs",
        "n_in_several_calls": "distinct paragraphs that occur in several calls",
        "n_near_in_several_places": "near repetitions (a few words differ)",
    }
    shares = {
        "share_of_words_repeated": "words in repeated paragraphs",
        "share_of_words_near_repeated": "near repetitions (a few words differ)",
    }
    rows = []
    if "near_duplicate_groups" in filtered:
        groups = wording.count(filtered["near_duplicate_groups"])
        rows.append(("groups of near-duplicate calls, each in one set", groups))
    rows += [(name, wording.count(found[key])) for key, name in counts.items() if key in found]
    rows += [(name, _percent(found[key])) for key, name in shares.items() if key in found]
    leaks = {
        "shared_companies": "companies in two sets",
        "shared_transcripts": "calls in two sets",
        "shared_duplicate_groups": "groups of near-duplicates in two sets",
    }
    rows += [(name, wording.count(audit[key])) for key, name in leaks.items() if key in audit]
    overlaps = {
        "test_excerpt_contamination": "word sequences of test excerpts also found in training",
        "test_answer_contamination": "word sequences of test references also found in training",
    }
    rows += [(name, _percent(audit[key])) for key, name in overlaps.items() if key in audit]
    return rows


def _periods(found: Mapping[str, float]) -> list[tuple[str, str]]:
    shares = {
        "share_with_period": "calls with a known quarter",
        "share_naming_quarters": "calls that name a quarter",
        "share_period_named": "of these, naming their own quarter",
        "share_period_latest": "of these, naming no later quarter",
        "share_forward": "neighbouring calls of a company in the right order",
    }
    rows = [(name, _percent(found[key])) for key, name in shares.items() if key in found]
    if "n_repeated_periods" in found:
        repeated = wording.count(found["n_repeated_periods"])
        rows.append(("quarters for which a company has two calls", repeated))
    return rows


def _percent(value: float) -> str:
    return f"{100 * value:.1f}%"
