from pathlib import Path

import numpy as np
import pytest

from finllm.corpus import histograms
from finllm.corpus.census import CallPeriods
from finllm.corpus.quality import MEASURES, CallMeasures, judge

ROOT = Path(__file__).parents[1]
REFERENCE = {f"w{i:03}": 1000 - i for i in range(200)}


def corpus(n=60, source="a"):
    """Calls of about 1,000 words, one of them of a million and one of ten."""
    rng = np.random.default_rng(0)
    rows = [
        CallMeasures(f"{source}{i}", int(rng.integers(900, 1100)), 0.05, 0.1, 0.02, source)
        for i in range(n)
    ]
    odd = [(f"{source}long", 1_000_000), (f"{source}short", 10)]
    return rows + [CallMeasures(name, size, 0.05, 0.1, 0.02, source) for name, size in odd]


def verdicts(measures):
    bounds = {"min_words": 100, "max_words": 10**9, "min_term_density": 0.01}
    return judge(measures, max_outlier_z=8, **bounds)


def plots_of(measures):
    return histograms.corpus_plots(
        measures,
        verdicts(measures),
        words={"w000", "w151"},
        reference=REFERENCE,
        periods=[
            CallPeriods("Acme", "2021Q3", ("2021Q3",)),
            CallPeriods("Oak", "2021Q3", ("2020Q1",)),
            CallPeriods("Elm", "2020Q4", ()),
            CallPeriods("Ash", "", ("2020Q4",)),
        ],
    )


def test_every_call_is_in_one_bin_as_kept_or_dropped():
    measures = corpus()
    assert set(verdicts(measures)) == {"along", "ashort"}
    for name in histograms.FIELDS:
        rows = plots_of(measures)[name]
        assert len(rows) == histograms.N_BINS
        assert sum(row["kept"] for row in rows) == 60
        assert sum(row["dropped"] for row in rows) == 2
    assert [row["length"] for row in plots_of(measures)["length"]] == sorted(
        row["length"] for row in plots_of(measures)["length"]
    )


def test_an_outlier_is_in_the_outermost_bin_of_its_measure_and_one_out_of_bounds_in_none():
    rows = plots_of(corpus())["outliers"]
    assert rows[-1]["length"] == 1 and rows[0]["length"] == 0
    for name in MEASURES:
        assert sum(row[name] for row in rows) == 61


def test_a_call_is_an_outlier_among_the_calls_of_its_own_source_alone():
    short = [CallMeasures(f"b{i}", 150 + i, 0.05, 0.1, 0.02, "b") for i in range(30)]
    assert set(verdicts(corpus() + short)) == {"along", "ashort"}


def test_few_calls_have_no_scores():
    assert plots_of(corpus(5))["outliers"] == []


def test_the_vocabulary_is_read_from_frequent_to_rare():
    assert plots_of(corpus())["vocabulary"] == [
        {"rank": 150, "share_seen": pytest.approx(1 / 150)},
        {"rank": 200, "share_seen": pytest.approx(1 / 50)},
    ]


def test_a_quarter_counts_its_calls_and_those_that_name_only_others():
    assert plots_of(corpus())["periods"] == [
        {"year": 2020.75, "calls": 1, "naming_only_others": 0},
        {"year": 2021.5, "calls": 2, "naming_only_others": 1},
    ]


def test_a_plot_without_rows_has_its_header(tmp_path):
    histograms.write_plots(tmp_path, plots_of(corpus(5)))
    header = ",".join(["z", *MEASURES])
    assert (tmp_path / "outliers.csv").read_text().splitlines() == [header]
