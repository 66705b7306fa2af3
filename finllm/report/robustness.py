"""Effect of reworded questions and noisy excerpts on the scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from finllm.records import METRICS
from finllm.report import wording
from finllm.report.tables import Table, model_label

SET_LABELS = {
    "reworded": "the question in held-out wording",
    "noise": "the excerpt with typing errors and lost punctuation",
}
NOT_MEASURED = (
    "Not measured in this run: how the answers change when the question is reworded or the excerpt "
    "is noisy (predict.robustness_examples)."
)


def robustness_summary(rows: Sequence[Mapping], *, primary: str) -> str:
    """Summarise the primary metric in a sentence per changed set, or say that none was measured."""
    if not rows:
        return NOT_MEASURED
    said = []
    for name in dict.fromkeys(row["set"] for row in rows):
        parts = [
            f"{model_label(row['model'])} {wording.estimate(row)}"
            for row in rows
            if row["set"] == name and row["metric"] == primary
        ]
        if parts:
            said.append(f"With {SET_LABELS.get(name, name)}: {', '.join(parts)}.")
    if not said:
        return f"On {wording.metric_in_sentence(primary)} no example could be compared."
    return f"{wording.metric_label(primary)}, changed minus original. {' '.join(said)}"


def robustness_table(rows: Sequence[Mapping], *, metrics: Sequence[str], what: str) -> Table:
    """Return a table of original and changed scores with the change, by set, metric and model."""
    order = {name: i for i, name in enumerate(metrics)}
    chosen = sorted((row for row in rows if row["metric"] in order), key=lambda r: _place(r, order))
    cells = [
        [
            f"{row['set']}: {wording.metric_label(row['metric'])}",
            model_label(row["model"]),
            wording.score(row["original"]),
            wording.score(row["changed"]),
            wording.estimate(row),
            f"{wording.count(row['n_examples'])} of {wording.count(row['n_companies'])}",
        ]
        for row in chosen
    ]
    columns = "set|model|original|changed|change [uncorrected interval]|examples of companies"
    return Table(f"The same examples, changed: {what}", columns.split("|"), cells)


def robustness_tables(rows: Sequence[Mapping], *, primary: str) -> tuple[Table, Table] | None:
    """Return a table of the primary metric and one of all others; None if nothing was measured."""
    if not rows:
        return None
    others = [name for name in METRICS if name != primary]
    return (
        robustness_table(rows, metrics=[primary], what=wording.metric_in_sentence(primary)),
        robustness_table(rows, metrics=others, what="the other metrics"),
    )


def _place(row: Mapping, order: Mapping[str, int]) -> tuple[str, int, str]:
    return row["set"], order[row["metric"]], row["model"]
