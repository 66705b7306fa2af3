"""The training on preferences in the report: its table, and the caution if it changed nothing."""

from __future__ import annotations

from collections.abc import Mapping

from finllm.report import wording
from finllm.report.tables import Table

PARTS = {"train": "pairs for training", "val": "pairs left out, to choose the step"}


def preference_table(found: Mapping) -> Table | None:
    """Return a table of the metrics of the stage ``prefer``; None if preference tuning is off."""
    if "method" not in found:
        return None
    before, after = found["before"], found["after"]
    stopped = "; stopped early" if found["stopped_early"] else ""
    sounded = [wording.reason(name) for name, n in found["alarms"].items() if n]
    rows = [
        *([label, _pairs(found["kinds_by_part"][part])] for part, label in PARTS.items()),
        ["best step", f"{found['best_step']} of {found['n_steps']}{stopped}"],
        ["loss on the pairs left out", _moved(before["loss"], after["loss"])],
        *_leading(found),
        ["drift from the start", f"{after['drift_nats']:.3f} nats per token"],
        [
            "perplexity of a general text, after over before",
            f"× {found['forgetting']['ratio']:.2f}",
        ],
        ["alarms", ", ".join(sounded) or "none"],
    ]
    caption = f"Training on preferences ({found['method']}, reference {found['reference']})"
    return Table(caption, ["item", "value"], rows)


def no_step_helped(found: Mapping) -> str:
    """Say that the preferred model is the tuned one, if it is; empty otherwise."""
    if found.get("best_step") != 0:  # also if preference tuning is off
        return ""
    return (
        "No step of the training on preferences lowered the loss on the pairs left out, so the "
        "preferred model is the tuned model: any difference between the two is rounding."
    )


def _leading(found: Mapping) -> list[list[str]]:
    if found["best_step"] == 0:  # the leads are zero, up to rounding
        return []
    return [["pairs in which the chosen answer leads", f"{found['after']['accuracy']:.0%}"]]


def _pairs(kinds: Mapping[str, int]) -> str:
    named = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
    return f"{wording.count(sum(kinds.values()))} ({named})" if kinds else "0"


def _moved(before: float, after: float) -> str:
    return f"{wording.score(before)} → {wording.score(after)}"
