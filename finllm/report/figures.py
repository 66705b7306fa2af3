"""Geometry of the figures in percent of their size, for templates that draw them as SVG.

With percentages a figure can fill the width of the screen while its text keeps its size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finllm.report.axis import Axis, axis

ROUNDING = 1e-12  # a smaller difference counts as zero
MAX_POINTS = 400  # of a curve; more are indistinguishable
MAX_COMPANIES = 20  # drawn with their names; of more companies only the two ends are drawn
N_BINS = 24  # approximate number of bins of a histogram


@dataclass(frozen=True)
class PosteriorFigure:
    """Outline of the posterior as ``x,y`` points in a square of 100 by 100."""

    x: Axis
    outline: str
    rows: Sequence[tuple[float, float]]  # difference, density


@dataclass(frozen=True)
class CompanyBar:
    """Mean paired difference of a company, with its bar from zero to the left or right."""

    company: str
    n_examples: int
    difference: float
    left: float
    width: float


@dataclass(frozen=True)
class CompanyFigure:
    """Bars of all companies, from the largest loss to the largest gain.

    With more than ``MAX_COMPANIES``, only both ends are drawn; ``n_between`` are not shown.
    """

    x: Axis
    bars: Sequence[CompanyBar]
    n_between: int
    n_up: int
    n_down: int
    n_same: int

    @property
    def first(self) -> Sequence[CompanyBar]:
        """Bars drawn above the gap; all bars if there is no gap."""
        return self.bars[: MAX_COMPANIES // 2] if self.n_between else self.bars

    @property
    def last(self) -> Sequence[CompanyBar]:
        """Bars drawn below the gap."""
        return self.bars[-MAX_COMPANIES // 2 :] if self.n_between else ()


@dataclass(frozen=True)
class HistogramBar:
    """Bar of the examples whose difference is at least ``low`` and below ``high``."""

    low: float
    high: float
    n: int
    left: float
    width: float
    top: float
    height: float


@dataclass(frozen=True)
class HistogramFigure:
    """Histogram of the gains and losses of examples; unchanged ones are only counted."""

    x: Axis
    y: Axis
    bars: Sequence[HistogramBar]
    n_up: int
    n_down: int
    n_same: int


@dataclass(frozen=True)
class Curve:
    """Line of a figure: its points in a square of 100 by 100, and its values (step, value)."""

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
    """Return the histogram (bin centre, density) as steps, with an axis that includes ``also``.

    None if there is no posterior.
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
    """Return one bar per company, from zero, in the order of their mean difference."""
    means = {company: math.fsum(d) / len(d) for company, d in differences.items()}
    ordered = sorted(means, key=lambda company: (means[company], company))
    x = axis([*means.values(), 0.0], 4)
    bars = []
    for company in ordered:
        left, right = sorted((x.percent(means[company]), x.percent(0.0)))
        bars.append(
            CompanyBar(
                company=company,
                n_examples=len(differences[company]),
                difference=means[company],
                left=left,
                width=round(right - left, 3),
            )
        )
    n_up, n_down = (sum(sign * m > ROUNDING for m in means.values()) for sign in (1, -1))
    n_between = len(bars) - MAX_COMPANIES if len(bars) > MAX_COMPANIES else 0
    return CompanyFigure(x, bars, n_between, n_up, n_down, len(means) - n_up - n_down)


def histogram_figure(differences: Sequence[float]) -> HistogramFigure | None:
    """Return a histogram of paired differences in bins of equal width, with an edge at zero.

    Exact ties are counted separately, since their bar would dwarf the others. None if nothing
    changed.
    """
    changed = [d for d in differences if abs(d) > ROUNDING]
    if not changed:
        return None
    width = axis([0.0, 2 * max(map(abs, changed)) / N_BINS], 1).high
    counts: dict[int, int] = {}
    for difference in changed:
        at = math.floor(difference / width + (ROUNDING if difference > 0 else -ROUNDING))
        counts[at] = counts.get(at, 0) + 1
    x = axis([min(counts) * width, (max(counts) + 1) * width, 0.0], 5, tight=True)
    y = axis([0.0, max(counts.values())], 3)
    bars = []
    for at in range(min(counts), max(counts) + 1):
        left, right = x.percent(at * width), x.percent((at + 1) * width)
        top = y.flipped(counts.get(at, 0))
        bars.append(
            HistogramBar(
                low=at * width,
                high=(at + 1) * width,
                n=counts.get(at, 0),
                left=left,
                width=round(right - left, 3),
                top=top,
                height=round(y.flipped(0.0) - top, 3),
            )
        )
    n_up = sum(d > 0 for d in changed)
    return HistogramFigure(x, y, bars, n_up, len(changed) - n_up, len(differences) - len(changed))


def curve_figure(curves: Mapping[str, Sequence[tuple[float, float]]]) -> CurveFigure | None:
    """Return lines over a common axis of steps; None if all curves are empty."""
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
    """Return at most about ``MAX_POINTS`` evenly spaced points of a curve, with first and last."""
    stride = -(-len(points) // MAX_POINTS)
    kept = list(points[::stride])
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def _points(corners: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in corners)
