"""Axes of figures: round ticks and positions of values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from finllm.report.wording import MINUS


@dataclass(frozen=True)
class Axis:
    """Axis from ``low`` to ``high`` with round ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]
    labels: tuple[str, ...]

    def percent(self, value: float) -> float:
        """Return the position of a value, from 0 at ``low`` to 100 at ``high``, clipped to both."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, share)), 3)

    def flipped(self, value: float) -> float:
        """Return the position of a value from the top down, as in SVG: 100 - ``percent``."""
        return round(100 - self.percent(value), 3)


def axis(values: Iterable[float], n_ticks: int, *, tight: bool = False) -> Axis:
    """Return an axis with about ``n_ticks`` ticks at multiples of 1, 2 or 5 times a power of ten.

    It spans all values and ends at ticks, or, if ``tight``, at the smallest and largest value.

    >>> axis([-0.013, 0.088], 5).labels
    ('−0.02', '0.00', '0.02', '0.04', '0.06', '0.08', '0.10')
    """
    low, high = _spread(list(values))
    raw = (high - low) / n_ticks
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * min((1, 2, 5, 10), key=lambda multiple: abs(multiple - raw / power))
    outwards = (math.ceil, math.floor) if tight else (math.floor, math.ceil)
    slack = -1e-9 if tight else 1e-9
    first, last = outwards[0](low / step + slack), outwards[1](high / step - slack)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    ticks = tuple(round(i * step, decimals) + 0.0 for i in range(first, last + 1))
    labels = tuple(f"{tick:.{decimals}f}".replace("-", MINUS) for tick in ticks)
    ends = (low, high) if tight else (ticks[0], ticks[-1])
    return Axis(*ends, ticks, labels)


def _spread(values: list[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    if high - low > 1e-9 * max(1.0, abs(low), abs(high)):
        return low, high
    margin = abs(low) / 2 or 0.5  # add room around a single value
    return low - margin, high + margin
