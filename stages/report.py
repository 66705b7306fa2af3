"""Compute the verdict; render figures, the report and the pull-request comment."""

import dataclasses

from finllm.records import write_json, write_text
from finllm.report import outcome, page
from finllm.report.evidence import read_evidence
from finllm.report.forest import forest_csv, forest_rows
from finllm.report.summary import summary
from stages import adapter


def main() -> str:
    """Decide on the verdict, draw the figures and write the reports."""
    at = adapter.paths(
        *("metrics", "plots", "examples", "base", "tuned", "preferred", "scores", "studies"),
        *("summary", "verdict", "forest", "html", "markdown", "drawings"),
    )
    params = adapter.params()
    v = params.verdict
    evidence = read_evidence(
        metrics=at.metrics,
        plots=at.plots,
        scores=at.scores,
        examples=at.examples,
        base=at.base,
        compared=vars(at)[v.candidate],
        studies=at.studies,
        candidate=v.candidate,
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
    if params.prefer.method == "none":  # then there is only one candidate
        del sections["prefer"], sections["verdict"]["candidate"]
    shown = dataclasses.asdict(params.report)
    write_json(at.verdict, outcome.to_metrics(found))
    write_json(at.summary, summary(found, evidence.metrics))
    write_text(at.forest, forest_csv(rows))
    write_text(at.html, page.html(found, rows, evidence, parameters=sections, **shown))
    for name, drawing in page.plots(found, rows, evidence).items():
        write_text(at.drawings / f"{name}.svg", drawing)
    write_text(at.markdown, page.markdown(found, rows, evidence, parameters=sections))
    return f"{found.verdict}; report: {at.html}"


if __name__ == "__main__":
    adapter.run(main)
