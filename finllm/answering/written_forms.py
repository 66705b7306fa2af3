"""Possible written forms of a quantity: as in the text, rounded, and in words.

A form is only a suggestion: ``finllm.answering.grounding`` judges whether it states the quantity in
its place, so an unnecessary form only costs time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from finllm.numbers import Quantity, ends
from finllm.numbers.units import SYMBOLS

_MAGNITUDES = (
    (1e9, (" billion", "b", "bn")),
    (1e6, (" million", "m", " mln")),
    (1e3, (" thousand", "k")),
    (1.0, ("",)),
    (1e12, (" trillion",)),
)
_MAGNITUDE = dict(_MAGNITUDES)
_MOST_DECIMALS = 4
_SUFFIXES = {
    "percent": ("%", " percent", " %", " percentage points"),
    "basis_points": (" basis points", " bps", "bps"),
    "multiple": ("x", " times", " turns"),
}
_CURRENCY_WORDS = {
    "USD": (" dollars",),
    "EUR": (" euros",),
    "GBP": (" pounds sterling",),
    "JPY": (" yen",),
}
_SMALL_COINS = {"USD": (" cents", " cent"), "EUR": (" cents",), "GBP": ("p", " pence")}
_NTH = {"1": "first", "2": "second", "3": "third", "4": "fourth"}
_FISCAL = ("fy", "fy ", "fiscal ", "fiscal year ", "full year ")
_JOINTS = (" to ", "-", " - ", " and ", "–", " – ")
_NUMERALS = 20  # items of a list


def written_forms(quantity: Quantity, mention: str) -> list[str]:
    """Return the forms of a quantity in lower case, likeliest first; ``mention`` is its text.

    >>> quantity = Quantity("money", 1.234e9, "USD", "", 0, 14, None, None, 1e6)
    >>> forms = written_forms(quantity, "$1,234 million")
    >>> [form in forms for form in ("$1,234 million", "$1.2 billion", "$1.23b", "$1.3 billion")]
    [True, True, True, False]
    """
    found = [mention.lower().replace("\n", " ")]
    if quantity.kind in ("period", "year"):
        found += _of_time(quantity)
    else:
        if quantity.low is not None and quantity.high is not None:
            found += _of_range(quantity)
        for end in ends(quantity):
            found += _of_amount(end)
    return [form for form in dict.fromkeys(found) if form.strip()]


def list_numerals() -> list[str]:
    """Return the numerals of list items, each followed by the word "item"."""
    return [f"{n}{mark} item" for n in range(1, _NUMERALS + 1) for mark in (".", ")")]


def _of_amount(quantity: Quantity) -> Iterator[str]:
    """Yield the forms of a single amount, without its sign and with it."""
    for form in _unsigned(quantity):
        yield form
        if quantity.value < 0:
            yield f"-{form}"
            yield f"({form})"
            yield f"negative {form}"
            yield f"minus {form}"
            head, tail = form[:1], form[1:]
            if head in SYMBOLS:
                yield f"{head}-{tail}"
                yield f"{head}({tail})"
            elif form.endswith("%"):
                yield f"({form[:-1]})%"


def _unsigned(quantity: Quantity) -> Iterator[str]:
    value = abs(quantity.value)
    if quantity.kind == "money" and quantity.unit in _SMALL_COINS and value < 10:
        coins = [
            d
            for d, scale in _digits(value * 100, quantity.quantum * 100, is_money=False)
            if scale == 1.0
        ]
        yield from (f"{d}{word}" for d in coins for word in _SMALL_COINS[quantity.unit])
    for digits, scale in _digits(value, quantity.quantum, is_money=quantity.kind == "money"):
        for magnitude in _MAGNITUDE[scale]:
            yield from _with_unit(digits + magnitude, quantity)


def _with_unit(number: str, quantity: Quantity) -> Iterator[str]:
    """Yield a number and its magnitude with the signs or words of its kind before or after it."""
    if quantity.kind in _SUFFIXES:
        yield from (number + suffix for suffix in _SUFFIXES[quantity.kind])
    elif quantity.kind == "money":
        for symbol in _symbols(quantity.unit):
            yield symbol + number
        yield number
        for word in _CURRENCY_WORDS.get(quantity.unit, (f" {quantity.unit.lower()}",)):
            yield number + word
    else:
        yield number
        if quantity.unit:
            yield f"{number} {quantity.unit}"


def _symbols(unit: str) -> list[str]:
    return [symbol for symbol, code in SYMBOLS.items() if code == unit]


def _digits(value: float, quantum: float, *, is_money: bool) -> Iterator[tuple[str, float]]:
    """Yield the digits of a value and their scale: first as exact as stated, then rounded."""
    for scale, _ in _MAGNITUDES:
        size, last = value / scale, quantum / scale
        if scale > 1 and not 0.1 <= size < 10_000:
            continue
        exact = min(_MOST_DECIMALS, max(0, round(-math.log10(last)))) if last > 0 else 0
        cents = [2] if is_money and scale == 1 else []
        for decimals in dict.fromkeys([*range(exact, -1, -1), *cents] if size < 1000 else [exact]):
            said = f"{size:.{decimals}f}"
            if abs(float(said) - size) > 0.1 * size:
                break
            yield said, scale
            if size >= 1000:
                yield f"{size:,.{decimals}f}", scale
            if said.startswith("0."):
                yield said[1:], scale


def _of_range(quantity: Quantity) -> Iterator[str]:
    """Yield the forms of both ends of a range, with the unit once and twice."""
    symbols = _symbols(quantity.unit) if quantity.kind == "money" else []
    pairs: dict[tuple[float, int, bool], list[str]] = {}
    for end in (quantity.low, quantity.high):
        for digits, scale in _digits(abs(end or 0.0), quantity.quantum, is_money=bool(symbols)):
            decimals = len(digits.partition(".")[2])
            pairs.setdefault((scale, decimals, "," in digits), []).append(digits)
    for (scale, _, _), found in pairs.items():
        if len(found) < 2:
            continue
        low, high = found[0], found[-1]
        magnitude = _MAGNITUDE[scale][0]
        for joint in _JOINTS:
            for symbol in symbols:
                yield f"{symbol}{low}{joint}{symbol}{high}{magnitude}"
                yield f"{symbol}{low}{magnitude}{joint}{symbol}{high}{magnitude}"
                yield f"{symbol}{low}{joint}{high}{magnitude}"
            for suffix in _SUFFIXES.get(quantity.kind, ("",)):
                yield f"{low}{joint}{high}{magnitude}{suffix}"
                yield f"{low}{suffix}{joint}{high}{magnitude}{suffix}"


def _of_time(quantity: Quantity) -> Iterator[str]:
    """Yield the forms of a year or a period, from its canonical text ("2021Q3", "FY2022")."""
    if quantity.kind == "year":
        yield f"{quantity.value:.0f}"
        return
    unit = quantity.unit.lower()
    if unit.startswith("fy"):
        yield from (f"{word}{unit[2:]}".strip() for word in ("", *_FISCAL))
        yield f"fy{unit[4:]}"
        return
    year, part = (unit[:4], unit[4:]) if unit[:4].isdigit() else ("", unit)
    nth = _NTH.get(part[1:])
    if part[:1] not in ("q", "h") or nth is None:
        return
    word = "quarter" if part[0] == "q" else "half"
    for name in (part, f"{nth} {word}", f"{nth} fiscal {word}", f"{part[1:]}{part[0]}"):
        yield name
        if year:
            joints = (" ", " of ", " fiscal ", " of fiscal ")
            yield from (f"{name}{joint}{year}" for joint in joints)
            yield from (f"{name}{joint}{year[2:]}" for joint in (" ", "'", " '", ""))
