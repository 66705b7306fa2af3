"""Numbers found in a text, before they become quantities, with their magnitude and unit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from finllm.numbers.currencies import NATIONAL_CENTS
from finllm.numbers.units import CURRENCY_BEHIND, MAGNITUDES, UNITS


class Atom:
    """A number with its magnitude and unit; `kind` is empty until a step determines it.

    Unlike the other records it is changed in place, since a call has hundreds of atoms and each
    passes through several steps.
    """

    __slots__ = (
        "start",
        "end",
        "number",
        "scale",
        "quantum",
        "kind",
        "unit",
        "per",
        "negative",
        "worded",
        "low",
        "high",
        "drop",
    )

    def __init__(
        self, start: int, end: int, number: float, quantum: float, kind: str = "", unit: str = ""
    ):
        self.start = start
        self.end = end
        self.number = number  # as stated, before magnitude and cents
        self.scale = 1.0
        self.quantum = quantum  # value of the last place stated, before `scale`
        self.kind = kind
        self.unit = unit
        self.per = ""
        self.negative = False
        self.worded = False  # number or currency in words
        self.low: float | None = None
        self.high: float | None = None
        self.drop = False

    @property
    def value(self) -> float:
        """Number in base units, without its sign."""
        return self.number * self.scale


def alternatives(words: Iterable[str]) -> str:
    """Return a pattern for any of the words, the longest first.

    The words are grouped by first letter, so that few are tried at each position of a text.

    >>> alternatives(["mn", "m", "bn"])
    'm(?:n|)|b(?:n)'
    """
    rests: dict[str, list[str]] = {}
    for word in sorted(words, key=len, reverse=True):
        rests.setdefault(word[0], []).append(re.escape(word[1:]))
    return "|".join(f"{re.escape(first)}(?:{'|'.join(rest)})" for first, rest in rests.items())


_LONG = alternatives(word for word in MAGNITUDES if len(word) > 2)
_UNITS = alternatives(unit for unit in UNITS if unit[0] not in "%¢€x" and len(unit) > 1).replace(
    r"\ ", "[ -]"
)
_CURRENCIES = {"pence": "GBP", "p": "GBP", "eurocents": "EUR", "€": "EUR"} | NATIONAL_CENTS
_SCREENS = "".join(rf"(?<!{lines})" for lines in (480, 576, 720, 1080, 1440, 2160, 4320))
_PENCE = (  # "12.4p" and "45p", but 1P and 3P are sellers or reserves, and 1080p is a screen
    rf"(?:p(?= (?:per|a) )|(?:(?<=\.\d)|(?<=\.\d\d)|(?<=\d\d){_SCREENS})p(?!\.m|/e))"
)
_POINTS = r"(?:p\.p\.?|(?:(?<=\.\d)|(?<=\.\d\d))pp)"  # but 45pp are pages
_FILLER = r"(?:,? (?:uh|um),?)*"
TAIL = (
    rf"(?:\+|-plus)?(?:{_FILLER}[ -]?({_LONG})\b(?! (?:thousand|million|billion)\b)"
    r"|((?: (?=bn|mn|mm))?(?:k|m|mm|b|bn|mn|t|tn)"
    r"(?![a-z0-9&'’]|-(?![$€£\d]))))?"
    r"(?:(?: ?-? ?)(% points?|%|¢|€(?! ?\d))"
    rf"| ?(x)(?![a-z0-9]| \d)|[ -]({_UNITS})(?![a-z0-9'])"
    rf"|(bps?|pct|cents|percent|{_POINTS}|{_PENCE})(?![a-z0-9])"
    rf"|{_FILLER}[ -](?:of )?({alternatives(CURRENCY_BEHIND)})(?![a-z0-9]| general| tree))?"
)  # groups: magnitude, its letter, sign, x, unit, unit without a blank, currency
_TAIL = re.compile(TAIL)
_POINT_GOES_ON = re.compile(
    r" (?:improvement|increase|decrease|decline|benefit|reduction|impact|drag|headwind|tailwind"
    r"|expansion|rise|contraction|change|gain|drop|swing|difference|spread|higher|lower|growth"
    r"|negative|positive|sequential|year|margin|favorable|unfavorable|hit|uptick|better|worse"
    r"|above|below|versus|compared|from|basis)"
)
_POINT_BEFORE = re.compile(
    r"\b(?:by|up|down|approximately|about|nearly|almost|another|over|gained|add|added|adding|improved"
    r"|increased|full|additional|lost|to|decreased|declined|roughly|than|least|rose|fell|grew) $"
)


def match_tail(text: str, position: int) -> re.Match[str]:
    """Return the match of the magnitude and unit at an offset, which may be empty."""
    match = _TAIL.match(text, position)
    assert match is not None  # every part of the pattern is optional
    return match


def apply_tail(text: str, atom: Atom, groups: Sequence[str | None]) -> None:
    """Set magnitude, kind and unit of an atom from the groups of `TAIL`."""
    long, letter, sign, times, unit, glued, currency = groups
    if long or letter:
        atom.scale *= MAGNITUDES[long or (letter or "").lstrip()]
    name = sign or times or unit or glued
    if name:
        atom.kind, factor = UNITS[name if name in UNITS else name.replace("-", " ")]
        atom.scale *= factor
        if atom.kind == "money":
            atom.unit = _CURRENCIES.get(name.replace("-", " "), "USD")
            atom.worded = True
    elif currency:
        atom.kind, atom.unit, atom.worded = "money", CURRENCY_BEHIND[currency], True
    elif long and "crore" in long:
        atom.kind, atom.unit, atom.worded = "money", "INR", True
    if unit in ("point", "points") and not _is_change(text, atom, unit):
        atom.kind, atom.end = "", atom.end - len(unit) - 1


def _is_change(text: str, atom: Atom, unit: str) -> bool:
    """Return whether "points" are percentage points rather than arguments."""
    if atom.number % 1 or not atom.worded or unit == "point" and atom.number < 1:
        return True
    if text[atom.end - len(unit) - 1] == "-" or _POINT_GOES_ON.match(text, atom.end):
        return True
    return _POINT_BEFORE.search(text, max(0, atom.start - 15), atom.start) is not None
