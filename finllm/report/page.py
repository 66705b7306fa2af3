"""Rendering of the HTML report and the Markdown summary."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2

from finllm.report import (
    convergence,
    corpus,
    figures,
    human,
    robustness,
    studies,
    tables,
    wording,
)
from finllm.report.candidate import BEFORE
from finllm.report.cautions import cautions, is_fictional
from finllm.report.claims import NOT_MEASURED, claims
from finllm.report.contents import TITLES
from finllm.report.evidence import Evidence
from finllm.report.explorer import explorer, script, script_source
from finllm.report.fairness import by_language, cross_domain, fairness_tables, latency
from finllm.report.foot import foot
from finllm.report.forest import ForestRow, forest_axis
from finllm.report.funnel import funnel
from finllm.report.outcome import Outcome
from finllm.report.plain_words import plain_words
from finllm.report.practical import gain, parts_table, power_sentence, price
from finllm.report.preference import preference_table
from finllm.report.showcase import Pair, all_pairs, paired_scores, showcase
from finllm.report.tables import model_label
from finllm.report.verdict_text import copying_sentence, sentence
from finllm.runtime import provenance


def html(
    found: Outcome,
    forest: Sequence[ForestRow],
    evidence: Evidence,
    *,
    parameters: Mapping[str, Mapping[str, object]],
    n_examples: int,
    include_text: bool,
) -> str:
    """Render the report as one self-contained HTML page, with every figure also as a table.

    Its only script sorts and filters the examples and unfolds the tables for printing. The page's
    Content-Security-Policy names the script by its hash and allows no other.

    ``parameters`` are the sections of params.yaml to show, including ``data`` and ``model``. The
    same evidence gives the same bytes. Without ``include_text`` the page contains no text of the
    calls, references and answers.
    """
    pairs = paired_scores(evidence.scores, found.primary_metric)
    shown = showcase(
        all_pairs(evidence.scores, found.primary_metric),
        evidence.examples,
        evidence.base,
        evidence.tuned,
        n=n_examples,
        include_text=include_text,
        metric=found.primary_metric,
    )
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            **_common(found, forest, evidence, parameters),
            **_figures(found, forest, evidence, pairs),
            **_tables(found, forest, evidence, parameters),
            titles=TITLES,
            summary=plain_words(found),
            shown=shown,
            explorer=explorer(evidence.scores, primary=found.primary_metric),
            script=script(),
            script_source=script_source(script()),
            not_measured=NOT_MEASURED,
            studies_table=studies.claims_table(evidence.studies),
            studies=[(one, studies.comparisons(one)) for one in evidence.studies if one.result],
            include_text=include_text,
            foot=foot(_made_with(evidence)),
        )
    )


def _made_with(evidence: Evidence) -> str:
    """Return commit, day and processor of the tuned model's answers; empty if not recorded."""
    found = provenance.from_costs(evidence.metrics["predict_tuned"], file="costs of predict_tuned")
    return provenance.line(found) if found else ""


def markdown(
    found: Outcome,
    forest: Sequence[ForestRow],
    evidence: Evidence,
    *,
    parameters: Mapping[str, Mapping[str, object]],
) -> str:
    """Render one screen of Markdown for a pull request.

    It leaves out times and memory, so that repeated runs give the same text.
    """
    return (
        _environment()
        .get_template("report.md.j2")
        .render(
            **_common(found, forest, evidence, parameters),
            **_tables(found, forest, evidence, parameters),
        )
    )


def plots(found: Outcome, forest: Sequence[ForestRow], evidence: Evidence) -> dict[str, str]:
    """Render the two plots of the pull request's comment as SVG: ``forest`` and ``posterior``."""
    environment = _environment()
    return {
        "forest": environment.get_template("forest.svg.j2").render(
            rows=forest,
            axis=forest_axis(forest, rope=found.rope),
            rope=found.rope,
            confidence=_confidence(found),
            wording=wording,
        ),
        "posterior": environment.get_template("posterior.svg.j2").render(
            figure=_posterior(found, evidence),
            found=found,
            metric=wording.metric_in_sentence(found.primary_metric),
            wording=wording,
        ),
    }


def _common(
    found: Outcome,
    forest: Sequence[ForestRow],
    evidence: Evidence,
    parameters: Mapping[str, Mapping[str, object]],
) -> dict[str, object]:
    metrics = evidence.metrics
    return {
        "found": found,
        "wording": wording,
        "sentence": sentence(found),
        "copying": copying_sentence(found),
        "explanation": f"{found.reason} {found.disagreement} {_named(found)}".strip(),
        "confidence": _confidence(found),
        "cautions": cautions(found, metrics),
        "fictional": is_fictional(str(parameters["data"]["source"]), metrics["templatize"]),
        "forest": forest,
        "source": parameters["data"]["source"],
        "model": parameters["model"]["name"],
        "metrics": metrics,
        "human_summary": human.summary(metrics["ratings"], confidence=_confidence(found)),
        "human_tables": human.tables(metrics["ratings"]),
        "human_details": human.details(metrics["ratings"]),
        "human_closest": human.closest(metrics["ratings"]),
    }


def _figures(
    found: Outcome, forest: Sequence[ForestRow], evidence: Evidence, pairs: Sequence[Pair]
) -> dict[str, object]:
    by_company: defaultdict[str, list[float]] = defaultdict(list)
    for pair in pairs:
        by_company[pair.company].append(pair.difference)
    loss = {"training batches": "train_loss", "validation set": "val_loss"}
    return {
        "forest_axis": forest_axis(forest, rope=found.rope),
        "posterior": _posterior(found, evidence),
        "companies": figures.company_figure(by_company),
        "histogram": figures.histogram_figure([pair.difference for pair in pairs]),
        "loss": figures.curve_figure({name: evidence.curves[key] for name, key in loss.items()}),
        "layers": convergence.gradient_by_layer(evidence.gradient_by_layer),
        "layer_rows": convergence.gradient_by_layer_table(evidence.gradient_by_layer),
        "corpus": corpus.corpus_figures(evidence.corpus),
        "gradient": figures.curve_figure({"gradient norm": evidence.curves["gradient_norm"]}),
    }


def _posterior(found: Outcome, evidence: Evidence) -> figures.PosteriorFigure | None:
    marks = [0.0, -found.rope, found.rope, found.hdi_low, found.hdi_high]
    return figures.posterior_figure(
        evidence.posterior, also=[mark for mark in marks if mark is not None]
    )


def _tables(
    found: Outcome,
    forest: Sequence[ForestRow],
    evidence: Evidence,
    parameters: Mapping[str, Mapping[str, object]],
) -> dict[str, object]:
    metrics, primary = evidence.metrics, found.primary_metric
    scored, tested = metrics["evaluate"], metrics["significance"]
    groups, asked_otherwise = tested.get("subgroups", {}), scored.get("robustness", [])
    steps = funnel(*(metrics[name] for name in ("clean", "filter", "templatize", "split")))
    company_sd = tested["metrics"][primary].get("cluster_sd", math.nan)
    caption = "Every metric by model, {}"
    return {
        "comparison_table": tables.comparison(forest, confidence=_confidence(found)),
        "models_table": tables.by_set(
            {"test": scored["test"], "transfer": scored["transfer"]}, metric=primary
        ),
        "test_table": tables.by_model(
            scored["test"], caption=caption.format("test set"), primary=primary
        ),
        "transfer_table": tables.by_model(
            scored["transfer"], caption=caption.format("transfer set"), primary=primary
        )
        if scored["transfer"]
        else None,
        "template_table": tables.by_group(
            scored["test_by_template"],
            Counter(e.template for e in evidence.examples),
            group="template",
            metric=primary,
        ),
        "provenance_table": tables.by_group(
            scored["test_by_provenance"],
            Counter(e.provenance for e in evidence.examples),
            group="provenance",
            metric=primary,
        ),
        "provenance_note": tables.provenance_note(scored["test_by_provenance"]),
        "chain_table": tables.chain(tested.get("chain", []), metric=primary),
        "tests_table": tables.classical_tests(metrics["significance"]["metrics"]),
        "checks_table": tables.model_checks(metrics["bayes_stats"]["metrics"][primary]),
        "posteriors_table": tables.posteriors(metrics["bayes_stats"]["metrics"]),
        "agreement_table": tables.agreement(scored, primary=primary)
        if "rank_stability" in scored
        else None,
        "subgroup_table": tables.subgroups(groups, metric=primary) if groups else None,
        "gain_table": gain(found, company_sd),
        "parts_table": parts_table(scored.get("parts_of_gain", []), primary=primary),
        "price_table": price(metrics),
        "power_sentence": power_sentence(found, company_sd),
        "preference_table": preference_table(metrics["prefer"]),
        "claims_table": claims(found, metrics),
        "fairness_tables": fairness_tables(metrics),
        "cost_table": tables.costs(metrics),
        "sets_table": tables.sets(metrics["split"]["sets"]),
        "parameters_table": tables.parameters(parameters),
        "corpus_tables": corpus.corpus_tables(metrics),
        "phases_table": convergence.phases(
            evidence.curves["train_loss"], val=evidence.curves["val_loss"]
        ),
        "robustness_summary": robustness.robustness_summary(asked_otherwise, primary=primary),
        "robustness_tables": robustness.robustness_tables(asked_otherwise, primary=primary),
        "cross_domain_table": cross_domain(scored["cross_domain"], primary=primary)
        if scored.get("cross_domain")
        else None,
        "language_table": by_language(scored["by_language"]) if scored.get("by_language") else None,
        "has_latency": bool(latency(metrics).rows),
        "funnel": steps,
        "funnel_table": corpus.funnel_table(steps),
    }


def _named(found: Outcome) -> str:
    """Name the model that replaces the tuned one; empty if it is the tuned one."""
    if not found.candidate:
        return ""
    return (
        f"The model compared with the base is the {found.candidate} one (verdict.candidate); "
        f"“tuned” in this report refers to it, and “{model_label(BEFORE)}” to the model from which "
        "its training started. The parts of the gain, the intervals on the transfer set, the "
        "change in the references’ perplexity and the correlations of the metrics are measured for "
        "that model only and left out."
    )


def _confidence(found: Outcome) -> str:
    return f"{100 * (1 - found.alpha):g}%"


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=lambda name: name is not None and (".html" in name or ".svg" in name),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
