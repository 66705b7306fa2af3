"""Corpus, robustness and convergence in the report: figures, tables, and words where nothing is."""

import math
import re

import pytest
from test_report import CORPUS, PRIMARY, make_evidence, render

from finllm.report import convergence, corpus, fairness, robustness, tables
from finllm.report.bars import bar_figure
from finllm.report.evidence import Evidence, read_corpus, read_rows
from finllm.report.funnel import funnel

CHANGE = {"set": "reworded", "metric": PRIMARY, "model": "tuned", "original": 0.47}
CHANGE |= {"changed": 0.41, "estimate": -0.06, "low": -0.1, "high": -0.02}
CHANGE |= {"n_companies": 12, "n_examples": 32}


def test_bars_stack_from_the_ground_and_empty_ends_are_cut():
    rows = [("a", (0, 0)), ("b", (3, 1)), ("c", (0, 0)), ("d", (2, 0)), ("e", (0, 0))]
    figure = bar_figure(rows, ("kept", "dropped"))
    assert [bar.label for bar in figure.bars] == ["b", "c", "d"]
    low, high = figure.bars[0].segments
    assert low.top + low.height == pytest.approx(100) and high.top + high.height == low.top
    assert low.height == pytest.approx(3 * high.height)
    assert all(0 <= bar.left and bar.left + bar.width <= 100 for bar in figure.bars)
    assert bar_figure([("a", (0, 0))], ("kept", "dropped")) is None
    assert bar_figure([], ("kept",)) is None
    assert len(bar_figure([(str(i), [1]) for i in range(30)], ["n"]).labels) <= 5


def test_the_corpus_figures_hold_the_plots_of_the_filter_stage():
    found = corpus.corpus_figures(CORPUS)
    assert [(bar.label, *bar.values) for bar in found.length.bars] == [
        ("100", 0, 2),
        ("1,200", 16, 0),
    ]
    assert [bar.label for bar in found.periods.bars] == ["2020Q4", "2021Q1"]
    assert found.periods.bars[0].values == (8, 1)
    assert found.term_density.bars[0].label == "8.1%"
    assert found.vocabulary.curves[0].rows == [(150.0, 90.0), (300.0, 40.0)]
    bare = corpus.corpus_figures({})
    assert (bare.length, bare.periods, bare.vocabulary) == (None, None, None)


def test_a_run_without_plots_says_so():
    evidence = make_evidence()
    text = render(Evidence(**{**vars(evidence), "corpus": {}, "gradient_by_layer": []}))
    assert "No corpus plots were recorded" in text and "Gradient norm of the adapter" not in text


def test_the_funnel_has_a_row_for_every_reason():
    m = make_evidence().metrics
    m["split"]["rejected_by_reason"] = {"over_cap": 1, "embargo": 1}
    steps = funnel(m["clean"], m["filter"], m["templatize"], m["split"])
    rows = corpus.funnel_table(steps).rows
    assert ["split: examples", "32", "30", "–"] in rows
    assert ["split: embargo", "", "", "1"] in rows and ["split: over cap", "", "", "1"] in rows
    assert [step.n_unexplained for step in steps] == [0, 0, 0, 0]


def test_lengths_vocabulary_duplicates_and_periods_are_tables_where_measured():
    m = make_evidence().metrics
    assert corpus.corpus_tables(m) == []
    m["filter"] |= {
        "lengths": {"n_calls": 16, "q50_words": 1036.0, "mean_words": 1028.6},
        "vocabulary": {"n_distinct_words": 3133, "share_of_reference_seen": 0.487},
        "near_duplicate_groups": 1,
        "paragraphs": {"n_paragraphs": 2099, "share_of_words_repeated": 0.0123},
        "temporal": {"share_with_period": 1.0, "n_repeated_periods": 2},
    }
    m["split"]["audit"] = {"shared_companies": 0, "test_answer_contamination": 0.0021}
    lengths, vocabulary, duplicates, periods = corpus.corpus_tables(m)
    assert list(lengths.rows) == [("median", "1,036"), ("mean", "1,029")]
    assert ("reference vocabulary that the calls use", "48.7%") in vocabulary.rows
    assert ("paragraphs", "2,099") in duplicates.rows
    assert ("companies in two sets", "0") in duplicates.rows
    assert ("quarters for which a company has two calls", "2") in periods.rows


def test_robustness_that_was_not_measured_is_said_in_words():
    for absent in ({}, {"robustness": []}):
        evidence = make_evidence()
        evidence.metrics["evaluate"] |= absent
        assert "Not measured in this run" in render(evidence)


def test_robustness_shows_the_primary_metric_and_folds_the_others():
    rows = [
        {**CHANGE, "set": "noise", "model": "base", "estimate": 0.01},
        CHANGE,
        {**CHANGE, "metric": "bleu"},
    ]
    said = robustness.robustness_summary(rows, primary=PRIMARY)
    assert "in held-out wording: tuned −0.060 [−0.100, −0.020]." in said
    first, others = robustness.robustness_tables(rows, primary=PRIMARY)
    assert [row[:2] for row in first.rows] == [
        ["noise: Number accuracy", "base"],
        ["reworded: Number accuracy", "tuned"],
    ]
    assert first.rows[1][2:] == ["0.470", "0.410", "−0.060 [−0.100, −0.020]", "32 of 12"]
    assert [row[0] for row in others.rows] == ["reworded: BLEU"]
    bare = {key: x for key, x in CHANGE.items() if key not in ("low", "high")}
    assert "tuned −0.060 –" in robustness.robustness_summary([bare], primary=PRIMARY)
    evidence = make_evidence()
    evidence.metrics["evaluate"]["robustness"] = rows
    text = render(evidence)
    assert "The same examples, changed: number accuracy" in text
    assert "The same examples, changed: the other metrics" in text


def test_the_few_shot_base_stands_between_base_and_tuned():
    means = {model: {PRIMARY: 0.5} for model in ("tuned", "fewshot", "base", "lead")}
    table = tables.by_model(means, caption="", primary=PRIMARY)
    assert table.columns == ["metric", "base", "base, examples shown", "tuned", "lead"]
    evidence = make_evidence()
    assert "examples shown” is" not in render(evidence)
    test = evidence.metrics["evaluate"]["test"]
    test["fewshot"] = {PRIMARY: test["tuned"][PRIMARY] - 0.01}
    assert "examples shown” is the untuned model" in render(evidence)
    assert "a better prompt alone may be enough" not in render(evidence)
    test["fewshot"] = {PRIMARY: test["tuned"][PRIMARY]}
    assert "a better prompt alone may be enough" in render(evidence)


def test_latency_is_a_table_where_single_answers_were_timed():
    metrics = make_evidence().metrics
    assert fairness.latency(metrics).rows == []
    cost = {
        "seconds": 48.0,
        "reading": {"tokens_per_second": 850.0},
        "generation": {"tokens_per_second": 227.0},
        "latency": {
            "in_batch": {"median_seconds": 3.2, "p95_seconds": 4.5, "n": 96},
            "alone": {
                "median_seconds": 1.5,
                "p95_seconds": 1.75,
                "median_seconds_to_first_token": 0.25,
            },
        },
    }
    metrics["predict_tuned"] = {**metrics["predict_tuned"], "cost": cost}
    assert fairness.latency(metrics).rows == [
        ["tuned", "850", "227", "3.20 s", "4.50 s", "1.50 s", "1.75 s", "0.250 s"]
    ]


def test_the_perplexity_of_the_test_references_has_its_interval():
    found = {
        "base": {"nats_per_token": 3.0, "perplexity": 20.0855, "n_tokens": 1234},
        "tuned": {"nats_per_token": 2.0, "perplexity": 7.389, "n_tokens": 1234},
        "difference": {"estimate": 1.0, "low": 0.9, "high": 1.1, "n_companies": 12},
    }
    table = fairness.reference_perplexity(found)
    assert table.rows == [
        ["base", "3.000", "20.09", "1,234"],
        ["tuned", "2.000", "7.39", "1,234"],
    ]
    assert "+1.000 [0.900, 1.100] over 12 companies" in table.caption
    del found["difference"]
    assert "minus" not in fairness.reference_perplexity(found).caption


def test_phases_of_a_loss_that_falls_and_then_stays():
    curve = [(float(i), 3.0 - 0.1 * i if i <= 10 else 2.0) for i in range(1, 51)]
    table = convergence.phases(curve, val=[(0.0, 3.1), (25.0, 2.2), (50.0, 2.0)])
    first, middle, last = table.rows
    assert first == ["first fifth: adaptation", "1 to 10", "2.450", "−10.000", "3.100"]
    assert middle == ["middle", "11 to 40", "2.000", "0.000", "2.200"]
    assert last[1:] == ["41 to 50", "2.000", "0.000", "2.000"]
    assert convergence.phases(curve[:9], val=[]) is None


def test_other_priors_and_predictive_checks_of_the_primary_metric_are_a_table():
    evidence = make_evidence()
    evidence.metrics["bayes_stats"]["metrics"][PRIMARY] |= {
        "log_bf10_medium": math.log(12.0),
        "log_bf10_sceptical": math.log(0.25),
        "ppc_p_skewness": 0.02,
        "prior_low": -4.0,
        "prior_high": 4.0,
        "n_divergences": 0,
        "p_practically_better": 0.75,
    }
    rows = dict(tables.model_checks(evidence.metrics["bayes_stats"]["metrics"][PRIMARY]).rows)
    assert rows["Bayes factor of the company means, Cauchy prior r = 0.5"] == "12"
    assert rows["the same, a sceptical normal prior, sd 0.2"] == "0.25"
    assert rows["predictive p-value of the skewness"] == "0.020"
    assert rows["central 95% of the prior of the difference"] == "[−4.000, 4.000]"
    assert rows["divergent transitions"] == "0" and len(rows) == 6
    assert rows["probability of a difference above the region of equivalence"] == "0.750"
    assert "Priors and checks of the model of the primary metric" in render(evidence)


def test_the_layers_are_bars_and_rows():
    rows = make_evidence().gradient_by_layer
    figure = convergence.gradient_by_layer(rows)
    assert [bar.label for bar in figure.bars] == ["0", "1", "2"]
    assert convergence.gradient_by_layer_table(rows)[2] == ["2", "0.300", "0.300", "0.050"]
    assert "Median gradient norm by layer" in render(make_evidence())


def test_rows_are_read_by_their_header_and_a_missing_file_is_empty(tmp_path):
    (tmp_path / "length.csv").write_text("length,kept\n35.1,2\n", encoding="utf-8")
    assert read_corpus(tmp_path) == {"length": [{"length": 35.1, "kept": 2.0}]}
    assert read_rows(tmp_path / "none.csv") == [] and read_corpus(tmp_path / "none") == {}


def test_the_sections_are_in_the_page_and_their_text_is_escaped():
    evidence = make_evidence()
    evidence.metrics["filter"]["dropped_by_reason"] = {"<b>odd</b>": 2}
    text = render(evidence)
    assert "&lt;b&gt;odd&lt;/b&gt;" in text and "<b>odd" not in text
    for key in ("robustness", "corpus", "training", "examples"):
        assert len(re.findall(f'<section id="{key}">', text)) == 1
