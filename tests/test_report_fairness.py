"""The tables on what the comparison rests on."""

import pytest

from finllm.report import fairness, practical, tables

TRAIN = {
    "initial_val_loss_nats": 2.302585092994046,  # ln 10
    "best_val_loss_nats": 0.6931471805599453,  # ln 2
    "cost": {"adapter_mb": 19.59},
}
COST = {
    "seconds": 60.0,
    "new_tokens_per_second": 150.7,
    "prompt_tokens_per_second": 510.2,
    "peak_memory_gb": 2.188,
    "answers_before_a_kill": 0,
}
PREDICT = {"answers": 120, "empty": 3, "hit_limit_share": 0.1, "cost": COST}
LATENCY = {"alone": {"median_seconds": 3.8}}
GAIN = {"estimate": 0.1, "low": 0.05, "high": 0.15}


@pytest.fixture
def metrics():
    answered = {f"predict_{model}": dict(PREDICT) for model in ("base", "tuned")}
    off = {f"predict_{model}": {"answers": 0} for model in ("fewshot", "preferred")}
    return {"train": TRAIN, "prefer": {"pairs": 0}, **answered, **off, "evaluate": {}}


def test_empty_and_cut_answers_are_shown_as_shares(metrics):
    assert fairness.answers(metrics).rows[0] == ["base", "120", "0.100", "0.025"]


def test_an_answer_takes_the_time_of_all_by_their_number(metrics):
    base, tuned = fairness.efficiency(metrics).rows
    assert base == ["base", "510", "151", "0.500 s", "2.19 GB", "–"]
    assert tuned[-1] == "19.6 MB"


def test_the_few_shot_base_stands_between_base_and_tuned_wherever_answers_have_a_cost(metrics):
    slow = {**COST, "seconds": 96.0, "new_tokens_per_second": 90.0, "latency": LATENCY}
    asked = {**PREDICT, "answers": 96, "mean_new_tokens": 89.5, "empty": 0, "cost": slow}
    for model in ("base", "tuned"):
        metrics[f"predict_{model}"] |= {"mean_new_tokens": 50.0}
    metrics |= {"predict_fewshot": asked, "bayes_stats": {}}
    label = "base, examples shown"
    found = fairness.answers(metrics)
    assert found.rows[1] == [label, "96", "0.100", "0.000"] and "test set only" in found.caption
    assert [row[0] for row in fairness.efficiency(metrics).rows] == ["base", label, "tuned"]
    assert fairness.efficiency(metrics).rows[1][1:4] == ["510", "90", "1.00 s"]
    assert [row[0] for row in fairness.latency(metrics).rows] == [label]
    costs = {row[0]: row[1:] for row in tables.costs({**metrics, "train": {}}).rows}
    assert list(costs) == ["predict base", f"predict {label}", "predict tuned"]
    assert costs[f"predict {label}"] == ["96 s", "90", "2.19 GB", "–"]
    prices = [row for row in practical.price(metrics).rows if row[0].startswith("one answer,")]
    assert prices[1] == [f"one answer, {label}", "1.00 s", "90 new tokens"] and len(prices) == 3


def test_where_no_examples_are_shown_the_few_shot_base_has_no_row(metrics):
    assert tables.asked_models(metrics) == ["base", "tuned"]
    assert [row[0] for row in fairness.answers(metrics).rows] == ["base", "tuned"]
    assert "only" not in fairness.answers(metrics).caption


def test_a_run_that_was_taken_up_again_has_no_speed(metrics):
    metrics["predict_base"]["cost"] = {**COST, "answers_before_a_kill": 7}
    assert fairness.efficiency(metrics).rows[0] == ["base", "–", "–", "–", "2.19 GB", "–"]


def test_perplexity_is_the_exponential_of_the_loss(metrics):
    rows = fairness.reference_loss(metrics).rows
    assert rows == [["base", "2.303", "10.00"], ["tuned", "0.693", "2.00"]]


def test_the_primary_metric_leads_the_gains_by_set():
    gains = {"test": GAIN, "transfer": GAIN, "change": {"estimate": 0.0, "low": -0.1, "high": 0.1}}
    sizes = {"n_test_companies": 12, "n_transfer_companies": 5}
    rows = [{"metric": name, **gains, **sizes} for name in ("bleu", "number_accuracy")]
    table = fairness.cross_domain(rows, primary="number_accuracy")
    gain = "+0.100 [0.050, 0.150]"
    assert table.rows[0][1:] == [gain, gain, "0.000 [−0.100, 0.100]"]
    assert table.strong == 0 and table.rows[0][0] != table.rows[1][0] == "BLEU"
    assert "12 test" in table.caption and "5 transfer" in table.caption


def test_memorised_figures_stand_beside_chance():
    found = {"n_figures": 50, "n_not_in_source": 20, "n_of_template": 6, "chance": 2.25}
    table = fairness.memorisation(
        {"tuned": {**found, "n_of_company": 1}, "base": {**found, "n_of_company": None}}
    )
    assert table.rows == [
        ["base", "50", "20", "6", "2.2", "–"],
        ["tuned", "50", "20", "6", "2.2", "1"],
    ]


def test_a_template_without_figures_has_no_ceiling():
    shares = {"n_figures": 9, "share_supported": 0.9, "recall_ceiling": 0.6}
    table = fairness.ceilings({"summarization": shares, "questions": {"n_figures": 0}})
    assert table.rows == [
        ["questions", "0", "–", "–"],
        ["summarization", "9", "0.900", "0.600"],
    ]


def test_only_tables_with_figures_are_on_the_page(metrics):
    assert len(fairness.fairness_tables(metrics)) == 3
