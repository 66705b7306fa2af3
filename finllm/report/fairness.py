"""Tables of factors that affect the comparison: cut answers, speed, perplexity, memorisation."""

from __future__ import annotations

import math
from collections.abc import Mapping

from finllm.report import wording
from finllm.report.candidate import trained_by
from finllm.report.tables import ASKED, Table, asked_models, model_label

TESTED = tuple(model for model in ASKED if model != "fewshot")
PHASES = ("reading", "generation")  # of an answer, as metrics/details/predict_*.json name them


def fairness_tables(metrics: Mapping[str, Mapping]) -> list[Table]:
    """Return the tables that have figures, in the order of the page."""
    scored = metrics["evaluate"]
    found = [answers(metrics), efficiency(metrics), reference_loss(metrics)]
    found[2:2] = [table for table in [latency(metrics)] if table.rows]
    if scored.get("reference_perplexity"):
        found.append(reference_perplexity(scored["reference_perplexity"]))
    if scored.get("memorisation"):
        found.append(memorisation(scored["memorisation"]))
    if scored.get("number_recall_ceiling"):
        found.append(ceilings(scored["number_recall_ceiling"]))
    return found


def answers(metrics: Mapping[str, Mapping]) -> Table:
    """Return a table of cut and empty answers by model.

    Empty answers score 0 and count in every mean.
    """
    rows = []
    for model in asked_models(metrics):
        found = metrics[f"predict_{model}"]
        empty, n = found.get("empty"), found.get("answers")
        share = empty / n if n and empty is not None else None
        rows.append(
            [
                model_label(model),
                wording.MISSING if n is None else wording.count(n),
                wording.score(found["hit_limit_share"]),
                wording.score(share),
            ]
        )
    columns = ["model", "answers", "share cut by the length limit", "share empty"]
    caption = "Cut and empty answers, test and transfer sets"
    if "fewshot" in asked_models(metrics):
        caption += "; few-shot base: test set only"
    return Table(caption, columns, rows)


def efficiency(metrics: Mapping[str, Mapping]) -> Table:
    """Return a table of speed and memory by model; the speeds of a resumed run are left out."""
    rows, made = [], trained_by(metrics)
    for model in asked_models(metrics):
        found = metrics[f"predict_{model}"]
        cost, n = found["cost"], found.get("answers")
        whole = not cost.get("answers_before_a_kill")
        each = cost["seconds"] / n if n and whole else None
        memory = cost.get("peak_memory_gb")
        adapter = made.get(model, {}).get("cost", {}).get("adapter_mb")
        speeds = [
            cost.get(f"{kind}_tokens_per_second") if whole else None for kind in ("prompt", "new")
        ]
        rows.append(
            [
                model_label(model),
                *(wording.MISSING if speed is None else wording.count(speed) for speed in speeds),
                wording.MISSING if each is None else wording.duration(each),
                wording.MISSING if memory is None else f"{memory:.2f} GB",
                wording.MISSING if adapter is None else f"{adapter:.1f} MB",
            ]
        )
    columns = "model|prompt tokens/s|new tokens/s|time per answer|peak memory|adapter"
    return Table("Speed and memory, averaged over the whole stage", columns.split("|"), rows)


def latency(metrics: Mapping[str, Mapping]) -> Table:
    """Return a table of latencies and of reading and generation speeds, if measured.

    "In its batch" is the time from the start of reading a prompt to the end of its answer, while
    others are decoded with it. "Alone" is the same time for a few prompts sent one by one.
    """
    rows = []
    for model in asked_models(metrics):
        cost = metrics[f"predict_{model}"]["cost"]
        speeds = [cost.get(phase, {}).get("tokens_per_second") for phase in PHASES]
        waits = cost.get("latency", {})
        if not waits and not any(speeds):
            continue
        counts = (wording.MISSING if s is None else wording.count(s) for s in speeds)
        rows.append([model_label(model), *counts])
        for kind in ("in_batch", "alone"):
            found = waits.get(kind, {})
            for key in ("median_seconds", "p95_seconds"):
                rows[-1].append(wording.duration(found[key]) if key in found else wording.MISSING)
        first = waits.get("alone", {}).get("median_seconds_to_first_token")
        rows[-1].append(wording.MISSING if first is None else wording.duration(first))
    columns = "model|reading, tokens/s|generation, tokens/s|in its batch, median|95th percentile"
    columns += "|alone, median|95th percentile|first token"
    return Table("Latency, and the speed of reading and of generation", columns.split("|"), rows)


def reference_perplexity(found: Mapping[str, Mapping]) -> Table:
    """Return a table of the perplexity of the test references.

    The caption has tuned minus base in log-likelihood per token, if it was computed.
    """
    rows = [
        [
            model_label(model),
            wording.score(found[model]["nats_per_token"]),
            f"{found[model]['perplexity']:.2f}",
            wording.count(found[model]["n_tokens"]),
        ]
        for model in TESTED
        if model in found
    ]
    caption = "Perplexity of the test references"
    if "difference" in found:
        caption += f"; log-likelihood per token, tuned minus base: {_gain(found['difference'])}"
        caption += f" over {wording.count(found['difference']['n_companies'])} companies"
    return Table(caption, ["model", "nats per token", "perplexity", "tokens"], rows)


def reference_loss(metrics: Mapping[str, Mapping]) -> Table:
    """Return a table of the perplexity of the validation references.

    The base is the model before training, the other one that at the chosen checkpoint.
    """
    (model, train), *_ = trained_by(metrics).items()
    losses = {"base": train["initial_val_loss_nats"], model: train["best_val_loss_nats"]}
    rows = [
        [
            model_label(model),
            wording.score(loss),
            f"{math.exp(loss):.2f}" if loss < 100 else wording.MISSING,
        ]
        for model, loss in losses.items()
    ]
    caption = "Perplexity of the validation references, on which the checkpoint was chosen"
    return Table(caption, ["model", "loss in nats per token", "perplexity"], rows)


def cross_domain(rows: list[Mapping], *, primary: str) -> Table:
    """Return a table of tuned minus base on test and transfer, and the change between them."""
    ordered = sorted(rows, key=lambda row: row["metric"] != primary)
    cells = [
        [
            wording.metric_label(row["metric"]),
            *(_gain(row[k]) for k in ("test", "transfer", "change")),
        ]
        for row in ordered
    ]
    n, m = rows[0]["n_test_companies"], rows[0]["n_transfer_companies"]
    caption = f"Tuned minus base on {n} test and on {m} transfer companies, uncorrected intervals"
    columns = ["metric", "test", "transfer", "transfer minus test"]
    strong = 0 if ordered[0]["metric"] == primary else -1
    return Table(caption, columns, cells, strong=strong)


def by_language(rows: list[Mapping]) -> Table:
    """Return a table of the transfer set by language of the call, compared with English calls."""
    cells = [
        [
            wording.metric_label(row["metric"]),
            row["language"],
            wording.count(row["n_companies"]),
            wording.count(row["n_examples"]),
            *(wording.score(row[model]) for model in ("base", "tuned")),
            _gain(row["gain"]) if row["gain"] else wording.MISSING,
            _gain(row["change"]) if row["change"] else wording.MISSING,
        ]
        for row in rows
    ]
    caption = "The transfer set by the language of the call, uncorrected intervals"
    columns = (
        "metric|language|companies|examples|base|tuned|tuned minus base|difference from English"
    )
    return Table(caption, columns.split("|"), cells)


def memorisation(found: Mapping[str, Mapping]) -> Table:
    """Return a table of figures that are in training answers but not in the excerpt, by model."""
    rows = []
    for model in (model for model in TESTED if model in found):
        f = found[model]
        company = f["n_of_company"]
        rows.append(
            [
                model_label(model),
                *(wording.count(f[k]) for k in ("n_figures", "n_not_in_source", "n_of_template")),
                f"{f['chance']:.1f}",
                wording.MISSING if company is None else wording.count(company),
            ]
        )
    columns = (
        "model|figures written|not in the excerpt|of these, in training answers of the template"
    )
    columns += "|expected by chance|of the company"
    return Table("Memorised figures, test and transfer sets", columns.split("|"), rows)


def ceilings(found: Mapping[str, Mapping]) -> Table:
    """Return a table of the share of reference figures that can be read at all, by template."""
    rows = [
        [
            template,
            wording.count(f["n_figures"]),
            *(wording.score(f.get(key)) for key in ("share_supported", "recall_ceiling")),
        ]
        for template, f in sorted(found.items())
    ]
    columns = ["template", "figures in references", "share in the call", "share in the excerpt"]
    return Table(
        "Reference figures that call and excerpt state (the upper bound of number recall)",
        columns,
        rows,
    )


def _gain(gain: Mapping[str, float]) -> str:
    return f"{wording.signed(gain['estimate'])} {wording.interval(gain['low'], gain['high'])}"
