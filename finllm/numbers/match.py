"""Matching of stated quantities, allowing for rounding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from finllm.numbers.quantity import Quantity

RELATIVE_LIMIT = 0.10
_IN_WORDS = {"MW": "megawatt", "GW": "gigawatt", "TW": "terawatt"}


@dataclass(frozen=True)
class QuantityMatch:
    """A one-to-one matching of two lists of quantities, by index."""

    pairs: list[tuple[int, int]]  # (candidate, reference), in order of candidate
    unmatched_candidate: list[int]
    unmatched_reference: list[int]


def quantities_agree(a: Quantity, b: Quantity) -> bool:
    """Return whether two quantities state the same value.

    Kind and sign must be equal, and so must `unit` and `per` if both quantities have them. Values
    may differ by half of the coarser last digit shown, and by 10 % at most: 1.2 billion agrees with
    1.2314 billion, but 2 billion does not agree with 2.4 billion. A range agrees only with a range,
    end by end, never with a single amount; ``is_stated`` compares the one with the other.
    A period without a year agrees with the same period of any year, and a year with the full
    fiscal year of the same number.
    """
    if a.kind != b.kind:
        return _is_same_year(a, b)
    if a.kind == "period":
        return _periods_agree(a.unit, b.unit)
    if a.kind == "year":
        return a.value == b.value
    if a.per and b.per and a.per != b.per:
        return False
    if a.kind == "count":
        if a.unit and b.unit and _singular(a.unit) != _singular(b.unit):
            return False
    elif a.unit != b.unit and (a.unit and b.unit or a.kind != "money"):
        return False
    if (a.low is None) != (b.low is None):
        return False
    quantum = max(a.quantum, b.quantum)
    if a.low is not None and b.low is not None:
        return _close(a.low, b.low, quantum) and _close(a.high or 0.0, b.high or 0.0, quantum)
    return _close(a.value, b.value, quantum)


def ends(quantity: Quantity) -> tuple[Quantity, ...]:
    """Return the two ends of a range as separate amounts, or any other quantity as it is."""
    if quantity.low is None or quantity.high is None:
        return (quantity,)
    return tuple(
        quantity._replace(value=value, low=None, high=None)
        for value in (quantity.low, quantity.high)
    )


def is_stated(quantity: Quantity, known: Iterable[Quantity]) -> bool:
    """Return whether the known quantities state this one, allowing for rounding.

    An amount is stated if it agrees with a known amount or with an end of a known range; a value
    between the ends of a range does not count. A range is stated if both of its ends are.
    """
    stated = [end for other in known for end in ends(other)]
    return all(any(quantities_agree(end, other) for other in stated) for end in ends(quantity))


def share_an_end(a: Quantity, b: Quantity) -> bool:
    """Return whether two quantities agree, or one is an end of the range that the other is."""
    if quantities_agree(a, b):
        return True
    return (a.low is None) != (b.low is None) and any(
        quantities_agree(one, other) for one in ends(a) for other in ends(b)
    )


def match_quantities(candidate: Sequence[Quantity], reference: Sequence[Quantity]) -> QuantityMatch:
    """Return a one-to-one matching with as many pairs as possible, preferring the closest values.

    The two quantities of a pair agree, or one is an end of the range that the other is.
    """
    options = []
    for quantity in candidate:
        fits = [j for j, other in enumerate(reference) if share_an_end(quantity, other)]
        options.append(sorted(fits, key=lambda j: (abs(reference[j].value - quantity.value), j)))
    taken: dict[int, int] = {}
    for i in range(len(options)):
        _assign(i, options, taken, set())
    pairs = sorted((i, j) for j, i in taken.items())
    matched = {i for i, _ in pairs}
    return QuantityMatch(
        pairs,
        [i for i in range(len(candidate)) if i not in matched],
        [j for j in range(len(reference)) if j not in taken],
    )


def _assign(i: int, options: list[list[int]], taken: dict[int, int], seen: set[int]) -> bool:
    """Find a partner for candidate i, moving others to another choice if needed (Kuhn 1955)."""
    for j in options[i]:
        if j not in seen:
            seen.add(j)
            if j not in taken or _assign(taken[j], options, taken, seen):
                taken[j] = i
                return True
    return False


def _close(a: float, b: float, quantum: float) -> bool:
    """Return whether two values agree within rounding to the coarser of their last digits."""
    if a * b < 0:
        return False
    gap, size = abs(a - b), max(abs(a), abs(b))
    return gap <= size * 1e-9 or gap <= min(quantum / 2 * (1 + 1e-9), RELATIVE_LIMIT * size)


def _periods_agree(a: str, b: str) -> bool:
    """Return whether two canonical periods agree; either may lack its year."""
    if a == b:
        return True
    (year_a, part_a), (year_b, part_b) = _split_period(a), _split_period(b)
    return part_a == part_b and (not year_a or not year_b)


def _split_period(period: str) -> tuple[str, str]:
    """Split "2021Q3" into ("2021", "Q3") and "FY2022" into ("2022", "FY")."""
    if period.startswith("FY"):
        return period[2:], "FY"
    return (period[:4], period[4:]) if period[:4].isdigit() else ("", period)


def _is_same_year(a: Quantity, b: Quantity) -> bool:
    """Return whether one is a year and the other the full fiscal year of the same number."""
    if {a.kind, b.kind} != {"year", "period"}:
        return False
    year, period = (a, b) if a.kind == "year" else (b, a)
    return period.unit == f"FY{year.value:.0f}"


def _singular(unit: str) -> str:
    return _IN_WORDS.get(unit) or unit.rstrip("s")
