import csv
from pathlib import Path

import numpy as np
import pytest
from conftest import make_call

from finllm.corpus import human_check, review
from finllm.corpus.quality import CallMeasures, judge
from finllm.records import Line, to_json

BOUNDS = {"min_words": 100, "max_words": 1000, "min_term_density": 0.02}


def sheet(path, answers, *, rater):
    """A filled copy: call id to whether it should be kept."""
    rows = [review.review_row(make_call(key)) for key in answers]
    for row in rows:
        filled = dict.fromkeys(review.QUESTIONS, "yes")
        row |= {"rater": rater, **filled, "should_be_kept": answers[row["id"]]}
    review.write_sheet(path, rows)


def test_calls_near_a_bound_are_a_stratum_and_dropped_ones_go_by_their_reason():
    measures = [
        CallMeasures("middle", 500, 0.1, 0.08, 0.0),
        CallMeasures("nearly_short", 110, 0.1, 0.08, 0.0),
        CallMeasures("nearly_offtopic", 500, 0.1, 0.021, 0.0),
        CallMeasures("short", 10, 0.1, 0.08, 0.0),
    ]
    dropped = judge(measures, max_outlier_z=8.0, **BOUNDS)
    assert human_check.strata(measures, dropped, **BOUNDS) == {
        "middle": "kept",
        "nearly_short": "near_bound",
        "nearly_offtopic": "near_bound",
        "short": "too_short",
    }


def test_a_folder_without_sheets_says_that_there_are_no_ratings(tmp_path):
    (tmp_path / "README.md").write_text("how to rate")
    none = {"n_ratings": 0, "n_ratings_of_other_calls": 0}
    assert human_check.rating_metrics(tmp_path, {"a": True}) == none


def test_filled_sheets_give_agreement_and_the_filters_error_rate(tmp_path):
    sheet(tmp_path / "filled-ann.csv", dict(a="yes", b="no", c="no", d="yes"), rater="Ann")
    sheet(tmp_path / "filled-bob.csv", dict(a="yes", b="no", c="yes", d="yes"), rater="Bob")
    found = human_check.rating_metrics(tmp_path, {"a": True, "b": True, "c": False})
    assert (found["n_ratings"], found["n_ratings_of_other_calls"]) == (6, 2)
    assert found["agreement"]["should_be_kept"]["observed"] == pytest.approx(2 / 3)
    assert "kappa" not in found["agreement"]["is_readable"]  # all yes: undefined, left out
    rate = found["error_rate"]["kept"]  # b was kept, both say no; c is a tie
    assert (rate["n_rated"], rate["n_wrong"], rate["rate"]) == (2, 1, 0.5)
    assert (rate["low"], rate["high"]) == review.wilson_interval(1, 2, confidence=0.95)


def test_the_sheet_has_the_drawn_calls_and_asks_for_their_lines_alone():
    strata = {f"c{i}": "kept" for i in range(9)}
    asked = []

    def lines_of(ids):
        asked.append(ids)
        return [Line(Path("calls"), 1, to_json(make_call(key))) for key in sorted(ids)]

    rows = human_check.sheet(strata, lines_of, n_review=4, seed=0)
    assert asked == [{row["id"] for row in rows}] and len(rows) == 4
    drawn = review.draw_sample(strata, n_sample=4, rng=np.random.default_rng(0))
    assert [row["id"] for row in rows] == drawn
    assert human_check.sheet(strata, lines_of, n_review=0, seed=0) == [] and len(asked) == 1


def test_the_drawn_sheet_is_read_back_as_it_was_written(tmp_path):
    strata = {f"c{i}": "kept" if i % 4 else "too_short" for i in range(40)}
    drawn = review.draw_sample(strata, n_sample=8, rng=np.random.default_rng(0))
    assert sum(strata[key] == "too_short" for key in drawn) == 2
    review.write_sheet(tmp_path / "s.csv", [review.review_row(make_call(key)) for key in drawn])
    with open(tmp_path / "s.csv", newline="", encoding="utf-8") as file:
        assert [row["id"] for row in csv.DictReader(file)] == drawn
    assert review.read_ratings(tmp_path / "s.csv") == []
