"""Claims of the method with the measurements of this run."""

from __future__ import annotations

from collections.abc import Mapping

from finllm.report import wording
from finllm.report.outcome import Outcome
from finllm.report.tables import Table

NOT_MEASURED = (
    "claims that need several settings and seeds, such as the best rank (python -m finllm study)",
    "which metric agrees best with people (needs human ratings)",
)


def claims(found: Outcome, metrics: Mapping[str, Mapping]) -> Table:
    """Return a table with one row per claim that the run's metrics address, in the method's order.

    One run on one data set neither refutes nor supports a general claim: the column only reports
    the result of this run. If the candidate is a preferred model, the claims about the course of
    training are about that of the tuned model, and say so.
    """
    train, scored = metrics["train"], metrics["evaluate"]
    of_training = [*_first_fifth(train), *_clipping(train), *_plateau(train)]
    course = ", before the training on preferences" if found.candidate else ""
    rows = [
        ["fine-tuning improves on the base", wording.signed(found.difference), found.verdict],
        *([claim, text + course, said] for claim, text, said in of_training),
        *_transfer(found, scored),
        *_forgetting(train),
    ]
    return Table(
        "Claims of the method, and what this run measured", ["claim", "measured", "result"], rows
    )


def _first_fifth(train: Mapping) -> list[list[str]]:
    share = train.get("convergence", {}).get("share_in_first_fifth")
    if share is None:
        return []
    said = "yes, most of it" if share > 0.5 else "no, less than half"
    text = f"{share:.0%} of the fall in training loss"
    return [["the adaptation happens in the first fifth of the training", text, said]]


def _clipping(train: Mapping) -> list[list[str]]:
    gradients, alarms = train.get("gradients"), train.get("alarms", {})
    if gradients is None:
        return []
    text = f"{gradients['clipped_share']:.0%} of the steps clipped, "
    text += f"largest norm {gradients['max_norm']:.3g}"
    n = alarms.get("explosion", 0)
    return [["clipping prevents instability", text, f"{n} explosions"]]


def _plateau(train: Mapping) -> list[list[str]]:
    text = f"best at step {train['best_step']} of {train['n_steps']}"
    said = "yes, stopped early" if train["stopped_early"] else "no plateau was reached"
    return [["training ends on a plateau of the validation loss", text, said]]


def _transfer(found: Outcome, scored: Mapping) -> list[list[str]]:
    means = scored["transfer"]
    base = means.get("base", {}).get(found.primary_metric)
    tuned = means.get("tuned", {}).get(found.primary_metric)
    if base is None or tuned is None:
        return []
    text = f"{wording.signed(tuned - base)} on the transfer set"
    said = "same direction, not tested" if (tuned - base) * found.difference > 0 else "no"
    return [["several templates help generalisation", text, said]]


def _forgetting(train: Mapping) -> list[list[str]]:
    ratio = train.get("forgetting", {}).get("ratio")
    if ratio is None:
        return []
    text = f"perplexity of a general text × {ratio:.2f}"
    said = "no, general text became less likely" if ratio > 1 else "no forgetting"
    return [["an adapter keeps general language", text, said]]
