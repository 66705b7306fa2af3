"""A report on the preferred model describes that model; what is of the tuned one is named so."""

from dataclasses import replace

import pytest
from test_report import PRIMARY, decided, make_evidence, render, render_markdown

from finllm.records import METRICS
from finllm.report.candidate import metrics_with_candidate
from finllm.report.cautions import cautions
from finllm.report.claims import claims
from finllm.report.fairness import efficiency, memorisation, reference_loss, reference_perplexity
from finllm.report.human import summary as of_people
from finllm.report.practical import price
from finllm.report.robustness import robustness_summary
from finllm.report.summary import summary
from finllm.report.tables import chain, costs

STANDING = {"loss": 0.4, "accuracy": 0.8, "lead_nats": 1.2, "chosen_nats": 0.02}
PREFER = {
    "method": "dpo",
    "reference": "tuned",
    "pairs": 60,
    "kinds_by_part": {"train": {"corrupted": 30, "sampled": 20}, "val": {"corrupted": 10}},
    "n_steps": 13,
    "best_step": 10,
    "stopped_early": True,
    "before": {**STANDING, "loss": 0.693, "drift_nats": 0.0},
    "after": {**STANDING, "drift_nats": 0.123},
    "alarms": {"explosion": 0, "drift": 1},
    "forgetting": {"ratio": 1.5},
    "cost": {"seconds": 90.0, "adapter_mb": 22.0},
}
MEANS = {"base": 0.3, "tuned": 0.55, "preferred": 0.42, "lead": 0.5, "nearest": 0.2}


def a_model(model, **means):
    return {model: dict.fromkeys(METRICS, means.get(model, MEANS[model]))}


def tables(**means):
    return {name: row for model in MEANS for name, row in a_model(model, **means).items()}


def measured():
    """The metrics of a run in which the tuned and the preferred model differ everywhere."""
    metrics = dict(make_evidence().metrics)
    answered = {"answers": 24, "mean_new_tokens": 4, "decoding": {"grounding": "figures"}}
    for model, cut in (("base", 0.1), ("tuned", 0.2), ("preferred", 0.6)):
        cost = {"seconds": 48.0 * (1 + cut), "new_tokens_per_second": 150.7}
        metrics[f"predict_{model}"] = {**answered, "hit_limit_share": cut, "cost": cost}
    train = metrics["train"]
    loss = {"n_tokens": 10, "perplexity": 2.0}
    counted = {"n_not_in_source": 1, "n_of_template": 1, "chance": 0.5, "n_of_company": 1}
    metrics |= {
        "prefer": PREFER,
        "train": {
            **train,
            "forgetting": {"ratio": 0.9},
            "cost": {**train["cost"], "adapter_mb": 20.0},
        },
        "evaluate": {
            **metrics["evaluate"],
            "test": tables(),
            "transfer": tables(base=0.3, tuned=0.5, preferred=0.2),
            "test_by_template": {"summarization": tables(), "understanding": tables()},
            "test_by_provenance": {"synthetic": tables(preferred=0.1), "human": tables()},
            "parts_of_gain": [
                {"part": part, "metric": PRIMARY, "original": 0.3, "changed": 0.5, "estimate": 0.2}
                | {"low": 0.1, "high": 0.3, "n_companies": 12, "n_examples": 32}
                for part in ("tuning", "decoding", "both")
            ],
            "robustness": [
                {"set": "noise", "metric": PRIMARY, "model": model, "estimate": by, "original": 0.5}
                | {"changed": 0.5 + by, "low": by, "high": by, "n_examples": 9, "n_companies": 3}
                for model, by in (("base", -0.1), ("tuned", -0.2), ("preferred", -0.3))
            ],
            "reference_perplexity": {
                "base": {**loss, "nats_per_token": 3.0},
                "tuned": {**loss, "nats_per_token": 2.0},
                "difference": {"estimate": 1.0, "low": 0.9, "high": 1.1, "n_companies": 12},
                "preferred": {**loss, "nats_per_token": 2.5},
            },
            "memorisation": {
                model: {**counted, "n_figures": n}
                for model, n in (("base", 1), ("tuned", 22), ("preferred", 33))
            },
        },
    }
    step = {"estimate": 0.1, "low": 0.0, "high": 0.2, "p_corrected": 0.04, "confidence": 0.975}
    metrics["significance"]["chain"] = [
        {"before": "base", "after": "tuned", "before_mean": 0.3, "after_mean": 0.55, **step},
        {"before": "tuned", "after": "preferred", "before_mean": 0.55, "after_mean": 0.42, **step},
    ]
    return metrics


@pytest.fixture
def metrics():
    return metrics_with_candidate(measured(), "preferred")


@pytest.fixture
def found():
    return replace(decided(make_evidence()), candidate="preferred")


def test_with_the_tuned_model_as_the_candidate_nothing_is_renamed():
    assert metrics_with_candidate(measured(), "tuned") == measured()


def test_the_cautions_are_about_the_preferred_model(found, metrics):
    said = " ".join(cautions(found, metrics))
    assert "“lead” (0.500) against 0.420" in said  # 0.55 of the tuned model is above it
    assert "10% of the base model’s answers and 60% of the tuned model’s" in said
    assert "opposite sign for references of the provenance “synthetic” (−0.200)" in said
    assert "predict.grounding" in said and "tuning alone" not in said
    shown = {**metrics["evaluate"]["test"], "fewshot": dict.fromkeys(METRICS, 0.45)}
    one = {**metrics, "evaluate": {**metrics["evaluate"], "test": shown}}
    assert "0.450 against 0.420" in " ".join(cautions(found, one))


def test_the_claims_are_about_the_preferred_model_and_those_on_training_say_of_which_one(
    found, metrics
):
    rows = {row[0]: row[1:] for row in claims(found, metrics).rows}
    moved = rows["several templates help generalisation"]
    assert moved == ["−0.100 on the transfer set", "no"]
    assert rows["an adapter keeps general language"][0].endswith("× 1.35")  # 0.9 * 1.5
    plateau = rows["training ends on a plateau of the validation loss"][0]
    assert plateau == "best at step 40 of 42, before the training on preferences"
    plain = claims(decided(make_evidence()), make_evidence().metrics)
    assert "preferences" not in str(plain)


def test_every_table_names_the_model_that_it_describes(found, metrics):
    former = "tuned, before preferences"
    assert [row[:2] for row in reference_loss(metrics).rows] == [
        ["base", "3.380"],
        [former, "2.110"],
    ]
    lost = reference_perplexity(metrics["evaluate"]["reference_perplexity"])
    assert {row[0]: row[1] for row in lost.rows} == {
        "base": "3.000",
        former: "2.000",
        "tuned": "2.500",
    }
    assert "tuned minus base" not in lost.caption  # it was computed for the tuned model
    figures = {row[0]: row[1] for row in memorisation(metrics["evaluate"]["memorisation"]).rows}
    assert figures == {"base": "1", former: "22", "tuned": "33"}
    adapters = {row[0]: row[-1] for row in efficiency(metrics).rows}
    assert adapters == {"base": "–", former: "20.0 MB", "tuned": "22.0 MB"}
    said = robustness_summary(metrics["evaluate"]["robustness"], primary=PRIMARY)
    assert f"{former} −0.200" in said and " tuned −0.300" in said
    steps = chain(metrics["significance"]["chain"], metric=PRIMARY)
    assert [row[0] for row in steps.rows] == [f"base → {former}", f"{former} → tuned"]
    stages = {row[0]: row[1] for row in costs(metrics).rows}
    assert stages["prefer"] == "90 s" and stages[f"predict {former}"] == "58 s"
    spent = {row[0]: row[1] for row in price(metrics).rows}
    assert spent["training on preferences, once"] == "90 s"
    assert spent["training time, in answers"] == f"{(329.4 + 90) / (48 * 1.6 / 24):.0f}"


def test_the_summary_for_dvc_is_of_the_preferred_model(found, metrics):
    numbers = summary(found, metrics)
    assert numbers["answers/cut_tuned"] == 0.6
    assert numbers["forgetting/perplexity_ratio"] == pytest.approx(1.35)
    assert numbers["Val_loss/supervised"] == 2.11 and "Val_loss" not in numbers


def test_ratings_of_the_tuned_models_answers_say_so(metrics):
    rated = {"n_raters": 1, "n_examples": 3, "n_of_other_answers": 0}
    said = metrics_with_candidate({**measured(), "ratings": rated}, "preferred")["ratings"]
    assert "is the model “tuned, before preferences”" in of_people(said, confidence="95%")
    assert "preferences" not in of_people(rated, confidence="95%")


def with_metrics(metrics):
    return replace(make_evidence(), metrics=metrics)


def test_the_page_shows_the_training_on_preferences_only_where_there_was_one(metrics):
    for shown in (render(with_metrics(measured())), render_markdown(with_metrics(measured()))):
        assert "Training on preferences (dpo, reference tuned)" in shown
        assert "50 (30 corrupted, 20 sampled)" in shown and "10 of 13; stopped early" in shown
        assert "0.123 nats per token" in shown and "× 1.50" in shown
    assert "| alarms | drift |" in render_markdown(with_metrics(measured()))
    for shown in (render(make_evidence()), render_markdown(make_evidence())):
        assert "preferences" not in shown
    assert "tuned, before preferences" in render(with_metrics(metrics))


def test_a_training_on_preferences_without_a_better_step_is_a_caution(found):
    stuck = {**PREFER, "best_step": 0, "alarms": {"no_improvement": 1}}
    metrics = {**measured(), "prefer": stuck}
    said = cautions(found, metrics_with_candidate(metrics, "preferred"))
    assert "the preferred model is the tuned model" in said[0]
    shown = render_markdown(with_metrics(metrics))
    assert "the preferred model is the tuned model" in shown
    assert "| alarms | no improvement |" in shown and "chosen answer leads" not in shown
    assert not any("preferences" in one for one in cautions(found, make_evidence().metrics))
