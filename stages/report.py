"""Compute the verdict; render figures, the report and the pull-request comment."""

import dataclasses

from finllm.records import read_examples, read_predictions, read_scores, write_json, write_text
from finllm.report import outcome, page
from finllm.report.evidence import (
    Evidence,
    read_corpus,
    read_curves,
    read_metrics,
    read_rows,
    read_series,
    with_candidate,
)
from finllm.report.forest import forest_csv, forest_rows
from finllm.report.studies import read_studies
from finllm.report.summary import summary
from stages import adapter


def main() -> str:
    """Decide, draw, write."""
    at = adapter.paths(
        *("metrics", "plots", "examples", "base", "tuned", "preferred", "scores", "studies"),
        *("summary", "verdict", "forest", "html", "markdown", "drawings"),
    )
    params = adapter.params()
    v, p = params.verdict, params.report
    compared = at.tuned if v.candidate == "tuned" else at.preferred
    evidence = Evidence(
        metrics=read_metrics(at.metrics),
        curves=read_curves(at.plots / "training"),
        posterior=read_series(at.plots / "posterior.csv"),
        gradient_by_layer=read_rows(at.plots / "training" / "gradient_by_layer.csv"),
        corpus=read_corpus(at.plots / "corpus"),
        scores=with_candidate(read_scores(at.scores), v.candidate),
        examples=read_examples(at.examples),
        base=read_predictions(at.base),
        tuned=read_predictions(compared),
        studies=read_studies(at.studies),
    )
    tests, posterior = evidence.metrics["significance"], evidence.metrics["bayes_stats"]
    found = outcome.outcome(
        tests,
        posterior,
        primary=v.primary_metric,
        alpha=v.alpha,
        rope=v.rope,
        candidate=v.candidate,
    )
    rows = forest_rows(tests, posterior, alpha=v.alpha)
    sections = {
        name: dataclasses.asdict(section)
        for name, section in vars(params).items()
        if name in ("data", "model", "lora", "train", "prefer", "verdict")
    }
    if params.prefer.method == "none":  # and nothing to choose between
        del sections["prefer"], sections["verdict"]["candidate"]
    write_json(at.verdict, outcome.to_metrics(found))
    write_json(at.summary, summary(found, evidence.metrics))
    write_text(at.forest, forest_csv(rows))
    write_text(
        at.html,
        page.html(
            found,
            rows,
            evidence,
            parameters=sections,
            n_examples=p.n_examples,
            include_text=p.include_text,
        ),
    )
    for name, drawing in page.plots(found, rows, evidence).items():
        write_text(at.drawings / f"{name}.svg", drawing)
    write_text(at.markdown, page.markdown(found, rows, evidence, parameters=sections))
    return f"{found.verdict}; report: {at.html}"


if __name__ == "__main__":
    adapter.run(main)
