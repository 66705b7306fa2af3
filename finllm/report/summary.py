"""Numbers for reviewers, as stored in ``metrics/summary.json``.

They are the only DVC metrics. DVC lists the files of a difference in no fixed order, so there is
only one file. DVC sorts the keys by character, capitals before small letters: the verdict's own
numbers therefore begin with a capital, and ``Answer`` comes first. A slash marks numbers of second
rank: ``dvc exp show --drop '.*/'`` hides all of them, and all files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from finllm.report.outcome import BEATS, LOSES, UNCLEAR, Copying, Outcome

SHOWN = ("rouge1", "rougeL", "bertscore", "similarity", "term_recall", "coherence")
IN_A_WORD = {BEATS: "beaten", LOSES: "unbeaten", UNCLEAR: "unclear"}  # what copying is


def summary(found: Outcome, metrics: Mapping[str, Mapping]) -> dict[str, float | str]:
    """Return the verdict, other scores, results of training, and sizes of the corpus and the sets.

    Numbers that the data do not give are left out.

    Parameters
    ----------
    found
        The verdict.
    metrics
        Metrics by stage, in which the candidate is named tuned (``finllm.report.candidate``).
    """
    train, compared = metrics["train"], metrics["significance"]["metrics"]
    sets = metrics["split"]["sets"]
    # with a preferred candidate it is the loss of another model than the rest is about
    val_loss = "Val_loss/supervised" if found.candidate else "Val_loss"
    numbers = {
        **verdict(found),
        **copying(found.copying),
        **preferred(metrics["significance"].get("chain", [])),
        val_loss: train.get("best_val_loss_nats"),
        "Val_loss/before": train.get("initial_val_loss_nats"),
        **{f"scores/{name}": compared.get(name, {}).get("tuned_mean") for name in SHOWN},
        "answers/cut_base": metrics["predict_base"].get("hit_limit_share"),
        "answers/cut_tuned": metrics["predict_tuned"].get("hit_limit_share"),
        "forgetting/perplexity_ratio": train.get("forgetting", {}).get("ratio"),
        "corpus/calls_read": metrics["clean"].get("records_read"),
        "corpus/calls_kept": metrics["filter"].get("kept"),
        "corpus/examples": metrics["templatize"].get("examples"),
        **{f"sets/{name}": one.get("examples") for name, one in sets.items()},
    }
    return {key: value for key, value in numbers.items() if _is_there(value)}


def verdict(found: Outcome) -> dict[str, float | str | None]:
    """Return the numbers of the verdict on the primary metric; means are of company means."""
    return {
        "Answer": found.verdict,
        "Base": found.base_mean,
        "Tuned": found.tuned_mean,
        "Gain": found.difference,
        "Gain_low": found.low,
        "Gain_high": found.high,
        "Gain/p_corrected": found.p_corrected,
        "Gain/p_better": found.p_better,
        "Gain/bayes_factor": found.bf10,
        "Tested/companies": found.n_companies,
        "Tested/examples": found.n_examples,
    }


def copying(found: Copying | None) -> dict[str, float | str | None]:
    """Return the numbers of tuned against the best model-free baseline."""
    if found is None:
        return {}
    return {
        "Copying": IN_A_WORD[found.answer],
        "Copying/mean": found.baseline_mean,
        "Copying/gain": found.difference,
        "Copying/gain_low": found.low,
        "Copying/gain_high": found.high,
        "Copying/p_corrected": found.p_corrected,
    }


def preferred(steps: Sequence[Mapping]) -> dict[str, float | None]:
    """Return the numbers of preferred against tuned; empty without a preferred model."""
    if not steps:
        return {}
    last = steps[-1]
    return {
        "Preferred": last["after_mean"],
        "Preferred/gain": last["estimate"],
        "Preferred/gain_low": last.get("low"),
        "Preferred/gain_high": last.get("high"),
        "Preferred/p_corrected": last.get("p_corrected"),
    }


def _is_there(value: float | str | None) -> bool:
    return value is not None and (isinstance(value, str) or math.isfinite(value))
