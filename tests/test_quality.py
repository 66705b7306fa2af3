import csv
import dataclasses
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from finllm.corpus import census, quality, review
from finllm.languages.lexicon import BUILTIN, Lexicon, words
from finllm.records import Transcript, Turn

LEXICON = Lexicon(BUILTIN)
BOUNDS = {"min_words": 10, "max_words": 1000, "min_term_density": 0.05, "max_outlier_z": 3.5}
NORMAL = quality.CallMeasures("", 100, 0.04, 0.12, 0.03)


def call(call_id: str, text: str) -> Transcript:
    turn = Turn("", "unknown", "unknown", text)
    return Transcript(call_id, "ACME", "2021Q3", "", "src", (turn,), None)


def measured(one: Transcript) -> quality.CallMeasures:
    return quality.measure(one, one.text, words(one.text.lower()), lexicon=LEXICON)


def spread(n: int) -> list[quality.CallMeasures]:
    return [
        quality.CallMeasures(
            f"n{i}", 90 + i % 21, 0.04 + 0.001 * (i % 7), 0.12 + 0.002 * (i % 5), 0.03 + i % 3 / 999
        )
        for i in range(n)
    ]


def reasons(*odd: quality.CallMeasures, **bounds) -> dict[str, str]:
    rejects = quality.judge([*spread(60), *odd], **(BOUNDS | bounds))
    return {call_id: reject.reason for call_id, reject in rejects.items()}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"n_words": 9}, "too_short"),
        ({"n_words": 1001}, "too_long"),
        ({"term_density": 0.049}, "low_term_density"),
        ({"n_words": 900}, "outlier_length"),
        ({"digit_share": 0.6}, "outlier_digit_share"),
        ({"term_density": 0.9}, "outlier_term_density"),
        ({"repetition": 0.8}, "outlier_repetition"),
    ],
)
def test_each_rule_has_its_own_reason(change, reason):
    assert reason in quality.REASONS
    odd = dataclasses.replace(NORMAL, id="odd", **change)
    assert reasons(odd) == {"odd": reason}


def test_values_at_the_bounds_are_kept():
    low = dataclasses.replace(NORMAL, id="low", n_words=10, term_density=0.05)
    high = dataclasses.replace(NORMAL, id="high", n_words=1000)
    assert reasons(low, high, max_outlier_z=math.inf) == {}


def test_little_repetition_is_no_fault():
    assert reasons(dataclasses.replace(NORMAL, id="odd", repetition=0.0)) == {}


def test_few_calls_have_no_outliers():
    odd = dataclasses.replace(NORMAL, id="odd", n_words=900)
    assert quality.judge([*spread(18), odd], **BOUNDS) == {}


def test_the_detail_tells_every_rule_that_was_broken():
    odd = dataclasses.replace(NORMAL, id="odd", n_words=5, term_density=0.0)
    reject = quality.judge([odd], **BOUNDS)["odd"]
    assert reject.detail == "5 words, at least 10; term density 0.0000, at least 0.05"


def test_kept_and_dropped_add_up_in_order():
    texts = {
        "a": "gross margin and net sales rose by 5% in the third quarter of the year " * 3,
        "b": "too short",
        "c": "the cat sat on the mat and did nothing else for the rest of the day " * 3,
        "d": "net income and free cash flow were higher than a year ago in every market " * 3,
    }
    calls = [call(call_id, text) for call_id, text in texts.items()]
    measures = [measured(one) for one in calls]
    dropped = quality.judge(measures, **BOUNDS)
    assert {key: reject.reason for key, reject in dropped.items()} == {
        "b": "too_short",
        "c": "low_term_density",
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"min_words": 2000}, "min_words 2000"),
        ({"min_term_density": 1.5}, "min_term_density 1.5"),
        ({"max_outlier_z": 0}, "max_outlier_z 0"),
    ],
)
def test_bounds_that_exclude_everything_are_errors(change, said):
    with pytest.raises(ValueError, match=said):
        quality.judge([NORMAL], **(BOUNDS | change))


def test_two_calls_with_one_id_are_an_error():
    with pytest.raises(ValueError, match="1 calls have duplicate ids"):
        quality.judge([NORMAL, NORMAL], **BOUNDS)


def test_measures_are_what_they_say():
    measures = measured(call("a", "Gross margin rose 5% to 31%, and rose."))
    assert measures.n_words == 8
    assert measures.digit_share == pytest.approx(2 / 8)
    assert measures.term_density == pytest.approx(2 / 8)
    assert measures.repetition == 0.0
    empty = quality.CallMeasures("a", 0, 0, 0, 0, "src")
    assert measured(call("a", "")) == empty


def test_modified_z_matches_the_formula_and_survives_ties():
    x = np.array([1.0, 2, 3, 4, 5, 6, 50])
    expected = 0.6745 * (x - 4) / 2  # median 4, absolute deviations 3 2 1 0 1 2 46: median 2
    np.testing.assert_allclose(quality.modified_z(x), expected)
    assert quality.modified_z([5.0] * 9).tolist() == [0.0] * 9
    tied = quality.modified_z([5.0] * 9 + [6.0])
    assert tied[-1] == pytest.approx(1 / (1.253314 * 0.1))
    assert quality.modified_z([]).size == 0


@pytest.mark.parametrize(
    ("text", "periods"),
    [
        ("the third quarter of 2021", ("2021Q3",)),
        ("our fourth-quarter fiscal 2020 results", ("2020Q4",)),
        ("Q2 2019 and Q1 of fiscal year 2020", ("2019Q2", "2020Q1")),
        ("2021 first quarter; 2021 Q2", ("2021Q1", "2021Q2")),
        ("a quarter of 2021 customers, second quarter sales of 2,021", ()),
    ],
)
def test_quarters_are_read_from_words(text, periods):
    assert census.named_periods(text, "en") == periods


def test_quarters_are_read_from_german_words():
    text = "Der Umsatz stieg im dritten Quartal 2024; im 2. Quartal 2024 war er niedriger."
    assert census.named_periods(text, "de") == ("2024Q3", "2024Q2")


def test_temporal_consistency_counts_by_hand():
    calls = [
        census.CallPeriods("A", "2021Q1", ("2021Q1", "2020Q1")),
        census.CallPeriods("A", "2021Q2", ("2021Q1",)),  # misnamed, but does not go back
        census.CallPeriods("A", "2021Q3", ("2020Q3",)),  # goes back
        census.CallPeriods("B", "2021Q1", ()),
        census.CallPeriods("B", "2021Q1", ("2021Q1", "2021Q2")),
        census.CallPeriods("C", "", ("2021Q1",)),
    ]
    assert census.temporal_consistency(calls) == {
        "n_calls": 6,
        "share_with_period": 5 / 6,
        "share_naming_quarters": 5 / 6,
        "share_period_named": 2 / 5,
        "share_period_latest": 1 / 5,
        "n_repeated_periods": 1,
        "n_neighbouring_calls": 2,
        "share_forward": 1 / 2,
    }
    assert census.temporal_consistency([])["share_forward"] == 0.0


def test_lengths_have_quantiles():
    figures = census.length_distribution([1, 2, 3, 4, 5])
    assert (figures["n_calls"], figures["mean_words"], figures["q50_words"]) == (5, 3.0, 3.0)
    assert (figures["q00_words"], figures["q100_words"]) == (1.0, 5.0)
    assert census.length_distribution([]) == {}


def test_vocabulary_overlap_counts_words_and_types():
    counts = Counter(census.vocabulary_words("Revenue rose; revenue of zzyzx"))
    figures = census.vocabulary_overlap(counts, {"revenue": 9, "rose": 5, "margin": 3, "of": 9})
    assert figures["share_of_reference_seen"] == 3 / 4
    assert figures["share_of_words_in_reference"] == 4 / 5
    assert figures["n_distinct_words"] == 4


def test_the_shipped_vocabulary_says_how_it_was_derived():
    reference = census.read_vocabulary(census.REFERENCE_VOCABULARY)
    assert len(reference) == 3000
    assert {"revenue", "margin", "guidance"} <= set(reference)
    assert max(reference.values()) <= 1681
    assert "ECTSum" in census.REFERENCE_VOCABULARY.read_text().split("\n")[1]


def test_a_malformed_vocabulary_is_an_error(tmp_path):
    (tmp_path / "v.tsv").write_text("# x\nrevenue 5\n")
    with pytest.raises(ValueError, match=r"v.tsv, line 2"):
        census.read_vocabulary(tmp_path / "v.tsv")


def test_the_sample_is_proportional_and_seeded():
    strata = {f"k{i}": "kept" for i in range(80)} | {f"s{i}": "too_short" for i in range(20)}
    drawn = review.draw_sample(strata, n_sample=10, rng=np.random.default_rng(1))
    assert Counter(strata[call_id] for call_id in drawn) == {"kept": 8, "too_short": 2}
    assert drawn == review.draw_sample(strata, n_sample=10, rng=np.random.default_rng(1))
    assert drawn != review.draw_sample(strata, n_sample=10, rng=np.random.default_rng(2))
    everything = review.draw_sample(strata, n_sample=500, rng=np.random.default_rng(1))
    assert sorted(everything) == sorted(strata)


def fill(path: Path, rater: str, answers: dict[str, str]) -> Path:
    copy = path.with_name(f"{rater}.csv")
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["id"] in answers:
            row |= dict.fromkeys(review.QUESTIONS, "Yes") | {"rater": rater}
            row["should_be_kept"] = answers[row["id"]]
    review.write_sheet(copy, rows)
    return copy


def test_a_filled_sheet_comes_back_as_ratings(tmp_path):
    rows = [review.review_row(call(name, "=SUM(1) word " * 200)) for name in "abc"]
    assert rows[0]["excerpt"].startswith(" =") and rows[0]["excerpt"].count("[...]") == 2
    assert "kept" not in "".join(rows[0]).replace("should_be_kept", "")
    review.write_sheet(tmp_path / "sample.csv", rows)
    assert review.read_ratings(tmp_path / "sample.csv") == []
    ratings = review.read_ratings(fill(tmp_path / "sample.csv", "ann", {"a": "yes", "c": " NO "}))
    assert [(r.id, r.rater, r.answers["should_be_kept"]) for r in ratings] == [
        ("a", "ann", "yes"),
        ("c", "ann", "no"),
    ]


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [("should_be_kept", "maybe", "'maybe'; allowed are yes and no"), ("rater", " ", "no rater")],
)
def test_a_wrong_answer_names_file_and_line(tmp_path, column, value, said):
    row = review.review_row(call("a", "word")) | dict.fromkeys(review.QUESTIONS, "yes")
    row |= {"rater": "ann"} | {column: value}
    review.write_sheet(tmp_path / "s.csv", [row])
    with pytest.raises(ValueError, match="s.csv, line 2") as error:
        review.read_ratings(tmp_path / "s.csv")
    assert said in str(error.value)


def rated(rater: str, votes: str) -> list[review.Rating]:
    return [
        review.Rating(f"c{i}", rater, dict.fromkeys(review.QUESTIONS, "yes" if v == "y" else "no"))
        for i, v in enumerate(votes)
        if v != " "
    ]


def test_agreement_matches_cohens_kappa_by_hand():
    ratings = rated("ann", "yyyynnnnyy") + rated("bob", "yyynnnnyyy")
    figures = review.inter_rater_agreement(ratings, "should_be_kept")
    # agree on 8 of 10; both say yes to 6 of 10: expected .36 + .16 = .52
    assert figures["n_pairs"] == 10
    assert figures["observed"] == pytest.approx(0.8)
    assert figures["kappa"] == pytest.approx((0.8 - 0.52) / 0.48)


def test_agreement_without_shared_calls_or_without_chance_is_none():
    assert review.inter_rater_agreement(rated("ann", "yy"), "is_readable")["observed"] is None
    same = review.inter_rater_agreement(rated("ann", "yy") + rated("bob", "yy"), "is_readable")
    assert (same["observed"], same["kappa"]) == (1.0, None)


def test_wilson_interval_matches_published_values():
    # scipy 1.17: binomtest(k, n).proportion_ci(method="wilson")
    assert review.wilson_interval(0, 10, confidence=0.95) == pytest.approx((0, 0.2775328), abs=1e-7)
    expected = (0.1077913, 0.6032219)
    assert review.wilson_interval(3, 10, confidence=0.95) == pytest.approx(expected, abs=1e-7)
    expected = (0.4038315, 0.5961685)
    assert review.wilson_interval(50, 100, confidence=0.95) == pytest.approx(expected, abs=1e-7)


def test_filter_error_rates_follow_the_majority():
    kept = {"c0": True, "c1": True, "c2": True, "c3": False, "c4": False}
    ratings = rated("ann", "ynyyn") + rated("bob", "ynnyn") + rated("cleo", "yy yn")
    rates = review.filter_error_rates(ratings, kept, confidence=0.95)
    # c0 kept, right; c1 2 no of 3: wrong; c2 tied; c3 dropped, wrong; c4 dropped, right
    assert (rates["kept"].n_rated, rates["kept"].n_wrong, rates["kept"].n_tied) == (2, 1, 1)
    assert (rates["dropped"].n_rated, rates["dropped"].n_wrong) == (2, 1)
    assert (rates["all"].n_rated, rates["all"].rate) == (4, 0.5)
    assert rates["all"].low < 0.5 < rates["all"].high
    with pytest.raises(ValueError, match="'c0' is not in this corpus"):
        review.filter_error_rates(ratings, {}, confidence=0.95)
