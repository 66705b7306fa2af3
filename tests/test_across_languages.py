import numpy as np
import pytest

from finllm.comparing.across_languages import SHOWN, by_language
from finllm.comparing.cross_domain import Gain
from finllm.comparing.pairs import Pairs
from finllm.records import METRICS
from finllm.report.fairness import by_language as language_table

DRAWS = {"confidence": 0.95, "n_bootstrap": 199, "seed": 1}


def pairs(rows):
    """Pairs of (language, company, template, tuned); the base has 0.1 throughout."""
    ids = [f"e{i}:{row[0]}" for i, row in enumerate(rows)]
    tuned = np.array([row[3] for row in rows], dtype=float)
    made = Pairs(
        ids,
        [row[1] for row in rows],
        [row[2] for row in rows],
        {name: np.full(len(rows), 0.1) for name in METRICS},
        {name: tuned for name in METRICS},
    )
    return made, {i: i.rpartition(":")[2] for i in ids}


BOTH = [
    *[("en", company, "summarization", 0.5) for company in "abc"],
    ("de", "a", "summarization", 0.2),
    ("de", "b", "summarization", 0.3),
    ("de", "c", "summarization", 0.4),
]


def of(found, metric, language):
    (row,) = (row for row in found if (row.metric, row.language) == (metric, language))
    return row


def test_each_language_has_a_row_for_each_metric():
    found = by_language(*pairs(BOTH), **DRAWS)
    assert [(row.metric, row.language) for row in found] == [
        (metric, language) for metric in SHOWN for language in ("en", "de")
    ]


def test_a_company_in_two_languages_is_compared_with_itself():
    found = by_language(*pairs(BOTH), **DRAWS)
    english, german = (of(found, "number_accuracy", code) for code in ("en", "de"))
    assert english.change is None
    assert german.gain.estimate == pytest.approx(0.2)
    assert german.change.estimate == pytest.approx(-0.2)
    width = 4.302653 * 0.1 / 3**0.5  # t(0.975, 2) times the standard error of three differences
    assert german.change.high == pytest.approx(-0.2 + width)
    assert german.change.low == pytest.approx(-0.2 - width)
    assert (german.base, german.tuned) == (pytest.approx(0.1), pytest.approx(0.3))
    assert (german.n_companies, german.n_examples) == (3, 3)


def test_other_companies_are_compared_as_two_samples():
    rows = [row if row[0] == "en" else (row[0], row[1].upper(), *row[2:]) for row in BOTH]
    german = of(by_language(*pairs(rows), **DRAWS), "coherence", "de")
    assert german.change.estimate == pytest.approx(-0.2)


def test_only_templates_that_every_language_has_are_compared():
    rows = [*BOTH, *[("en", company, "understanding", 1.0) for company in "abc"]]
    assert of(by_language(*pairs(rows), **DRAWS), "term_recall", "en").n_examples == 3


def test_without_another_language_there_is_nothing():
    made, languages = pairs(BOTH[:3])
    assert by_language(made, languages, **DRAWS) == by_language(made, {}, **DRAWS) == []


def test_without_english_there_is_no_change():
    german = by_language(*pairs(BOTH[3:]), **DRAWS)
    assert {row.language for row in german} == {"de"}
    assert all(row.change is None and isinstance(row.gain, Gain) for row in german)


def test_one_company_has_means_and_no_interval():
    found = by_language(*pairs([*BOTH[:3], BOTH[3]]), **DRAWS)
    german = of(found, "number_accuracy", "de")
    assert german.gain is None and german.change is None and german.tuned == pytest.approx(0.2)


def test_the_table_says_language_means_and_gains():
    import dataclasses

    rows = [dataclasses.asdict(row) for row in by_language(*pairs(BOTH), **DRAWS)]
    table = language_table(rows)
    assert table.columns[1:4] == ["language", "companies", "examples"]
    assert len(table.rows) == 6
    assert table.rows[1][1:6] == ["de", "3", "3", "0.100", "0.300"]
    assert table.rows[1][7].startswith("-0.200") or table.rows[1][7].startswith("\u22120.200")
