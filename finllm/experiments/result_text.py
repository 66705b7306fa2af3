"""Results of a search as a table, and the commands that apply them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from finllm.experiments.experiment import flags
from finllm.experiments.space import Space
from finllm.experiments.trials import Trial


def page(trials: Sequence[Trial], best: Trial | None, space: Space) -> str:
    """Return the trials, complete ones first by validation loss; the best; and how to apply it.

    The lowest loss is due to luck as well as to the settings: do not report it as the loss to
    expect.
    """
    lines = table(trials, space)
    if best is None:
        return "\n".join([*lines, "", "No trial ended with a validation loss."])
    n = len(trials)
    lines += [
        "",
        f"Best of {n}: {best.experiment}, {best.val_loss_nats:.4f} nats on the validation",
    ]
    lines[-1] += " set; the test set was not read."
    if best.settings == space.current():
        return "\n".join([*lines, "params.yaml already has these values."])
    return "\n".join([*lines, *(f"  {line}" for line in apply_commands(best))])


def table(trials: Sequence[Trial], space: Space) -> list[str]:
    """Return a header and one line per trial, complete trials first."""
    keys = [one.key for one in space.dimensions]
    rows = [["trial", "state", "val loss", "seconds", *keys]]
    order = {"complete": 0, "pruned": 1, "failed": 2}
    for row in sorted(trials, key=lambda t: (order[t.state], t.val_loss_nats or 0.0, t.number)):
        loss = "" if row.val_loss_nats is None else f"{row.val_loss_nats:.4f}"
        values = [str(row.settings[key]) for key in keys]
        rows.append([f"{row.number:03d}", row.state, loss, f"{row.seconds:.0f}", *values])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def apply_commands(best: Trial) -> list[str]:
    """Return two ways to run the pipeline with the best settings; neither trains again."""
    return [
        f"dvc exp apply {best.experiment} && dvc repro",
        shlex.join(["dvc", "exp", "run", *flags(best.settings)]),
    ]
