"""Numbers that belong together: ranges, and lists that give their unit once."""

from __future__ import annotations

import re

from finllm.numbers.atom import Atom
from finllm.numbers.counts import counted_unit, is_year

_LINK = 24  # largest number of characters between two numbers that belong together
_ABOUT = (
    r"(?:(?:uh|um),? )*(?:about |approximately |around |roughly |nearly |as much as |up to "
    r"|perhaps |a |an )?"
)
_TO = re.compile(
    rf"-?(?: up)? (?:to|through) {_ABOUT}"
    r"(positive |plus |negative |minus |a positive |a negative |loss of |up |\+)?|-to-| ?[-–—] ?"
)
_AND = re.compile(
    rf"-?,? (?:and|or|and/or) {_ABOUT}"
    r"(?:plus |minus |positive |negative |\+ ?|(?:net )?(?:loss|profit|gain|income|earnings) of )?"
)
_PER_SAID = re.compile(r"^(?:/| per | a | an )(?:diluted )?[a-z]+")
_DOWN = re.compile(r"\bdown (?:about |approximately |roughly |as much as )?$")
_BETWEEN = re.compile(r"\b(?:between|range|ranging)\b[^.;]{0,24}$")
_FROM = re.compile(
    r"\bfrom (?:about |approximately |roughly |around |a |an |negative |minus |nearly |just )*$"
)
_RANGED = re.compile(r"\b(?:rang\w+|anywhere|guidance|outlook|target\w*) (?:\w+ ){0,2}from \S* ?$")
_CHANGED = re.compile(
    r"\b(?:increased|decreased|declined|rose|fell|grew|dropped|improved|up|down|climbed|reduced"
    r"|lowered|raised|increase of|decrease of|improvement of|decline of|increasing|decreasing"
    r"|declining|growing|jumped|gained|lifted|hiked)"
    r"(?: by|(?: (?:its|the|our|their)(?: [a-z-]+){0,3}"
    r" (?:rates?|stake|holding|margin|ratio|yield|coupon) by))?"
    r"(?: (?:another|an additional|approximately|about|nearly|roughly|over|more than|almost|just))*"
    r" $"
)
_GROUPED = re.compile(r"\d[,']\d")
_SHARED = ("percent", "basis_points", "multiple")


def share_units(text: str, atoms: list[Atom]) -> None:
    """Give all numbers of a list or range the unit and magnitude that one of them has."""
    for nth in range(len(atoms) - 2, -1, -1):
        first, second = atoms[nth], atoms[nth + 1]
        if second.start - first.end <= _LINK:
            third = atoms[nth + 2] if nth + 2 < len(atoms) else None
            _share_back(text, first, second, third)
    for first, second in zip(atoms, atoms[1:], strict=False):
        if second.start - first.end <= _LINK:
            _share_forward(text, first, second)


def join_ranges(text: str, atoms: list[Atom]) -> list[Atom]:
    """Return the atoms with the two ends of each range merged into one."""
    joined: list[Atom] = []
    for atom in atoms:
        first = joined[-1] if joined else None
        if first is None or atom.start - first.end > _LINK:
            joined.append(atom)
            continue
        previous = joined[-2] if len(joined) > 1 else None
        if _is_range(text, first, atom, previous):
            _merge(first, atom)
        else:
            joined.append(atom)
    return joined


def _signed(atom: Atom) -> float:
    return -atom.value if atom.negative else atom.value


def _merge(first: Atom, second: Atom) -> None:
    """Turn the first end of a range into the whole range, with the midpoint as its value."""
    low, high = sorted((_signed(first), _signed(second)))
    first.low, first.high = low, high
    first.quantum = min(first.quantum * first.scale, second.quantum * second.scale)
    first.number, first.scale, first.negative = abs(low + high) / 2, 1.0, low + high < 0
    first.end, first.per = second.end, first.per or second.per


def _is_between(text: str, first: Atom) -> bool:
    return _BETWEEN.search(text, max(0, first.start - 40), first.start) is not None


def _share_back(text: str, first: Atom, second: Atom, third: Atom | None) -> None:
    """Copy the unit or magnitude of the second number to the first."""
    gap = text[first.end : second.start]
    ranged = _TO.fullmatch(gap) is not None
    if not ranged and _AND.fullmatch(gap) is None:
        if gap != ", " or not _is_listed(text, first, second, third):
            return
    if first.kind == "money":
        if first.scale == 1.0 < second.scale and second.kind in ("", "money"):
            rises = first.number <= second.number
            if (
                ranged
                and rises
                or first.number <= second.number * 1.5
                and (
                    _is_between(text, first)
                    or not second.kind
                    or ranged
                    and _FROM.search(text, max(0, first.start - 30), first.start)
                )
            ):
                first.scale = second.scale
            elif ranged and _may_be_thousandths(first, second):
                first.scale = second.scale / 1000
    elif not first.kind and not (is_year(first, text) and second.number < 1900):
        _share_with_plain(text, first, second, gap, ranged)


def _may_be_thousandths(first: Atom, second: Atom) -> bool:
    """Return whether "$40 to $0.050 billion" means forty million to fifty million."""
    return second.number < 1 <= first.number < 1000 * second.number


def _is_listed(text: str, first: Atom, second: Atom, third: Atom | None) -> bool:
    """Return whether the first number begins a list such as "10, 20 and 30%" or "4.5, 4.6x"."""
    if second.kind not in _SHARED:
        return False
    if first.quantum == second.quantum < 1:
        return first.number < second.number <= 1.5 * first.number
    bare = third is not None and "%" not in text[second.start : second.end]
    return bare and _AND.fullmatch(text, second.end, third.start) is not None


def _share_with_plain(text: str, first: Atom, second: Atom, gap: str, ranged: bool) -> None:
    """Copy the unit or magnitude of the second number to a first number without a unit."""
    if ranged and _says_hundred_once(text, first, second):
        first.number, first.quantum = first.number * 100, 100.0
    if second.kind in _SHARED or second.kind == "money" and second.worded:
        aside = " or " in gap and first.number >= second.number  # "1.9 or 11 cents"
        if not aside and (first.scale == 1.0 or second.scale > 1.0):
            first.scale = second.scale if first.scale == 1.0 else first.scale
            first.kind, first.unit, first.worded = second.kind, second.unit, second.worded
    elif second.kind == "money" and (ranged or _is_between(text, first)):
        if first.scale == second.scale or first.scale == 1.0 and first.number < second.number:
            if not counted_unit(text, first.end, 1):
                first.kind, first.unit, first.scale = "money", second.unit, second.scale
    elif not second.kind and first.scale == 1.0:
        if second.scale > 1:
            if first.number <= second.number and (ranged or _is_between(text, first)):
                first.scale = second.scale
        elif ranged and _says_thousand_once(text, first, second):
            first.scale = 1000.0


def _says_hundred_once(text: str, first: Atom, second: Atom) -> bool:
    """Return whether "two to three hundred" means two hundred to three hundred."""
    if first.number >= 10 or second.number < 100 or second.number % 100:
        return False
    return " hundred" in text[second.start : second.end] and first.number < second.number / 100


def _says_thousand_once(text: str, first: Atom, second: Atom) -> bool:
    """Return whether "30 to 40,000" means thirty thousand to forty thousand."""
    if first.number >= 1000 or not _GROUPED.search(text, second.start, second.end):
        return False
    rise = second.number / first.number if first.number else 0.0
    return second.number % 1000 == 0 and 1000 < rise <= 10_000


def _share_forward(text: str, first: Atom, second: Atom) -> None:
    """Copy the currency, unit or magnitude of the first number to the second end of a range."""
    if second.kind not in ("", "money") or first.kind not in ("money", *_SHARED):
        return
    gap = text[first.end : second.start]
    if _TO.fullmatch(gap) is None:
        if _AND.fullmatch(gap) is None or not _is_between(text, first):
            return
    if not second.kind and (first.kind == "money" or second.scale == 1.0):
        exact = second.scale > 1 or second.quantum < 1
        if exact or not counted_unit(text, second.end) and not is_year(second, text):
            second.kind, second.unit = first.kind, first.unit
    if second.kind == first.kind == "money" and second.scale == 1.0 < first.scale:
        if first.number <= second.number < 1000 * max(first.number, 1):
            second.scale = first.scale


def _is_range(text: str, first: Atom, second: Atom, previous: Atom | None) -> bool:
    """Return whether two adjacent atoms are the ends of one range."""
    if first.kind != second.kind or first.low is not None or first.kind in ("year", "period"):
        return False
    if first.kind == "money" and first.unit != second.unit:
        return False
    if not first.kind and (is_year(first, text) or is_year(second, text)):
        return False
    if "point" in text[first.start : first.end] and text[second.end - 1] == "%":
        return False  # "by 1 percentage point to 96%"
    gap = text[first.end : second.start]
    if not first.kind and (unit := counted_unit(text, first.end, 1)):
        if unit == counted_unit(text, second.end, 1):
            gap = gap.removeprefix(f" {unit}").removeprefix(f"-{unit}")  # "2 weeks to 3 weeks"
    if first.per:
        gap = _PER_SAID.sub("", gap, count=1)  # "$3 per share to $3.20 per share"
    to = _TO.fullmatch(gap)
    if to is None:
        rises = first.value < second.value or first.negative
        return rises and _AND.fullmatch(gap) is not None and _is_between(text, first)
    if to[1] == "up " and _DOWN.search(text, max(0, first.start - 40), first.start):
        first.negative = True  # "down 2% to up 3%"
    if to[1] is not None and to[1].strip(" a") in ("positive", "plus", "up", "+"):
        second.negative = False
    elif to[1] is None and first.negative and text[first.start] not in "-–($":
        second.negative = True  # "negative 2 to 3%"; in "-2% to 3%" each end has its own sign
    low, high = _signed(first), _signed(second)
    if low == high or low > high and not first.negative:
        return False
    return not _is_change(text, first, second, previous)


def _is_change(text: str, first: Atom, second: Atom, previous: Atom | None) -> bool:
    """Return whether "x to y" is a change: "from 5% to 7%" or "fell $5 million to $30 million"."""
    before = text[max(0, first.start - 60) : first.start]
    if _CHANGED.search(before) and second.value > 2 * first.value:
        return True
    if not _FROM.search(before) or _RANGED.search(before):
        return False
    if " to " not in text[first.end : second.start]:
        return False
    # "$10 to $12 from $8 to $9", "from $8 to $9 to a new range"
    again = previous is not None and previous.low is not None and first.start - previous.end < 12
    onward = text.startswith((" to a new range", " to $", " to between"), second.end)
    return not again and not onward
