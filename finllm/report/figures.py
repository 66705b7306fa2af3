"""The geometry of the figures, in percent of their width; the templates draw them as SVG.

Percent, so that a figure is as wide as the screen while its text keeps its size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finllm.report.axis import Axis, axis

ROUNDING = 1e-12  # a mean difference below this is none
MAX_POINTS = 400  # of a curve; more cannot be seen


@dataclass(frozen=True)
class PosteriorFigure:
    """The posterior's outline as ``x,y`` points in a square of 100 by 100."""

    x: Axis
    outline: str
    rows: Sequence[tuple[float, float]]  # difference, density


@dataclass(frozen=True)
class CompanyBar:
    """A company's mean paired difference and its bar."""

    company: str
    n_examples: int
    difference: float
    left: float
    width: float
    top: float
    height: float


@dataclass(frozen=True)
class CompanyFigure:
    """All companies, from the largest loss to the largest gain."""

    y: Axis
    bars: Sequence[CompanyBar]
    n_up: int
    n_down: int
    n_same: int


@dataclass(frozen=True)
class Curve:
    """One line: its points in a square of 100 by 100, and its values (step, value)."""

    name: str
    points: str
    rows: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class CurveFigure:
    """Curves over the optimizer steps."""

    x: Axis
    y: Axis
    curves: Sequence[Curve]


def posterior_figure(
    histogram: Sequence[tuple[float, float]], *, also: Sequence[float]
) -> PosteriorFigure | None:
    """The histogram (bin centre, density) as steps; ``also`` are values that the axis must hold.

    None where there is no posterior.
    """
    if len(histogram) < 2:
        return None
    half = (histogram[1][0] - histogram[0][0]) / 2
    first, last = histogram[0][0] - half, histogram[-1][0] + half
    x = axis([first, last, *also], 5, tight=True)
    peak = max(density for _, density in histogram)
    corners = [(x.percent(first), 100.0)]
    for centre, density in histogram:
        y = round(100 - 96 * density / peak, 2)
        corners += [(x.percent(centre - half), y), (x.percent(centre + half), y)]
    corners.append((x.percent(last), 100.0))
    return PosteriorFigure(x, _points(corners), histogram)


def company_figure(differences: Mapping[str, Sequence[float]]) -> CompanyFigure:
    """Bars from zero, one a company, in the order of their mean difference."""
    means = {company: math.fsum(d) / len(d) for company, d in differences.items()}
    ordered = sorted(means, key=lambda company: (means[company], company))
    y = axis([*means.values(), 0.0], 3)
    slot = 100 / len(ordered)
    bars = []
    for i, company in enumerate(ordered):
        top, bottom = sorted((y.flipped(means[company]), y.flipped(0.0)))
        bars.append(
            CompanyBar(
                company=company,
                n_examples=len(differences[company]),
                difference=means[company],
                left=round((i + 0.15) * slot, 3),
                width=round(0.7 * slot, 3),
                top=top,
                height=round(bottom - top, 3),
            )
        )
    n_up, n_down = (sum(sign * m > ROUNDING for m in means.values()) for sign in (1, -1))
    return CompanyFigure(y, bars, n_up, n_down, len(means) - n_up - n_down)


def curve_figure(curves: Mapping[str, Sequence[tuple[float, float]]]) -> CurveFigure | None:
    """Lines over a common axis of steps; None where all are empty."""
    rows = {name: thin(points) for name, points in curves.items() if points}
    if not rows:
        return None
    x = axis([step for points in rows.values() for step, _ in points], 4, tight=True)
    y = axis([value for points in rows.values() for _, value in points], 3)
    return CurveFigure(
        x,
        y,
        [
            Curve(name, _points([(x.percent(s), y.flipped(v)) for s, v in points]), points)
            for name, points in rows.items()
        ],
    )


def thin(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most about ``MAX_POINTS`` of a curve's points, evenly spaced, with the first and last."""
    stride = -(-len(points) // MAX_POINTS)
    kept = list(points[::stride])
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def _points(corners: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in corners)
