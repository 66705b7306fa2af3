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
MAX_COMPANIES = 20  # that are drawn with their names; of more, the two ends
N_BINS = 24  # of a histogram, about


@dataclass(frozen=True)
class PosteriorFigure:
    """The posterior's outline as ``x,y`` points in a square of 100 by 100."""

    x: Axis
    outline: str
    rows: Sequence[tuple[float, float]]  # difference, density


@dataclass(frozen=True)
class CompanyBar:
    """A company's mean paired difference and its bar, from zero to the left or to the right."""

    company: str
    n_examples: int
    difference: float
    left: float
    width: float


@dataclass(frozen=True)
class CompanyFigure:
    """All companies, from the largest loss to the largest gain.

    Of more than ``MAX_COMPANIES`` only the ends are drawn, ``n_between`` are left out.
    """

    x: Axis
    bars: Sequence[CompanyBar]
    n_between: int
    n_up: int
    n_down: int
    n_same: int

    @property
    def first(self) -> Sequence[CompanyBar]:
        """The bars that are drawn above the gap; all of them where there is none."""
        return self.bars[: MAX_COMPANIES // 2] if self.n_between else self.bars

    @property
    def last(self) -> Sequence[CompanyBar]:
        """The bars that are drawn below the gap."""
        return self.bars[-MAX_COMPANIES // 2 :] if self.n_between else ()


@dataclass(frozen=True)
class HistogramBar:
    """The examples whose difference is at least ``low`` and below ``high``."""

    low: float
    high: float
    n: int
    left: float
    width: float
    top: float
    height: float


@dataclass(frozen=True)
class HistogramFigure:
    """How many examples gained and lost how much; unchanged ones are a count and no bar."""

    x: Axis
    y: Axis
    bars: Sequence[HistogramBar]
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
    """Bars from zero, one a company, in the order of their mean difference."""
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
    """The paired differences of examples in bins of equal width, of which zero is an edge.

    Exact ties are left out of the bars, since they would tower over them, and counted. None if
    nothing changed.
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
    """Lines over a common axis of steps; None if all are empty."""
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
