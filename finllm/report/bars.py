"""Stacked bars over named slots, in percent of the figure's width and height."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from finllm.report.axis import Axis, axis

N_LABELS = 5


@dataclass(frozen=True)
class Segment:
    """Part of a bar that shows one series."""

    series: int
    top: float
    height: float


@dataclass(frozen=True)
class Bar:
    """Bar with the name of its slot, its values by series, and its segments from the bottom up."""

    label: str
    values: Sequence[float]
    left: float
    width: float
    segments: Sequence[Segment]


@dataclass(frozen=True)
class BarFigure:
    """Stacked bars with their common axis and the labels (percent, text) under some of them."""

    y: Axis
    names: Sequence[str]
    bars: Sequence[Bar]
    labels: Sequence[tuple[float, str]]


def bar_figure(
    rows: Sequence[tuple[str, Sequence[float]]], names: Sequence[str]
) -> BarFigure | None:
    """Return a figure with one bar per row and one segment per series.

    Empty rows at either end are left out. About ``N_LABELS`` slots are named under the axis. None
    if every value is zero.
    """
    filled = [i for i, (_, values) in enumerate(rows) if any(values)]
    if not filled:
        return None
    rows = rows[filled[0] : filled[-1] + 1]
    y = axis([0.0, *(sum(values) for _, values in rows)], 3)
    slot = 100 / len(rows)
    bars = [
        Bar(
            label,
            values,
            left=round((i + 0.1) * slot, 3),
            width=round(0.8 * slot, 3),
            segments=_stack(values, y),
        )
        for i, (label, values) in enumerate(rows)
    ]
    stride = max(1, -(-(len(rows) - 1) // (N_LABELS - 1)))
    labels = [(round((i + 0.5) * slot, 3), rows[i][0]) for i in range(0, len(rows), stride)]
    return BarFigure(y, names, bars, labels)


def _stack(values: Sequence[float], y: Axis) -> list[Segment]:
    segments, below = [], 0.0
    for series, value in enumerate(values):
        top, bottom = y.flipped(below + value), y.flipped(below)
        segments.append(Segment(series, top, round(bottom - top, 3)))
        below += value
    return segments
