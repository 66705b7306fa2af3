"""The result of one check, and the table of all results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

OK, MISSED, FAILED, NOT_RUN, MEASURED = "ok", "missed", "failed", "not run", "measured"
WRONG = (MISSED, FAILED)
NAME, NUMBER, WIDTH = 44, 11, 100  # widths in characters


@dataclass(frozen=True)
class Finding:
    """One row of the table."""

    name: str
    state: str
    found: float | None = None
    bound: float | None = None  # largest allowed value of ``found``
    note: str = ""


def bounded(name: str, found: float, bound: float, note: str = "") -> Finding:
    """Return a finding that is ``ok`` if ``found`` is at most ``bound``, else missed (also NaN)."""
    return Finding(name, OK if found <= bound else MISSED, found, bound, note)


def table(findings: Sequence[Finding], *, head: str) -> str:
    """Return the table of findings, at most 100 characters wide; the last line counts them."""
    names = f"{'check':{NAME}}{'found':>{NUMBER}}{'at most':>{NUMBER}}  state"
    lines = [head, names, *(_line(one) for one in findings)]
    counts = {state: sum(one.state == state for one in findings) for state in (OK, *WRONG, NOT_RUN)}
    return "\n".join([*lines, ", ".join(f"{n} {state}" for state, n in counts.items())])


def _line(one: Finding) -> str:
    numbers = f"{_number(one.found):>{NUMBER}}{_number(one.bound):>{NUMBER}}"
    line = f"{one.name:{NAME}}{numbers}  {one.state}" + (f": {one.note}" if one.note else "")
    return line if len(line) <= WIDTH else line[: WIDTH - 3] + "..."


def _number(value: float | None) -> str:
    """Return a number with three significant digits, or whole from 1,000 on; empty for None.

    >>> _number(0.0000123), _number(0.5), _number(1234.5), _number(None)
    ('1.23e-05', '0.5', '1,234', '')
    """
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
