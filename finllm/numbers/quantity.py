"""The record of one stated quantity."""

from __future__ import annotations

from typing import NamedTuple

KINDS = ("money", "percent", "basis_points", "multiple", "count", "period", "year")


class Quantity(NamedTuple):
    """One quantity as a text states it; `text[start:end]` is the mention.

    A call has hundreds; a frozen dataclass takes five times as long to make as a named tuple.
    """

    kind: str  # one of KINDS
    value: float  # base units, signed; the midpoint of a range; a period's year, 0 without one
    unit: str  # currency, what is counted, or a period's canonical text
    per: str  # "share", "barrel"; empty where none
    start: int
    end: int
    low: float | None  # ends of a range, in base units; None where it is no range
    high: float | None
    quantum: float  # value of the last digit shown: 1e8 for "$1.2 billion"
