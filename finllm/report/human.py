"""Presentation of human ratings in tables and sentences."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from finllm.records import METRICS
from finllm.report import wording
from finllm.report.tables import Table, model_label

QUESTION_LABELS = {
    "preference": "Preference",
    "accuracy": "Accuracy of figures",
    "completeness": "Completeness",
    "usefulness": "Usefulness",
    "fluency": "Fluency",
}
NOBODY = "No human ratings yet: run `python -m finllm rate`, then `dvc repro`."


def summary(found: Mapping, *, confidence: str) -> str:
    """Summarise the ratings in one to three sentences, or say that there are none."""
    stale = ""
    if found["n_of_other_answers"]:
        clicks = wording.count(found["n_of_other_answers"])
        stale = f" {clicks} earlier clicks were ignored because the answers have changed."
    if not found["n_examples"]:
        return NOBODY + stale
    raters, examples = found["n_raters"], found["n_examples"]
    text = f"{_plural(raters, 'rater')} judged {_plural(examples, 'pair')} of answers, blind. "
    if "win_rate" in found:
        win = found["win_rate"]
        text += (
            f"The tuned answer was preferred in {wording.score(win['estimate'])} of "
            f"{_plural(win['n'], 'pair')} {wording.interval(win['low'], win['high'])} "
            f"({confidence}; “neither” counts as one half)."
        )
    else:
        text += "Nobody gave a preference."
    if "rated" in found:  # the verdict is about another model
        text += f" In the ratings “tuned” is the model “{model_label(found['rated'])}”."
    return text + stale


def tables(found: Mapping) -> list[Table]:
    """Return the tables of criteria, agreement, and metrics against preference that have data."""
    if not found["n_examples"]:
        return []
    made = [_criteria(found["criteria"])]
    if found.get("agreement"):
        made.append(_agreement(found["agreement"]))
    if "preference" in found["correlation"]:
        made.append(_preference(found["correlation"]["preference"]))
    return made


def details(found: Mapping) -> list[Table]:
    """Return the table of metrics against each criterion in a list, empty without correlations."""
    by_criterion = {
        name: rows for name, rows in found.get("correlation", {}).items() if name != "preference"
    }
    return [_by_criterion(by_criterion)] if by_criterion else []


def closest(found: Mapping) -> str:
    """Say which metric follows the preference best, and how certain that is; empty if unknown."""
    rows = found.get("correlation", {}).get("preference", {})
    if not rows:
        return ""
    best = max(rows, key=lambda name: rows[name]["p_highest"])
    text = (
        f"The metric closest to the preference is {wording.metric_in_sentence(best)}, in "
        f"{wording.share(rows[best]['p_highest'])} of the bootstrap samples"
    )
    if best != "bertscore" and "bertscore" in rows:
        text += f"; BERTScore in {wording.share(rows['bertscore']['p_highest'])}"
    return text + "."


def _criteria(rows: Mapping[str, Mapping[str, float]]) -> Table:
    cells = [
        [
            QUESTION_LABELS[name],
            wording.score((row := rows[name]).get("base")),
            wording.score(row.get("tuned")),
            f"{wording.signed(row.get('difference'))} "
            f"{wording.interval(row.get('low'), row.get('high'))}",
            wording.count(row["n"]),
        ]
        for name in QUESTION_LABELS
        if name in rows
    ]
    columns = ["criterion", "base", "tuned", "difference", "pairs"]
    return Table("Points from 1 to 5, means over the rated pairs", columns, cells)


def _agreement(rows: Mapping[str, Mapping]) -> Table:
    cells = []
    for name in (name for name in QUESTION_LABELS if name in rows):
        row = rows[name]
        kappas = [kappa["estimate"] for kappa in row["kappa"].values() if "estimate" in kappa]
        spread = wording.MISSING
        if kappas:
            low, high = (wording.score(bound(kappas)) for bound in (min, max))
            spread = low if low == high else f"{low} to {high}"
        cells.append(
            [
                QUESTION_LABELS[name],
                f"{wording.score(row.get('estimate'))} "
                f"{wording.interval(row.get('low'), row.get('high'))}",
                spread,
                wording.count(row["n_units"]),
            ]
        )
    columns = ["question", "Krippendorff’s α", "Cohen’s κ, by two raters", "rated twice"]
    return Table("Agreement between raters (1: always, 0: as by chance)", columns, cells)


def _preference(rows: Mapping[str, Mapping[str, float]]) -> Table:
    cells = [
        [
            wording.metric_label(name),
            _rho(rows[name]),
            wording.share(rows[name]["p_highest"]),
            wording.count(rows[name]["n"]),
        ]
        for name in METRICS
        if name in rows
    ]
    columns = ["metric", "Spearman’s ρ", "P(highest)", "pairs"]
    return Table("Correlation of each metric’s gain with the raters’ preference", columns, cells)


def _by_criterion(found: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Table:
    criteria = [name for name in QUESTION_LABELS if name in found]
    known = set(chain.from_iterable(found.values()))
    cells = [
        [
            wording.metric_label(name),
            *(_rho(found[criterion].get(name, {})) for criterion in criteria),
        ]
        for name in METRICS
        if name in known
    ]
    columns = ["metric", *(QUESTION_LABELS[name].lower() for name in criteria)]
    return Table(
        "Correlation of each metric’s gain with the gain in points, by criterion", columns, cells
    )


def _rho(row: Mapping[str, float]) -> str:
    interval = wording.interval(row.get("low"), row.get("high"))
    return f"{wording.signed(row.get('estimate'))} {interval}"


def _plural(n: int, noun: str) -> str:
    return f"{wording.count(n)} {noun}{'' if n == 1 else 's'}"
