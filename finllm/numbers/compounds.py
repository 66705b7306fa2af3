"""Amounts and periods stated in two parts: "$1 billion $275 million", "2021 third quarter"."""

from __future__ import annotations

import re

from finllm.numbers.atom import Atom
from finllm.numbers.counts import counted_unit, is_year

_PARTS = ("Q1", "Q2", "Q3", "Q4", "H1", "H2")
_TO_ONE = re.compile(r"(?: to |-to-| ?: ?)(?:1|one)\b(?![.,]\d| ?%)")


def join_compounds(text: str, atoms: list[Atom]) -> list[Atom]:
    """Return the atoms with the two parts of each compound merged into the second."""
    for first, second in zip(atoms, atoms[1:], strict=False):
        if second.start - first.end > 8:
            continue
        if second.kind == "period":
            _join_period(text, first, second)
        elif first.kind in ("money", "") and second.kind in ("money", "") and not first.drop:
            _join_amount(text, first, second)
    return [atom for atom in atoms if not atom.drop]


def join_ratios(text: str, atoms: list[Atom]) -> list[Atom]:
    """Return the atoms with "10 to 1" and "2.4:1" read as multiples."""
    reach = -1
    for atom in atoms:
        atom.drop = atom.start < reach
        if not atom.kind and atom.scale == 1.0 and text[atom.end] in " -:":
            one = _TO_ONE.match(text, atom.end)
            if one is not None and (atom.number > 1 or ":" in one[0]):
                atom.kind, atom.end = "multiple", one.end()
                reach = atom.end
    return [atom for atom in atoms if not atom.drop]


def _join_period(text: str, first: Atom, second: Atom) -> None:
    """Merge the year before a quarter into the quarter, as in "2021 third quarter"."""
    gap = text[first.end : second.start]
    if not first.kind and is_year(first, text) and gap in (" ", " fiscal "):
        year = text[first.start : first.end]
    elif first.unit.startswith("FY2") and gap in (" ", ", "):
        year = first.unit[2:]
    else:
        return
    if second.unit in _PARTS:
        second.unit = year + second.unit
    elif second.unit == "FY":
        second.unit += year
    else:
        return
    second.start, first.drop = first.start, True


def _join_amount(text: str, first: Atom, second: Atom) -> None:
    """Add the two parts of an amount, such as dollars and cents."""
    gap = text[first.end : second.start]
    if text[second.start] == "(":
        return  # "¥15 billion ($103 million)" is one amount in two currencies
    total = None
    large = second.scale > 1 or second.worded and second.value >= 1e3 and not second.kind
    if gap == " " and large and max(second.scale, second.value) < first.scale:
        total = first.value + second.value
    elif first.kind == "money" and first.scale == 1.0 and not first.number % 1:
        if second.kind == "money" and second.scale == 0.01 and second.number < 100:
            if gap in (" and ", " ", ", "):
                total = first.number + second.value
        elif gap in (" ", " and ") and first.worded and _may_be_cents(text, second):
            total, second.scale = first.number + second.number / 100, 0.01
    if total is not None:
        second.quantum *= second.scale
        second.number, second.scale, second.start = total, 1.0, first.start
        second.kind, second.unit = first.kind or second.kind, first.unit or second.unit
        second.negative, first.drop = first.negative or second.negative, True


def _may_be_cents(text: str, atom: Atom) -> bool:
    """Return whether a plain number after "a dollar" is the cents of that amount."""
    if atom.kind or atom.scale != 1.0 or atom.number % 1 or not 10 <= atom.number < 100:
        return False
    return not counted_unit(text, atom.end)
