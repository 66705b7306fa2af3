"""The report: the verdict in words, a page that loads nothing, a comment for a pull request."""

import base64
import csv
import dataclasses
import hashlib
import html
import json
import math
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from finllm import cli
from finllm.records import METRICS, Example, Prediction, Score, to_json
from finllm.report import page, tables, wording
from finllm.report.axis import axis
from finllm.report.cautions import cautions, is_fictional
from finllm.report.claims import claims
from finllm.report.evidence import STAGES, Evidence, read_metrics
from finllm.report.figures import (
    MAX_COMPANIES,
    MAX_POINTS,
    company_figure,
    curve_figure,
    histogram_figure,
    posterior_figure,
    thin,
)
from finllm.report.forest import forest_csv, forest_rows
from finllm.report.funnel import funnel
from finllm.report.marked import marked
from finllm.report.outcome import from_metrics, outcome, to_metrics
from finllm.report.practical import detectable_difference, gain, power_sentence, price
from finllm.report.showcase import Pair, extremes, paired_scores, showcase
from finllm.report.studies import read_studies
from finllm.report.verdict_text import sentence, terminal
from finllm.runtime import provenance
from finllm.runtime.provenance import Provenance

ROOT = Path(__file__).parent.parent
PRIMARY = "number_accuracy"
COMPANIES = ("Acme", "Breskara", "Calder", "Dunmore")
TEMPLATES = {"summarization": "synthetic", "understanding": "derived"}
CASES = {  # verdict: difference, low, high, p, P(better), P(in ROPE)
    "better": (0.08, 0.04, 0.12, 0.001, 0.999, 0.001),
    "worse": (-0.08, -0.12, -0.04, 0.001, 0.001, 0.001),
    "equivalent": (0.002, -0.01, 0.014, 0.7, 0.6, 0.99),
    "inconclusive": (0.03, -0.02, 0.08, 0.2, 0.9, 0.3),
}


def statistics(case="better", **changes):
    """What significance.json and bayes_stats.json hold."""
    difference, low, high, p, p_better, p_rope = CASES[case]
    test = {
        "base_mean": 0.4,
        "tuned_mean": 0.4 + difference,
        "difference": difference,
        "low": low,
        "high": high,
        "p_value": p,
        "p_corrected": p,
        "p_paired_t": p,
        "p_wilcoxon": p,
        "p_sign_flip": p,
        "p_shapiro": 0.4,
        "bootstrap_low": low,
        "bootstrap_high": high,
        "cohens_d": 10 * difference,
        "cohens_d_z": 8 * difference,
        "cluster_sd": 0.06,
        "n": 16,
        "n_clusters": 18,
    }
    posterior = {
        "mean": difference,
        "hdi_low": low,
        "hdi_high": high,
        "p_better": p_better,
        "p_rope": p_rope,
        "bf10": math.exp(3.2),
        "log_bf10": 3.2,
        "r_hat": 1.001,
        "ess_bulk": 3000.0,
        "ess_tail": 2900.0,
        "usable": True,
    }
    tests = {name: dict(test) for name in METRICS}
    posteriors = {name: dict(posterior) for name in METRICS}
    tests[PRIMARY].update(changes)
    return (
        {"primary_metric": PRIMARY, "metrics": tests},
        {
            "primary_metric": PRIMARY,
            "hdi_probability": 0.95,
            "metrics": posteriors,
            "timing": {"seconds": 41.0},
        },
    )


def make_evidence(case="better", *, transfer=False, base_text="Flat.", **changes):
    """A whole run on four companies with four examples each."""
    significance, bayes_stats = statistics(case, **changes)
    examples, base, tuned, scores = [], [], [], []
    for i in range(16):
        company, template = COMPANIES[i % 4], list(TEMPLATES)[i // 4 % 2]
        key = f"c{i:02d}:{template}"
        provenance = TEMPLATES[template]
        examples.append(
            Example(
                key,
                f"c{i:02d}",
                company,
                "2021Q3",
                "Energy",
                "sample",
                template,
                provenance,
                "Secret instruction?",
                f"Secret excerpt {i}: revenue grew 12%.",
                "Secret reference.",
                10,
                5,
            )
        )
        for model, rows, text in (("base", base, base_text), ("tuned", tuned, "Secret gain.")):
            rows.append(Prediction(key, model, text, "00", 10, 4, i % 2 == 0))
            value = 0.5 if model == "base" else 0.5 + (i - 6) / 20
            scores.append(
                Score(
                    key,
                    model,
                    "test",
                    company,
                    "Energy",
                    "2021Q3",
                    template,
                    provenance,
                    {name: value for name in METRICS},
                )
            )
    means = {
        model: dict.fromkeys(METRICS, value)
        for model, value in {"base": 0.4, "tuned": 0.5, "lead": 0.3, "nearest": 0.2}.items()
    }
    counts = {"examples": 16, "transcripts": 16, "companies": 4}
    predict = {"hit_limit_share": 0.1, "cost": {"seconds": 48.2, "new_tokens_per_second": 150.7}}
    metrics = {
        "clean": {"records_read": 20, "kept": 18, "rejected_by_reason": {"not_json": 2}},
        "filter": {"transcripts_read": 18, "kept": 16, "dropped_by_reason": {"too_short": 2}},
        "templatize": {
            "candidates": 40,
            "examples": 32,
            "rejected_by_reason": {"over_quota": 7, "answer_too_long": 1},
            "examples_by_provenance": {"synthetic": 16, "derived": 16},
        },
        "split": {
            "examples_read": 32,
            "kept": 30,
            "over_cap": 2,
            "sets": {name: counts for name in ("train", "val", "test", "transfer")},
        },
        "train": {
            "n_train_examples": 167,
            "n_val_examples": 32,
            "n_train_tokens": 58018,
            "n_steps": 42,
            "effective_batch_size": 4,
            "trainable_parameters": 4884480,
            "initial_val_loss_nats": 3.38,
            "best_val_loss_nats": 2.11,
            "best_step": 40,
            "stopped_early": False,
            "cost": {"seconds": 329.4, "tokens_per_second": 176.1, "peak_memory_gb": 6.75},
        },
        "prefer": {"pairs": 0, "forgetting": {"ratio": 1.0}},
        "predict_base": predict,
        "predict_fewshot": {"answers": 0},
        "predict_tuned": predict,
        "predict_preferred": {"answers": 0},
        "evaluate": {
            "test": means,
            "transfer": means if transfer else {},
            "test_by_template": {name: means for name in TEMPLATES},
            "test_by_provenance": {name: means for name in TEMPLATES.values()},
            "counts": {"test_examples": 16, "transfer_examples": 8 if transfer else 0},
            "timing": {"seconds": 23.4},
        },
        "significance": significance,
        "bayes_stats": bayes_stats,
        "ratings": {"n_raters": 0, "n_examples": 0, "n_of_other_answers": 0},
    }
    return Evidence(
        metrics=metrics,
        curves={
            "train_loss": [(1.0, 3.1), (2.0, 2.9), (3.0, 2.7)],
            "val_loss": [(0.0, 3.4), (3.0, 2.6)],
            "gradient_norm": [(1.0, 0.6), (2.0, 0.5), (3.0, 0.4)],
        },
        posterior=[(0.01 * i, math.exp(-((i - 8) ** 2) / 8)) for i in range(17)],
        gradient_by_layer=[
            {"layer": float(i), "first": 0.3, "median": 0.1 + 0.1 * i, "last": 0.05}
            for i in range(3)
        ],
        corpus=CORPUS,
        scores=scores,
        examples=examples,
        base=base,
        tuned=tuned,
    )


CORPUS = {
    "length": [
        {"length": 50.0, "kept": 0.0, "dropped": 0.0},
        {"length": 100.0, "kept": 0.0, "dropped": 2.0},
        {"length": 1200.0, "kept": 16.0, "dropped": 0.0},
    ],
    "term_density": [{"term_density": 0.081, "kept": 16.0, "dropped": 2.0}],
    "vocabulary": [
        {"rank": 150.0, "share_seen": 0.9},
        {"rank": 300.0, "share_seen": 0.4},
    ],
    "periods": [
        {"year": 2020.75, "calls": 9.0, "naming_only_others": 1.0},
        {"year": 2021.0, "calls": 7.0, "naming_only_others": 0.0},
    ],
}


PARAMETERS = {
    "data": {"source": "sample"},
    "model": {"name": "Tiny", "revision": "", "double_quantization": True},
    "train": {"learning_rate": 1e-3},
}


def decided(evidence):
    return outcome(
        evidence.metrics["significance"],
        evidence.metrics["bayes_stats"],
        primary=PRIMARY,
        alpha=0.05,
        rope=0.02,
    )


def rows_of(evidence):
    return forest_rows(
        evidence.metrics["significance"], evidence.metrics["bayes_stats"], alpha=0.05
    )


def render(evidence, *, parameters=PARAMETERS, include_text=True, n_examples=6):
    return page.html(
        decided(evidence),
        rows_of(evidence),
        evidence,
        parameters=parameters,
        n_examples=n_examples,
        include_text=include_text,
    )


def render_markdown(evidence):
    return page.markdown(decided(evidence), rows_of(evidence), evidence, parameters=PARAMETERS)


# --- the verdict and its words


@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_verdict_reaches_every_output(case):
    evidence = make_evidence(case)
    found = decided(evidence)
    assert found.verdict == case
    words = sentence(found)
    assert words.startswith(case.capitalize() + ":")
    assert f'<span class="{case}">{case.capitalize()}:</span>' in render(evidence)
    assert f"**{words}**" in render_markdown(evidence)
    shown = terminal(found, "r.html")
    assert words.split(" by ")[0] in " ".join(shown.split())
    assert max(map(len, shown.splitlines())) <= 100


def test_the_verdict_survives_its_json_and_holds_neither_null_nor_nan():
    found = decided(make_evidence("equivalent"))
    row = to_metrics(found)
    assert "n_clusters_needed" not in row and "disagreement" not in row
    assert all(value is not None and value == value for value in row.values())
    assert from_metrics(json.loads(json.dumps(row, allow_nan=False))) == found


def test_a_metric_without_spread_still_gets_a_verdict():
    evidence = make_evidence(difference=0.0, low=0.0, high=0.0, p_corrected=1.0, cluster_sd=0.0)
    tests, posteriors = evidence.metrics["significance"], evidence.metrics["bayes_stats"]
    posteriors["metrics"][PRIMARY] = {"usable": False}
    for key in ("cohens_d", "cohens_d_z", "p_wilcoxon"):
        del tests["metrics"][PRIMARY][key]
    bare = Evidence(**{**vars(evidence), "posterior": []})
    found = decided(bare)
    assert (found.verdict, found.bayesian) == ("equivalent", "not usable")
    assert "hdi_low" not in to_metrics(found)
    assert "There is no posterior" in render(bare)
    assert "(not usable)" in terminal(found, "r.html")


def test_all_differences_equal_and_not_zero_are_inconclusive_without_a_p_value():
    evidence = make_evidence(difference=0.1, low=0.1, high=0.1, cluster_sd=0.0)
    del evidence.metrics["significance"]["metrics"][PRIMARY]["p_corrected"]
    evidence.metrics["bayes_stats"]["metrics"][PRIMARY] = {"usable": False}
    found = decided(evidence)
    assert found.verdict == "inconclusive" and found.p_corrected is None
    assert wording.MISSING in render(evidence)


def test_statistics_for_another_primary_metric_are_refused():
    significance, bayes_stats = statistics()
    significance["primary_metric"] = "bleu"
    with pytest.raises(ValueError, match="primary metric bleu, and verdict.primary_metric is"):
        outcome(significance, bayes_stats, primary=PRIMARY, alpha=0.05, rope=0.02)


def test_the_foot_says_what_the_run_was_made_with_and_where_it_repeats():
    evidence = make_evidence()
    assert "Made with" not in render(evidence)  # costs of an older version
    made_with = Provenance(
        "e88ba7e", False, "2026-11-29T08:30:00+00:00", "Intel Xeon, AMX, bfloat16", "2.13.0",
        "3.11.7", "bfloat16",
    )  # fmt: skip
    tuned = {**evidence.metrics["predict_tuned"], "provenance": dataclasses.asdict(made_with)}
    metrics = {**evidence.metrics, "predict_tuned": tuned}
    page = render(dataclasses.replace(evidence, metrics=metrics))
    assert f"Made with: {provenance.line(made_with)}" in page
    assert "On the same kind of processor, everything except time" in page


def test_cautions_name_a_baseline_that_wins_and_answers_that_were_cut():
    evidence = make_evidence()
    found = decided(evidence)
    evidence.metrics["evaluate"]["test"]["lead"][PRIMARY] = 0.9
    evidence.metrics["predict_base"]["hit_limit_share"] = 0.98
    said = " ".join(cautions(found, evidence.metrics))
    assert "“lead” (0.900)" in said and "nearest" not in said
    assert "98%" in said


def test_cautions_say_that_decoding_kept_both_models_from_inventing():
    evidence = make_evidence()
    before = cautions(decided(evidence), evidence.metrics)
    evidence.metrics["predict_tuned"]["decoding"] = {"grounding": "figures"}
    (new,) = set(cautions(decided(evidence), evidence.metrics)) - set(before)
    assert "predict.grounding" in new and "not whether they invent" in new
    assert "rules alone" not in new, "not measured"
    gain = {"metric": PRIMARY, "estimate": 0.05, "low": 0.01, "high": 0.09, "n_examples": 32}
    gains = [{**gain, "part": part} for part in ("tuning", "decoding", "both")]
    gains[2]["estimate"] = 0.11
    evidence.metrics["evaluate"]["parts_of_gain"] = gains
    (said,) = [x for x in cautions(decided(evidence), evidence.metrics) if "rules alone" in x]
    assert "On the 32 examples" in said
    assert "tuning alone changed the base model’s score by +0.050 [0.010, 0.090], the rules" in said
    assert said.endswith("both by +0.110 [0.010, 0.090] (uncorrected intervals).")


def test_cautions_name_a_provenance_that_moved_the_other_way():
    evidence = make_evidence("better")
    groups = evidence.metrics["evaluate"]["test_by_provenance"]
    groups["continuation"] = {"base": {PRIMARY: 0.5}, "tuned": {PRIMARY: 0.3}}
    said = " ".join(cautions(decided(evidence), evidence.metrics))
    assert "“continuation” (−0.200)" in said and "synthetic" not in said


def test_cautions_are_silent_where_nothing_is_wrong():
    evidence = make_evidence()
    del evidence.metrics["evaluate"]["test_by_provenance"]["derived"]
    assert cautions(decided(evidence), evidence.metrics) == []


@pytest.mark.parametrize(
    ("source", "provenances", "fictional"),
    [("sample", {}, True), ("mine", {"synthetic": 3}, True), ("ectsum", {"human": 3}, False)],
)
def test_generated_calls_are_called_fictional(source, provenances, fictional):
    assert is_fictional(source, {"examples_by_provenance": provenances}) is fictional


# --- tables, figures, the choice of examples


def test_the_forest_has_the_primary_metric_first_and_every_metric_once():
    lines = list(csv.reader(forest_csv(rows_of(make_evidence())).splitlines()))
    assert lines[0] == ["metric", "difference", "low", "high"]
    assert lines[1] == [PRIMARY, "0.08", "0.04", "0.12"]
    assert sorted(line[0] for line in lines[1:]) == sorted(METRICS)


def test_a_metric_is_marked_only_where_the_corrected_p_is_small():
    evidence = make_evidence()
    evidence.metrics["significance"]["metrics"]["bleu"]["p_corrected"] = 0.06
    marks = {row.metric: row.is_significant for row in rows_of(evidence)}
    assert not marks.pop("bleu") and all(marks.values())
    assert render(evidence).count('class="dot open"') == 1


@pytest.mark.parametrize("values", [[0.3], [0.0], [-1e-9, 1e-9], [1e4, 1e6], [-3, 7]])
@pytest.mark.parametrize("tight", [False, True])
def test_an_axis_holds_its_values_and_has_ticks(values, tight):
    line = axis(values, 5, tight=tight)
    assert line.low <= min(values) and line.high >= max(values)
    assert len(line.ticks) == len(line.labels) >= 2
    assert len(set(line.labels)) == len(line.labels)
    assert all(line.low - 1e-12 <= tick <= line.high + 1e-12 for tick in line.ticks)


def test_bars_stand_on_zero_and_are_counted():
    figure = company_figure({"A": [0.2, 0.4], "B": [-0.1], "C": [0.7, -0.3 - 0.4 + 1e-17]})
    assert [bar.company for bar in figure.bars] == ["B", "C", "A"]
    assert (figure.n_up, figure.n_down, figure.n_same) == (1, 1, 1)
    down, same, up = figure.bars
    zero = figure.x.percent(0.0)
    assert down.left + down.width == pytest.approx(zero) and same.width == 0
    assert down.width > 0 and up.width > 0
    assert up.left == zero and figure.first == figure.bars and not figure.last


def test_of_many_companies_the_two_ends_are_drawn_with_their_names_and_the_table_has_all():
    names = [f"Company {i:02d}" for i in range(MAX_COMPANIES + 7)]
    figure = company_figure({name: [i / 100 - 0.1] for i, name in enumerate(names)})
    half = MAX_COMPANIES // 2
    assert [bar.company for bar in figure.first] == names[:half]
    assert [bar.company for bar in figure.last] == names[-half:]
    assert (figure.n_between, len(figure.bars)) == (7, len(names))
    small = company_figure({name: [0.1] for name in names[:MAX_COMPANIES]})
    assert small.n_between == 0 and len(small.first) == MAX_COMPANIES
    drawn = re.findall(r'<span class="name" title="([^"]*)">', render(make_evidence()))
    assert sorted(drawn) == sorted(COMPANIES)


def test_no_series_no_figure():
    assert posterior_figure([], also=[0.0]) is None
    assert curve_figure({"loss": []}) is None


def test_the_histogram_has_zero_for_an_edge_and_counts_ties_apart():
    figure = histogram_figure([0.0, 0.0, 0.1, 0.1, -0.05, 0.5])
    assert (figure.n_up, figure.n_down, figure.n_same) == (3, 1, 2)
    assert sum(bar.n for bar in figure.bars) == 4
    assert sum(bar.n for bar in figure.bars if bar.high <= 1e-12) == 1
    assert any(abs(bar.low) < 1e-12 for bar in figure.bars)
    assert all(bar.height >= 0 and 0 <= bar.left <= 100 for bar in figure.bars)
    assert histogram_figure([0.0, 0.0]) is None


def test_a_long_curve_is_thinned_and_keeps_its_ends():
    points = [(float(i), 1.0) for i in range(9999)]
    kept = thin(points)
    assert len(kept) <= MAX_POINTS + 1
    assert (kept[0], kept[-1]) == (points[0], points[-1])


def test_the_funnel_counts_every_loss_and_shows_what_has_no_reason():
    evidence = make_evidence()
    m = evidence.metrics
    steps = funnel(m["clean"], m["filter"], m["templatize"], m["split"])
    assert [step.n_unexplained for step in steps] == [0, 0, 0, 0]
    assert steps[2].removed == (("over quota", 7), ("answer too long", 1))
    assert "without a reason" not in render(evidence)
    m["filter"]["kept"] = 15
    assert "without a reason: 1" in render(evidence)


def test_regressions_come_first_then_gains_and_ties_never():
    pairs = [Pair(f"e{i}", "A", "t", "human", 0.5, 0.5 + i / 10) for i in range(-2, 5)]
    assert [p.example_id for p in extremes(pairs, 4)] == ["e-2", "e-1", "e4", "e3"]
    assert [p.example_id for p in extremes(pairs, 6)] == ["e-2", "e-1", "e4", "e3", "e2", "e1"]
    assert extremes(pairs, 0) == []
    assert extremes([pairs[2]], 4) == [pairs[2]]
    odd = [Pair("nan", "A", "t", "human", math.nan, 0.5), *pairs]
    assert [p.example_id for p in extremes(odd, 9)][-2:] == ["e0", "nan"]


def test_pairs_leave_out_transfer_and_undefined_scores():
    scores = make_evidence().scores
    scores[0] = Score(**{**vars(scores[0]), "values": dict.fromkeys(METRICS)})
    scores += [Score(**{**vars(s), "split": "transfer"}) for s in scores[:4]]
    assert len(paired_scores(scores, PRIMARY)) == 15


def test_a_scored_example_without_its_text_is_an_error():
    pairs = [Pair("gone", "A", "t", "human", 0.0, 1.0)]
    with pytest.raises(ValueError, match="gone was scored"):
        showcase(pairs, [], [], [], n=3, include_text=True, metric=PRIMARY)


def test_groups_without_test_examples_have_no_row():
    groups = {"questions": {}, "completion": {"base": {"bleu": 0.1}, "tuned": {"bleu": 0.2}}}
    table = tables.by_group(groups, {"completion": 3}, group="template", metric="bleu")
    missing = wording.MISSING
    assert table.rows == [["completion", "3", "0.100", "0.200", "+0.100", missing, missing]]


GROUP = {"estimate": -0.1, "low": -0.15, "high": -0.05, "p_value": 0.004, "n": 9, "n_clusters": 7}
GROUP |= {"p_adjusted": 0.012, "n_up": 2, "n_down": 6}


def with_groups(case="better", **levels):
    evidence = make_evidence(case)
    evidence.metrics["significance"]["subgroups"] = {"sector": levels}
    return evidence


def test_a_regression_that_the_average_hides_is_named_with_its_correction():
    evidence = with_groups(Energy=GROUP, Banks={**GROUP, "low": -0.1, "high": 0.1})
    said = " ".join(cautions(decided(evidence), evidence.metrics))
    assert "hides a regression in sector “Energy” (−0.100 [−0.150, −0.050])" in said
    assert (
        "2 groups were tested; it remains significant after the correction" in said
        and "Banks" not in said
    )
    loose = with_groups(Energy={**GROUP, "p_adjusted": 0.2}, Banks=GROUP)
    said = " ".join(cautions(decided(loose), loose.metrics))
    assert "1 of these 2 remains significant after the correction" in said
    worse = with_groups("worse", Energy=GROUP)
    assert "hides" not in " ".join(cautions(decided(worse), worse.metrics))


def test_the_groups_are_a_table_with_a_dash_where_companies_are_few():
    few = {"estimate": 0.2, "n": 3, "n_clusters": 2, "n_up": 3, "n_down": 0}
    evidence = with_groups(Energy=GROUP, Banks=few)
    table = tables.subgroups(evidence.metrics["significance"]["subgroups"], metric=PRIMARY)
    assert table.rows[0] == ["sector: Banks", "3", "2", "+0.200", "–", "–", "3 / 0"]
    assert table.rows[1][:5] == ["sector: Energy", "9", "7", "−0.100", "[−0.150, −0.050]"]
    lengths = tables.subgroups(
        {"length": dict.fromkeys(("long", "middle", "short"), few)}, metric=PRIMARY
    )
    assert [row[0] for row in lengths.rows] == [f"length: {n}" for n in ("short", "middle", "long")]
    assert 'id="subgroups"' in render(evidence)
    assert 'id="subgroups"' not in render(make_evidence())


def test_low_power_is_called_low_and_an_inconclusive_test_says_how_many_companies_it_needs():
    found = decided(make_evidence("inconclusive"))
    # statsmodels 0.15: TTestPower().solve_power(None, nobs=12, power=0.8, alpha=0.05): 0.8886543
    assert detectable_difference(12, 0.06, alpha=0.05) == pytest.approx(0.06 * 0.8886543, abs=1e-7)
    assert "2.1 times the smallest relevant one (0.02)" in power_sentence(found, 0.06)
    assert "power is sufficient" in power_sentence(found, 0.02)
    assert "do not differ" in power_sentence(found, 0.0)
    rows = {row[0]: row[1] for row in gain(found, 0.06).rows}
    assert rows["companies needed to detect it"] == str(found.n_clusters_needed)
    assert rows["smallest relevant (verdict.rope)"] == "0.02"


def test_the_price_is_of_training_once_and_of_every_answer():
    metrics = make_evidence().metrics
    costly = {"answers": 100, "mean_new_tokens": 40.0, "cost": {"seconds": 90.0}}
    metrics |= {"predict_base": {**costly, "cost": {"seconds": 60.0}}, "predict_tuned": costly}
    rows = {row[0]: row[1:] for row in price(metrics).rows}
    assert rows["training, once"] == ["5.49 min", "58,018 tokens"]
    assert rows["one answer, tuned"] == ["0.900 s", "40 new tokens"]
    assert rows["tuned relative to base, per answer"][0] == "× 1.50"
    assert rows["training time, in answers"][0] == "366"
    costly["cost"]["answers_before_a_kill"] = 3  # its seconds are not those of all answers
    assert "one answer, tuned" not in {row[0] for row in price(metrics).rows}


def test_claims_stand_beside_what_was_measured_and_what_was_not_has_no_row():
    evidence = make_evidence(transfer=True)
    bare = [row[0] for row in claims(decided(evidence), evidence.metrics).rows]
    assert len(bare) == 3 and not any("forget" in claim or "clipping" in claim for claim in bare)
    evidence.metrics["train"] |= {
        "convergence": {"share_in_first_fifth": 0.4},
        "gradients": {"clipped_share": 0.25, "max_norm": 3.21},
        "alarms": {"explosion": 0},
        "forgetting": {"ratio": 1.2},
    }
    rows = claims(decided(evidence), evidence.metrics).rows
    assert ["40% of the fall in training loss", "no, less than half"] in [row[1:] for row in rows]
    assert any(row[1] == "25% of the steps clipped, largest norm 3.21" for row in rows)
    assert len(rows) == 6


def test_the_studies_of_the_repository_stand_among_the_claims():
    evidence = make_evidence()
    assert "put to the test by studies" not in render(evidence)
    page = render(dataclasses.replace(evidence, studies=read_studies(ROOT / "docs/studies")))
    assert "Claims put to the test by studies" in page and "not run yet" in page
    assert "trainable parameters, full fine-tuning against LoRA: ratio 191.5" in page
    assert "docs/studies/08b-activations" in page and '<svg class="s"' in page


def test_figures_are_marked_and_the_pieces_join_to_the_text_again():
    text = "Sales of $2.1 billion, up 5%, a loss of $3 million and 7 new plants in 2021."
    known = ["Sales were $2.13 billion, a profit of $3 million, in 2021."]
    pieces = marked(text, known)
    assert "".join(piece.text for piece in pieces) == text
    marks = {piece.text: piece.mark for piece in pieces if piece.mark}
    assert marks["$2.1 billion"] == "supported" and marks["$3 million"] == "contradicted"
    assert marks["5%"] == "invented" and marks["2021"] == "supported"
    assert marked("No figures.", known)[0].mark == "" and marked("", known) == []
    assert '<mark class="supported" title="supported">12%</mark>' in render(
        make_evidence(base_text="It grew 12%.")
    )


# --- the page


class Balance(HTMLParser):
    """Fails where a tag is not closed in order."""

    VOID = ("meta", "br", "hr", "img", "input", "link")

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"


def test_the_page_is_well_formed_and_loads_nothing():
    text = render(make_evidence(transfer=True))
    parser = Balance()
    parser.feed(text)
    assert parser.open == []
    assert not {"link", "img", "iframe", "object"} & set(parser.seen)
    assert parser.seen.count("script") == 1
    assert not re.search(r"""(?:src|href)\s*=\s*(?!"#)|url\(|@import|https?://""", text)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'" and rules["script-src"] == f"'sha256-{digest}'"


def test_two_renderings_are_the_same_bytes():
    assert render(make_evidence()) == render(make_evidence())
    assert render_markdown(make_evidence()) == render_markdown(make_evidence())


def test_a_script_in_an_answer_is_shown_and_not_run():
    text = render(make_evidence(base_text="<script>alert('x')</script>"))
    assert text.count("<script") == 1
    assert "&lt;script&gt;alert(&#39;x&#39;)" in text


def test_every_figure_is_also_a_table():
    text = render(make_evidence())
    n_svg_figures = len(re.findall(r"<figcaption>", text))
    assert n_svg_figures == 11
    # Two losses share a figure, and the funnel is one without a caption.
    assert len(re.findall(r"<summary>[^<]* as a table", text)) == n_svg_figures + 2
    assert "Records in and out of every stage, as a table" in text


def test_without_leave_to_show_text_there_is_none_of_it():
    evidence = make_evidence(base_text="Secret loss.")
    assert "Secret" in render(evidence)
    text = render(evidence, include_text=False)
    assert "Secret" not in text and "revenue grew" not in text
    assert "c00:summarization" in text and "report.include_text" in text
    assert "Secret" not in render_markdown(evidence)


def test_transfer_appears_only_when_there_is_a_transfer_set():
    assert "Every metric by model, transfer set" in render(make_evidence(transfer=True))
    assert "Every metric by model, transfer set" not in render(make_evidence())


def test_missing_curves_are_said_to_be_missing():
    evidence = make_evidence()
    bare = Evidence(**{**vars(evidence), "curves": {**evidence.curves, "gradient_norm": []}})
    assert "No training curves were recorded for the gradient norm." in render(bare)


def test_the_fictional_source_is_announced_and_a_real_one_is_not():
    evidence = make_evidence()
    assert 'id="fictional"' in render(evidence)
    assert "calls are fictional" in render_markdown(evidence)
    evidence.metrics["templatize"]["examples_by_provenance"] = {"human": 32}
    real = {**PARAMETERS, "data": {"source": "ectsum"}}
    assert 'id="fictional"' not in render(evidence, parameters=real)


def test_the_markdown_is_one_screen_without_wall_clock():
    text = render_markdown(make_evidence())
    lines = text.splitlines()
    unfolded = re.sub(r"<details>.*?</details>", "<details>", text, flags=re.DOTALL)
    assert text.count("<details>") == 1 and len(unfolded.splitlines()) < 45
    assert not re.search(r"\d (s|min|h|GB)\b", text)  # the same run must read the same
    assert "| **Number accuracy** | 0.400 | 0.480 | +0.080 [0.040, 0.120] |" in "\n".join(lines)


def test_the_drawings_are_svg_with_every_metric_and_without_a_posterior_say_so():
    evidence = make_evidence()
    drawn = page.plots(decided(evidence), rows_of(evidence), evidence)
    for text in drawn.values():
        root = ElementTree.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg" and "<script" not in text
    assert all(wording.metric_label(name) in drawn["forest"] for name in METRICS)
    assert drawn["forest"].count("<circle") == len(METRICS)
    assert "[0.040, 0.120]" in drawn["posterior"] and "<polygon" in drawn["posterior"]
    bare = Evidence(**{**vars(evidence), "posterior": []})
    assert "no posterior" in page.plots(decided(bare), rows_of(bare), bare)["posterior"]
    assert drawn == page.plots(decided(evidence), rows_of(evidence), evidence)


# --- what people say


RATED = {
    "n_raters": 2,
    "n_examples": 16,
    "n_of_other_answers": 3,
    "win_rate": {"estimate": 0.625, "low": 0.4, "high": 0.81, "n": 16},
    "criteria": {
        "accuracy": {
            "base": 2.5,
            "tuned": 3.0,
            "difference": 0.5,
            "low": 0.1,
            "high": 0.9,
            "n": 16,
        },
        "fluency": {"n": 0},
    },
    "agreement": {
        "preference": {
            "estimate": 0.71,
            "low": 0.5,
            "high": 0.9,
            "n_units": 16,
            "kappa": {"ann and ben": {"estimate": 0.66, "n_units": 16}},
        }
    },
    "correlation": {
        "preference": {
            "bertscore": {"estimate": 0.3, "low": 0.1, "high": 0.5, "n": 16, "p_highest": 0.2},
            "rougeL": {"estimate": 0.4, "low": 0.2, "high": 0.6, "n": 16, "p_highest": 0.8},
        },
        "accuracy": {"rougeL": {"estimate": 0.1, "n": 16, "p_highest": 1.0}},
    },
}


def people(page):
    """The words of the section about people."""
    section = page.partition('<section id="people">')[2].partition("</section>")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", section)).split())


def test_without_ratings_the_reports_say_what_to_run():
    evidence = make_evidence()
    assert "No human ratings yet: run python -m finllm rate" in people(render(evidence))
    assert "<code>python -m finllm rate</code>" in render(evidence)
    assert "No human ratings yet: run `python -m finllm rate`" in render_markdown(evidence)


def test_ratings_reach_both_reports_with_their_intervals_and_the_closest_metric():
    evidence = make_evidence()
    evidence.metrics["ratings"] = RATED
    said = "The tuned answer was preferred in 0.625 of 16 pairs [0.400, 0.810]"
    words = people(render(evidence))
    assert said in words and said in render_markdown(evidence)
    for part in (
        "2 raters judged 16 pairs",
        "3 earlier clicks were ignored because the answers have changed",
        "Accuracy of figures 2.500 3.000 +0.500 [0.100, 0.900] 16",
        "Fluency – – – – 0",
        "Preference 0.710 [0.500, 0.900] 0.660 16",
        "ROUGE-L +0.400 [0.200, 0.600] 0.800 16",
        "ROUGE-L +0.100 –",
        "metric closest to the preference is ROUGE-L, in 0.800 of the bootstrap samples",
        "samples; BERTScore in 0.200",
    ):
        assert part in words, part


# --- in a browser


def chromium():
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None and os.environ.get("CI"):
        pytest.fail("chromium is not installed, and the CI must look at the page")
    return found or pytest.skip("chromium is not installed")


def browse(path, scratch):
    """The DOM after loading, and what the console said."""
    command = [
        *(chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *("--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND"),
        *("--enable-logging=stderr", "--v=0", "--virtual-time-budget=2000", "--dump-dom"),
        *("--window-size=1280,2000", f"--user-data-dir={scratch}", path.as_uri()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def framed(text, widths):
    """The page in frames of some widths, everything unfolded, and a script that measures them."""
    frame = f'<iframe style="width:WIDTHpx;height:900px;border:0" srcdoc="{html.escape(text)}">'
    frames = "".join(frame.replace("WIDTH", str(width)) + "</iframe>" for width in widths)
    return f"""<!doctype html><body>{frames}<script>onload = () => {{
  const pages = [...document.querySelectorAll("iframe")].map(f => f.contentDocument);
  for (const page of pages) page.querySelectorAll("details").forEach(d => d.open = true);
  const sizes = pages.map(p => p.documentElement).map(e => e.scrollWidth - e.clientWidth);
  document.body.dataset.overflow = sizes.join(" ");
  document.body.dataset.empty = pages.map(p => [...p.querySelectorAll("svg, h1, dd, table")]
    .filter(e => !e.getBoundingClientRect().width || !e.getBoundingClientRect().height).length);
}}</script></body>"""


def test_a_browser_shows_the_page_without_a_complaint_and_asks_nobody(tmp_path):
    path = tmp_path / "report.html"
    path.write_text(render(make_evidence(transfer=True)), encoding="utf-8")
    dom, console = browse(path, tmp_path / "profile")
    assert console == []
    for key in ("verdict", "fictional", "metrics", "posterior", "companies", "training", "run"):
        assert f'id="{key}"' in dom
    path.write_text(path.read_text().replace("</h1>", "</h1><img src='https://x.test/a.png'>"))
    assert browse(path, tmp_path / "profile")[1], "the console reports nothing: the test is blind"


def test_the_page_fits_a_phone_and_a_desk_with_everything_unfolded(tmp_path):
    path = tmp_path / "frame.html"
    evidence = make_evidence(transfer=True)
    evidence.metrics["ratings"] = RATED
    path.write_text(framed(render(evidence), (375, 1100)), encoding="utf-8")
    dom, _ = browse(path, tmp_path / "profile")
    body = re.search(r"<body[^>]*>", dom)[0]
    assert 'data-overflow="0 0"' in body and 'data-empty="0,0"' in body, body


# --- the stage and the command


def write_run(folder, evidence):
    """The evidence as the stages leave it on disk; the arguments of the report stage."""
    for name, row in evidence.metrics.items():
        path = folder / "metrics" / "details" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(row), encoding="utf-8")
    live = "plots/training/plots/metrics"  # DVCLive's own layout
    series = {
        f"{live}/train/loss_nats.tsv": evidence.curves["train_loss"],
        f"{live}/val/loss_nats.tsv": evidence.curves["val_loss"],
        f"{live}/train/gradient_norm.tsv": evidence.curves["gradient_norm"],
        "plots/posterior.csv": evidence.posterior,
    }
    for name, rows in series.items():
        comma = "," if name.endswith("csv") else "\t"
        lines = [f"{x}{comma}{y}\n" for x, y in [("x", "y"), *rows]]
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("".join(lines), encoding="utf-8")
    for name in ("examples", "base", "tuned", "scores"):
        lines = "".join(to_json(record) + "\n" for record in vars(evidence)[name])
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    inputs = {"metrics": "metrics", "plots": "plots", "studies": "docs/studies"}
    inputs |= {"preferred": "preferred.jsonl"}
    inputs |= {name: f"{name}.jsonl" for name in ("examples", "base", "tuned", "scores")}
    outputs = {"summary": "metrics/summary.json", "verdict": "metrics/details/verdict.json"}
    outputs |= {"forest": "plots/forest.csv"}
    outputs |= {"html": "reports/report.html", "markdown": "reports/report.md"}
    outputs |= {"drawings": "reports"}
    return [word for name, path in (inputs | outputs).items() for word in (f"--{name}", path)]


def test_the_stage_writes_its_four_files_and_the_command_prints_them(tmp_path, monkeypatch, capsys):
    from stages import report

    arguments = write_run(tmp_path, make_evidence("inconclusive"))
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["report", *arguments])
    report.main()
    capsys.readouterr()
    verdict = json.loads(Path("metrics/details/verdict.json").read_text())
    assert verdict["verdict"] == "inconclusive" and verdict["n_clusters_needed"] > 18
    assert Path("plots/forest.csv").read_text().startswith("metric,difference,low,high\n")
    text = Path("reports/report.html").read_text()
    assert "lora.r" in text and "validation set" in text and "No training curves" not in text
    comment = Path("reports/report.md").read_text()
    assert comment.startswith("**Inconclusive: ")
    for name in ("forest", "posterior"):
        assert f"]({name}.svg)" in comment and Path(f"reports/{name}.svg").is_file()

    cli.main(["verdict"])
    printed = capsys.readouterr().out
    assert printed.isascii()
    for part in ("base          0.400", "tuned         0.430", "+0.030  [-0.020, 0.080]", "0.200"):
        assert part in printed
    assert "P(better)     0.900" in printed and "Bayes factor  24.5" in printed
    assert printed.endswith("The report: reports/report.html\n")


def test_the_command_without_a_run_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="verdict.json: no such file; run `make repro` first"):
        cli.main(["verdict"])
    Path("old.json").write_text("{}", encoding="utf-8")
    with pytest.raises(SystemExit, match="not a verdict of this version"):
        cli.main(["verdict", "--verdict", "old.json"])
    Path("old.json").write_text("{", encoding="utf-8")
    with pytest.raises(SystemExit, match="old.json: not JSON"):
        cli.main(["verdict", "--verdict", "old.json"])


def test_missing_and_broken_metrics_are_named(tmp_path):
    with pytest.raises(ValueError, match="clean.json: no such file"):
        read_metrics(tmp_path)
    for stage in STAGES:
        for kind in ("details", "costs"):
            (tmp_path / kind).mkdir(exist_ok=True)
            (tmp_path / kind / f"{stage}.json").write_text(json.dumps({kind: 1}))
    assert read_metrics(tmp_path)["train"] == {"details": 1, "costs": 1}
    for kind in ("costs", "details"):
        (tmp_path / kind / "clean.json").write_text("{", encoding="utf-8")
        with pytest.raises(ValueError, match=f"{kind}/clean.json: not JSON"):
            read_metrics(tmp_path)
        (tmp_path / kind / "clean.json").write_text("{}", encoding="utf-8")


def test_the_command_starts_without_torch():
    code = "import sys, finllm.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_the_agreement_of_the_metrics_is_a_table():
    rho = {"rho": 0.5, "low": 0.25, "high": 0.75, "n": 16}
    scored = {
        "rank_stability": [
            {"metric": "rouge1", "tau": 0.9, "same_order": 0.8, "n_companies": 8},
            {"metric": PRIMARY, "tau": 1.0, "same_order": 1.0, "n_companies": 8},
        ],
        "correlations": [{"pair": f"rouge1 ~ {PRIMARY}", **rho}],
    }
    found = tables.agreement(scored, primary=PRIMARY)
    assert found.rows[0] == ["ROUGE-1", "+0.500 [0.250, 0.750]", "–", "+0.900", "0.800"]
    assert found.rows[1] == ["Number accuracy", "–", "–", "+1.000", ">0.999"]
