"""Verdict in words: one sentence, and the lines that ``python -m finllm verdict`` prints."""

from __future__ import annotations

from textwrap import fill

from finllm.report import wording
from finllm.report.outcome import BEATS, LOSES, UNCLEAR, Outcome
from finllm.stats.rounding import PLAIN, equals

COLUMNS = 100  # of a line on the terminal
COPIES = {  # the answers of each model-free baseline
    "lead": "the excerpt’s first sentences",
    "dense": "the excerpt’s sentences with most figures",
    "random": "a training answer drawn at random",
    "nearest": "the answer of the most similar training example",
    "nearest_company": "the company’s own most similar training answer",
}


def sentence(found: Outcome) -> str:
    """Return the verdict with its figures in one sentence.

    If the tuned model beats the base but not copying, the sentence says so first.
    """
    metric = wording.metric_in_sentence(found.primary_metric)
    reach = "" if found.low is None else f" {wording.interval(found.low, found.high)}"
    change = f"{wording.signed(found.difference)}{reach}"
    means = f"from {wording.score(found.base_mean)} to {wording.score(found.tuned_mean)}"
    companies = f"{found.n_companies} unseen companies"
    tuning = wording.tuning(found.candidate)
    if found.verdict == "better" and found.copying and found.copying.answer == LOSES:
        return (
            f"Better than the base, but not than copying {COPIES[found.copying.baseline]} "
            f"({wording.score(found.copying.baseline_mean)}): {tuning} raised {metric} {means} "
            f"on {companies}, by {change}."
        )
    if found.verdict == "better":
        return f"Better: {tuning} raised {metric} {means} on {companies}, by {change}."
    if found.verdict == "worse":
        return f"Worse: {tuning} lowered {metric} {means} on {companies}, by {change}."
    if found.verdict == "equivalent":
        return (
            f"Equivalent: {tuning} moved {metric} by {change} on {companies}, "
            f"within ±{wording.as_set(found.rope)}, the region of practical equivalence."
        )
    return (
        f"Inconclusive: {companies} do not show whether {tuning} helped; "
        f"{metric} moved by {change}."
    )


def copying_sentence(found: Outcome) -> str:
    """Answer in a sentence whether tuned is better than copying; empty if not compared."""
    one = found.copying
    if one is None:
        return ""
    answer = {
        BEATS: "yes, it beats",
        LOSES: "no, it does not beat",
        UNCLEAR: "unclear against",
    }[one.answer]
    return (
        f"Better than copying? {answer.capitalize()} “{one.baseline}” "
        f"({COPIES[one.baseline]}), the best of the baselines on the validation set: "
        f"{wording.score(found.tuned_mean)} against {wording.score(one.baseline_mean)}, "
        f"a difference of {wording.signed(one.difference)} "
        f"{wording.interval(one.low, one.high)} ({100 * one.confidence:g}% interval, corrected p "
        f"{equals(wording.p_value(one.p_corrected))})."
    )


def terminal(found: Outcome, report: str) -> str:
    """Return the verdict as a few lines of plain ASCII; ``report`` is the path of the page."""
    return "\n".join([*_lines(found), f"The report: {report}"]).translate(PLAIN)


def pooled(found: Outcome, *, n_folds: int) -> str:
    """Return the verdict over all folds of a cross-validation as a few lines of plain ASCII."""
    note = (
        f"Over {n_folds} folds: every company was tested once, by a model that never saw it. The "
        "folds share\ntraining data, so the interval describes the recipe, and it is somewhat "
        "too narrow."
    )
    return "\n".join([*_lines(found), note]).translate(PLAIN)


def _lines(found: Outcome) -> list[str]:
    confidence = f"{100 * (1 - found.alpha):g}%"
    bayes = "" if found.bayes_usable else "  (not usable)"
    label = wording.evidence_label(found.log_bf10)
    rows = [
        ("base", wording.score(found.base_mean)),
        (found.candidate or "tuned", wording.score(found.tuned_mean)),
        (
            "difference",
            f"{wording.signed(found.difference)}  "
            f"{wording.interval(found.low, found.high)} ({confidence} interval)",
        ),
        ("corrected p", wording.p_value(found.p_corrected)),
        ("P(better)", wording.share(found.p_better) + bayes),
        ("Bayes factor", wording.bayes_factor(found.log_bf10) + (f"  ({label})" if label else "")),
    ]
    return [
        f"{wording.metric_label(found.primary_metric)}, the primary metric: "
        f"{found.n_examples} examples of {found.n_companies} companies",
        *(f"  {name:<13} {value}" for name, value in rows),
        "",
        *(fill(said, COLUMNS) for said in _sentences(found) if said),
    ]


def _sentences(found: Outcome) -> tuple[str, ...]:
    return sentence(found), found.reason, copying_sentence(found), found.disagreement
