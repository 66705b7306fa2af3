"""Phases of a training by its training and validation loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from finllm.report import wording
from finllm.report.bars import BarFigure, bar_figure
from finllm.report.tables import Table

Curve = Sequence[tuple[float, float]]
PHASES = (("first fifth: adaptation", 0.0, 0.2), ("middle", 0.2, 0.8), ("last fifth", 0.8, 1.0))


def phases(curve: Curve, *, val: Curve) -> Table | None:
    """Return a table of training loss, its slope, and validation loss by phase of the training.

    The training loss is the mean over the phase's steps. The slope is that of a least-squares line
    in nats per hundred steps, near zero on a plateau. Batches differ in difficulty, so neither is
    exact. The validation loss is the last one up to the end of the phase. None with fewer than ten
    steps.
    """
    if len(curve) < 10:
        return None
    last = curve[-1][0]
    rows = []
    for name, begin, end in PHASES:
        part = [(s, v) for s, v in curve if begin * last < s <= end * last]
        checked = [v for s, v in val if s <= part[-1][0]] if part else []
        if len(part) < 2:
            continue
        rows.append(
            [
                name,
                f"{part[0][0]:g} to {part[-1][0]:g}",
                wording.score(sum(v for _, v in part) / len(part)),
                wording.signed(100 * slope(part)),
                wording.score(checked[-1]) if checked else wording.MISSING,
            ]
        )
    columns = "phase|steps|mean training loss|slope, nats per 100 steps|validation loss so far"
    return Table("Phases of the training", columns.split("|"), rows)


def slope(points: Curve) -> float:
    """Return the slope of the least-squares line through at least two points with different x.

    >>> slope([(0, 1.0), (1, 3.0), (2, 5.0)])
    2.0
    """
    n = len(points)
    mean_x, mean_y = (sum(p[i] for p in points) / n for i in (0, 1))
    moment = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return moment / sum((x - mean_x) ** 2 for x, _ in points)


def gradient_by_layer(rows: Sequence[Mapping[str, float]]) -> BarFigure | None:
    """Return bars of the median gradient norm of each layer's adapter over the training."""
    return bar_figure([(f"{row['layer']:g}", [row["median"]]) for row in rows], ["gradient norm"])


def gradient_by_layer_table(rows: Sequence[Mapping[str, float]]) -> list[list[str]]:
    """Return rows of layer and gradient norm: at the first step, the median, and at the last."""
    return [
        [f"{row['layer']:g}", *(wording.score(row[k]) for k in ("first", "median", "last"))]
        for row in rows
    ]
