"""Practical significance: observed, relevant and detectable difference, and cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from finllm.report import wording
from finllm.report.candidate import BEFORE
from finllm.report.outcome import Outcome
from finllm.report.tables import Table, asked_models, model_label
from finllm.stats.power import minimum_detectable_effect

POWER = 0.8
PART_LABELS = {
    "tuning": "tuning alone",
    "decoding": "decoding rules alone",
    "both": "tuning and decoding rules",
}


def detectable_difference(n_companies: int, company_sd: float, *, alpha: float) -> float | None:
    """Return the smallest true difference that this many companies detect with power 0.8.

    It is ``minimum_detectable_effect`` times the standard deviation of the company means, in units
    of the metric. None if this deviation is zero or unknown. Do not mistake the result for the
    smallest *observed* difference that is significant.
    """
    if n_companies < 2 or not (math.isfinite(company_sd) and company_sd > 0):
        return None
    return minimum_detectable_effect(n_companies, alpha=alpha, power=POWER) * company_sd


def gain(found: Outcome, company_sd: float) -> Table:
    """Return a table of the observed, smallest relevant and smallest detectable differences."""
    shows = detectable_difference(found.n_companies, company_sd, alpha=found.alpha)
    needed, smallest = found.n_clusters_needed, wording.as_set(found.rope)
    rows = [
        [
            "observed",
            wording.signed(found.difference),
            f"{wording.interval(found.low, found.high)}, {100 * (1 - found.alpha):g}% interval",
        ],
        ["smallest relevant (verdict.rope)", smallest, "set before the run"],
        [
            "smallest detectable",
            wording.score(shows),
            f"with power {POWER:g} and {found.n_companies} companies",
        ],
    ]
    if needed is not None:
        rows.append(["companies needed to detect it", wording.count(needed), "at the same power"])
    return Table(
        "Observed, relevant and detectable difference", ["difference", "size", "meaning"], rows
    )


def parts_table(rows: Sequence[Mapping], *, primary: str) -> Table | None:
    """Return a table of the gains from tuning, decoding rules and both; None if not measured."""
    chosen = [row for row in rows if row["metric"] == primary]
    if not chosen:
        return None
    cells = [
        [
            PART_LABELS[row["part"]],
            wording.score(row["original"]),
            wording.score(row["changed"]),
            wording.estimate(row),
            f"{wording.count(row['n_examples'])} of {wording.count(row['n_companies'])}",
        ]
        for row in chosen
    ]
    return Table(
        f"Sources of the gain in {wording.metric_in_sentence(primary)}",
        "part|before|after|gain [uncorrected interval]|examples of companies".split("|"),
        cells,
    )


def price(metrics: Mapping[str, Mapping]) -> Table:
    """Return a table of the cost of the gain: training once, then each answer."""
    train, rows = metrics["train"], []
    cost = train.get("cost", {})
    if "seconds" in cost:
        tokens = wording.count(train["n_train_tokens"])
        rows.append(["training, once", wording.duration(cost["seconds"]), f"{tokens} tokens"])
    later = metrics["prefer"].get("cost", {}).get("seconds")
    if later is not None:
        n = wording.count(metrics["prefer"]["pairs"])
        rows.append(["training on preferences, once", wording.duration(later), f"{n} pairs"])
    if "adapter_mb" in cost:
        rows.append(
            ["adapter to store", f"{cost['adapter_mb']:.1f} MB", "in addition to the base model"]
        )
    models = asked_models(metrics)
    each = {model: seconds_per_answer(metrics[f"predict_{model}"]) for model in models}
    for model, seconds in each.items():
        if seconds is not None:
            n_new = metrics[f"predict_{model}"]["mean_new_tokens"]
            label = f"one answer, {model_label(model)}"
            rows.append([label, wording.duration(seconds), f"{n_new:.0f} new tokens"])
    if each["base"] and each["tuned"]:
        ratio = each["tuned"] / each["base"]
        rows.append(
            [
                "tuned relative to base, per answer",
                f"× {ratio:.2f}",
                "time, with the same number of answers decoded together",
            ]
        )
        if "seconds" in cost:
            spent = cost["seconds"] + ((later or 0.0) if BEFORE in models else 0.0)
            n = wording.count(spent / each["tuned"])
            rows.append(["training time, in answers", n, "tuned answers in the same time"])
    return Table("Cost of training and of one answer", ["item", "cost", "details"], rows)


def seconds_per_answer(predict: Mapping) -> float | None:
    """Return the stage's seconds per answer; None if the run was resumed or not measured.

    Answers are decoded in batches, so that this is a measure of throughput, not latency.
    """
    cost, answers = predict.get("cost", {}), predict.get("answers", 0)
    if not answers or "seconds" not in cost or cost.get("answers_before_a_kill"):
        return None
    return cost["seconds"] / answers


def power_sentence(found: Outcome, company_sd: float) -> str:
    """Say whether this test could have detected the smallest relevant difference."""
    shows = detectable_difference(found.n_companies, company_sd, alpha=found.alpha)
    if shows is None:
        return "The companies do not differ, so the power of the test is unknown."
    smallest = wording.as_set(found.rope)
    if found.rope == 0:
        return f"The test detects a true difference of {wording.score(shows)} with power {POWER:g}."
    if shows <= found.rope:
        return (
            f"The power is sufficient: with power {POWER:g} the test detects a true difference of "
            f"{wording.score(shows)}, and the smallest relevant difference is {smallest}."
        )
    return (
        f"The power is low: with power {POWER:g} the test detects a true difference of "
        f"{wording.score(shows)}, {shows / found.rope:.1f} times the smallest relevant one "
        f"({smallest}). It would often miss a smaller difference that is relevant."
    )
