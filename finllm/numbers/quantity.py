"""Record of one stated quantity."""

from __future__ import annotations

from typing import NamedTuple

KINDS = ("money", "percent", "basis_points", "multiple", "count", "period", "year")


class Quantity(NamedTuple):
    """One quantity as stated in a text, mentioned at `text[start:end]`.

    This is a named tuple because a call has hundreds of quantities and a frozen dataclass takes
    five times as long to create.
    """

    kind: str  # one of KINDS
    value: float  # base units, signed; the midpoint of a range; a period's year, 0 without one
    unit: str  # currency, the noun counted, or a period's canonical text
    per: str  # "share", "barrel"; empty if not per anything
    start: int
    end: int
    low: float | None  # ends of a range, in base units; None if not a range
    high: float | None
    quantum: float  # value of the last digit shown: 1e8 for "$1.2 billion"
