"""The "per" of amounts: per share, per barrel, per square foot."""

from __future__ import annotations

import re
from bisect import bisect_left

from finllm.numbers.atom import Atom
from finllm.numbers.signs import trigger_positions, window_before

_KIND_OF_SHARE = r"(?:fully |basic |diluted |common |ordinary |class a |adjusted |average |and )*"
_PER = re.compile(
    r"(?:(?: (?:of|in|adjusted|diluted|net|gaap|non-gaap|core|operating|quarterly))*"
    r" (?:loss|earnings|dividend|income|ffo|profit|impact|increase)(?= per ))?"
    rf"(?:,? per |/| a | an | each | for each |-per-){_KIND_OF_SHARE}"
    r"(shares?|units?|barrels?|bbl|boe|metric ton|short ton|tons?|tonnes?|gallons?|gal|pounds?|lb"
    r"|ounces?|oz|kilograms?|kg|day|night|week|month|quarter|year|annum|hour|acre|mcfe?|mmbtu|mmcf"
    r"|kwh|mwh|megawatt[ -]hour|kilowatt[ -]hour|square foot|sq\.? ft|square meter|foot|mile"
    r"|bushel|(?:(?:available|occupied) )?room|person|customer|user|employee|patient|subscriber"
    r"|member|account|home|vehicle|case|transaction|store|ad[rs]|head|box|piece|panel|watt"
    r"|procedure|dekatherm|therm|visit|loan)\b(?! ago| earlier| before| later| over)"
)
_EPS_BEHIND = re.compile(r"(?: (?:of|in|adjusted|diluted|core|gaap|non-gaap|operating))* eps\b")
_COMPARED = re.compile(
    r"[^$€£;]{0,60}\b(?:compared|versus|vs\.?|from|against|and|to)\b[^$€£;]{0,40}|, |[-–]"
)
_SAME_UNIT = {
    "bbl": "barrel",
    "gal": "gallon",
    "lb": "pound",
    "oz": "ounce",
    "annum": "year",
    "sq ft": "square foot",
    "sq. ft": "square foot",
    "tonne": "ton",
    "kg": "kilogram",
}
_PER_DAY = re.compile(r" [a-z]+ per (day|week|month|quarter|year|hour)\b")  # "55,000 boe per day"
_PER_BEFORE = re.compile(
    rf"(?:\beps\b|\bper {_KIND_OF_SHARE}(share|unit)\b|\bper (?:available|occupied) (room)\b)"
    r"([^$€£;]*)$"
)
_TRIGGERS = tuple(map(re.compile, ("eps", " share", "per unit", " room")))
_BREAK = re.compile(
    r"\b(?:million|billion|revenues?|sales|ebitda|ebit|margin|income|cash flow|price"
    r"|totaling)\b|[!?]|\. [a-z]"
)


def mark_per(text: str, atoms: list[Atom]) -> None:
    """Set `per` of amounts and counts from the words after or before, as in "EPS of $1.24"."""
    triggers = trigger_positions(text, _TRIGGERS)
    last: Atom | None = None
    for atom in atoms:
        if atom.kind not in ("money", ""):
            continue
        match = _PER.match(text, atom.end)
        if match is None and not atom.kind:
            match = _PER_DAY.match(text, atom.end)
        if match is not None:
            word = match[1].removesuffix("s")
            atom.per = _SAME_UNIT.get(word, word.split(" ")[-1] if "room" in word else word)
        elif atom.kind == "money" and atom.scale <= 1 and atom.number < 1000:
            nth = bisect_left(triggers, atom.start)
            if nth and atom.start - triggers[nth - 1] < 100:
                found = _PER_BEFORE.search(window_before(text, atom.start, 120))
                if found is not None and _BREAK.search(found[3]) is None:
                    atom.per = found[1] or found[2] or "share"
            if not atom.per and _EPS_BEHIND.match(text, atom.end):
                atom.per = "share"
            if not atom.per and last is not None and _is_compared(text, last, atom):
                atom.per = last.per
        last = atom if atom.per else None


def _is_compared(text: str, last: Atom, atom: Atom) -> bool:
    """Return whether an amount is compared with a per-share one: "EPS of $0.85, up from $0.39"."""
    gap = text[last.end : atom.start]
    if last.per not in ("share", "unit") and " and " in gap:
        return False
    return _COMPARED.fullmatch(gap) is not None and _BREAK.search(gap) is None
