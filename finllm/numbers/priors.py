"""Prior-year figures in parentheses: "net sales of SEK 1,234 m (1,180)" states no loss.

Press releases of the Nordic and German-speaking countries put last year's figure after this
year's and give the unit once. In a table cell the same parentheses mean a loss, so a figure counts
as last year's only after a verb, a magnitude or a currency code, or if two percentages are similar.
"""

from __future__ import annotations

import re

from finllm.numbers.atom import Atom
from finllm.numbers.counts import is_year

_ALONE = re.compile(r"(\()([-–])?\d[\d.,']*\)(?! ?(?:%|[$€£¥]|per ?cent|pct|million|billion|bn\b))")
_OWN_UNIT = re.compile(r"\((?:\d[\d.,']*) ?(?:%|per ?cent)\)")
_UNIT_BEHIND = re.compile(r"\(\d[\d.,']*\) ?[a-z%€$£]")
# before an amount, these words belong to a sentence and not to a table row
_SPEAKS = re.compile(
    r"\b(?:was|were|is|are|to|of|at|by|from|with|reached|reaching|totall?ed|averaged|remained"
    r"|posted|reported) $"
)
_LARGEST_RATIO = 20.0  # of one year's figure to the other's; beyond it, they are unrelated


def read_priors(text: str, atoms: list[Atom]) -> list[tuple[Atom, Atom]]:
    """Give prior-year figures in parentheses the unit and magnitude of this year's, and no sign.

    A sign inside the parentheses counts: "SEK 345 million (-12)". The returned pairs of this and
    last year's figures are those in which neither is negative, for ``share_losses``.
    """
    unsigned = []
    for first, second in zip(atoms, atoms[1:], strict=False):
        at = first.end + 1
        if second.start - at > 2 or text[first.end : at + 1] != " (":
            continue
        if not _may_compare(text, first, second):
            continue
        if second.kind in ("", first.kind) and (alone := _ALONE.match(text, at)):
            if _is_stated(text, first, second):
                _share(first, second)
                second.start, second.end = alone.end(1), alone.end() - 1
                second.negative = alone[2] is not None
                if not (first.negative or second.negative):
                    unsigned.append((first, second))
        elif second.kind and not first.kind and _UNIT_BEHIND.match(text, at):
            if first.scale == 1.0 and second.negative:  # "3,45 (3,12) EUR"
                _share(second, first)
                second.negative = False
        elif first.kind == second.kind == "percent" and _OWN_UNIT.match(text, at):
            if second.negative and _speaks(text, first):
                second.start, second.end = second.start + 1, second.end - 1
                second.negative = False
    return unsigned


def share_losses(pairs: list[tuple[Atom, Atom]]) -> None:
    """Make last year's figure a loss if this year's is a loss, as in "a loss of $12 m (15)"."""
    for first, second in pairs:
        second.negative = second.negative or first.negative


def _may_compare(text: str, first: Atom, second: Atom) -> bool:
    """Return whether two figures are comparable; the 3 of "12.4 (3)" may be a note's number."""
    if first.kind in ("period", "year") or second.kind in ("period", "year"):
        return False
    if is_year(first, text) or is_year(second, text) or text[first.end - 1] == ")":
        return False
    if text[second.start] == "-":
        return True
    if second.quantum == 1.0 > first.quantum and second.number < 20:
        return False
    larger, smaller = max(first.number, second.number), min(first.number, second.number)
    return larger <= _LARGEST_RATIO * smaller and (second.number >= 10 or first.number < 100)


def _is_stated(text: str, first: Atom, second: Atom) -> bool:
    """Return whether a figure shows that it is not a table cell: by a magnitude, code or verb."""
    if first.scale > 1:
        return True
    if first.kind in ("percent", "basis_points", "multiple") and _is_alike(first, second):
        return True
    if first.kind == "money" and (first.worded or text[first.start].isalpha()):
        return True
    return (bool(first.kind) or first.quantum < 1) and _speaks(text, first)


def _is_alike(first: Atom, second: Atom) -> bool:
    return max(first.number, second.number) <= 2 * min(first.number, second.number)


def _speaks(text: str, atom: Atom) -> bool:
    return _SPEAKS.search(text, max(0, atom.start - 12), atom.start) is not None


def _share(given: Atom, taker: Atom) -> None:
    taker.kind, taker.unit = given.kind, given.unit
    taker.scale, taker.worded = given.scale, given.worded
