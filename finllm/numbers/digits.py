"""Numbers written in digits: "$1.2 billion", "(5.2)%", "rupees 1,541 crores", "'21"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from finllm.numbers.atom import TAIL, Atom, apply_tail
from finllm.numbers.counts import MEASURE
from finllm.numbers.currencies import RARE_CODES
from finllm.numbers.periods import parse_period
from finllm.numbers.units import CURRENCY_BEFORE, DOLLARS, MAGNITUDES, SYMBOLS
from finllm.numbers.words import parse_fraction

VULGAR = {
    "½": 1 / 2,
    "⅓": 1 / 3,
    "⅔": 2 / 3,
    "¼": 1 / 4,
    "¾": 3 / 4,
    "⅛": 1 / 8,
    "⅜": 3 / 8,
    "⅝": 5 / 8,
    "⅞": 7 / 8,
}
_HALF = (
    r"( and (?:a|one)[ -]half|[ -](?:and )?[1-7]/[2-8](?![\d/])| and (?:a|three)[ -]quarters?"
    rf"| ?[{''.join(VULGAR)}])?"
)
_SPACED_DECIMALS = (  # "$ 1 . 2 billion", as written by tokenisers and OCR
    r"(?<!\d{4}) \. \d+(?= ?(?:%|percent|per |million|billion|mln|bln|basis points))"
)
NUMBER = re.compile(
    rf"([{''.join(SYMBOLS)}0-9])(?:(?<=\d)|(?:[ ]?([-–(]))?[ ]?(?=\.?\d))"
    rf"(\d{{0,3}}(?:,\d{{3}})+(?!\d)|\d{{0,2}}(?:,\d\d)+,\d{{3}}(?!\d|,\d)"  # "1,54,100"
    rf"|\d{{0,3}}(?:['’]\d{{3}})+(?!\d)|\d*)(\.\d+|{_SPACED_DECIMALS})?(\))?{_HALF}{TAIL}"
)  # begins with a single character class, which the regex engine can skip ahead to
# "0" marks a byte at which `NUMBER` may begin; "?" stands for characters that Latin-1 lacks
_MARKS = bytes(
    48 if chr(byte) in SYMBOLS or chr(byte) in "0123456789?" else 32 for byte in range(256)
)
_PESOS = frozenset(("MXN", "CLP", "COP", "ARS", "DOP", "UYU", "PHP"))  # currencies also written "$"
_GROUPING = re.compile(r"[,'’]")
_MOST_DIGITS = 18  # anything longer is a code, not an amount
_BEFORE = re.compile(r"([a-z.]+)( ?)(?:[$]|(?<= )[-–])?$")
_SPACED_LETTER = re.compile(r" ([mbk])(?![a-z0-9&'’-])")  # "$920 m", but not the length "5 m"
_LETTERS = ("a", "us", "s", "c", "r", "j")
_WORDS_BEFORE = {*CURRENCY_BEFORE, *DOLLARS, "dollar", "dollars"}
_US_DOLLAR = re.compile(r"\b(?:us|u\.s\.) dollars?,? $")
_FRACTION_OF = re.compile(
    r"([1-7])/([2-8])(?:rd|rds|th|ths)? of (?:((?:1|one|a) ?(?:%|percent\b))|(?=[a-z]))"
)


def numbers_in(text: str) -> Iterator[re.Match[str]]:
    """Yield the matches of `NUMBER`; searching for marked bytes first is faster than `finditer`."""
    marks = text.encode("latin-1", "replace").translate(_MARKS)
    at = marks.find(b"0")
    while at >= 0:
        match = NUMBER.match(text, at)
        if match is not None:
            yield match
        at = marks.find(b"0", at + 1 if match is None else match.end())


def digit_atom(text: str, match: re.Match[str], reach: int) -> Atom | None:
    """Return the atom of a match of `NUMBER`, or None if the digits are part of a word or a code.

    `reach` is the end of the previous atom: the "rupees" of "5 rupees 3" belong to the 5.
    """
    head, sign, body, decimals, closing, half, *tail = match.groups()
    start, end = match.span()
    before = text[start - 1]
    symbol = head in SYMBOLS
    digits = body if symbol else head + body
    if not symbol:
        if text[start + 1] == "/" and (share := _FRACTION_OF.match(text, start)):
            return _share_atom(share) if before in " (\n" else None
        if before.isalnum() and not _touches_currency(text, start, tail[0]):
            return None
        if before == "." and text[start - 2] in " \n(-":
            digits, decimals, start = "0", "." + _GROUPING.sub("", digits), start - 1
            before = text[start - 1]
        elif before in ".:" and text[start - 2].isalnum():
            return None
        if text[end].isalpha() and not any(tail) and not MEASURE.match(text, end):
            period = parse_period(text, start)
            return None if period is None else Atom(start, period[1], 0.0, 1.0, "period", period[0])
        if before in "'’ " and len(digits) == 2 and not decimals and not any(tail):
            quote = start - 1 if before != " " else start - 2
            if text[quote] in "'’" and text[quote - 1] in " \n(-" and not text[start + 2].isalnum():
                return Atom(quote, start + 2, 2000.0 + int(digits), 1.0, "year")
    decimals = (decimals or "").replace(" ", "")
    if len(digits) > 3:
        digits = _GROUPING.sub("", digits)
    if len(digits) > _MOST_DIGITS:
        return None
    number = float((digits or "0") + decimals)
    atom = Atom(start, end, number, 10.0 ** (1 - len(decimals)) if decimals else 1.0)
    if half:
        _add_half(atom, half)
    apply_tail(text, atom, tail)
    if symbol:
        _apply_symbol(text, atom, head, sign, closing)
    _set_currency(text, atom, head, reach)
    _set_sign(text, atom, closing)
    if closing and not atom.negative:  # the parenthesis belongs to the sentence
        inner = Atom(atom.start, match.start(5), atom.number, atom.quantum)
        inner.kind, inner.unit = ("money", atom.unit) if atom.unit else ("", "")
        return inner
    return atom


def _share_atom(match: re.Match[str]) -> Atom:
    """Return "2/3 of our sales" or "1/2 of 1%" as a percentage."""
    share = int(match[1]) / int(match[2])
    if match[3]:
        return Atom(match.start(), match.end(), share, 0.01, "percent")
    return Atom(match.start(), match.end() - len(" of "), 100 * share, 1.0, "percent")


def _touches_currency(text: str, start: int, magnitude: str | None) -> bool:
    """Return whether the letters before a number are a currency: "eur45", "r3.2 billion"."""
    found = _BEFORE.search(text, max(0, start - 9), start)
    if found is None:
        return False
    return found[1] in CURRENCY_BEFORE or found[1] == "r" and magnitude is not None


def _apply_symbol(text: str, atom: Atom, head: str, sign: str | None, closing: str | None) -> None:
    """Set the currency of a symbol and the sign after it, as in "$(0.12)" or "$-5"."""
    named = atom.unit if head == "$" and atom.kind == "money" and atom.scale != 0.01 else ""
    atom.kind, atom.unit = "money", SYMBOLS[head]
    if named in _PESOS:
        atom.unit = named
    atom.negative = sign in ("-", "–") or sign == "(" and closing is not None
    if atom.scale == 0.01:
        atom.scale, atom.worded = 1.0, False  # "$2.39 cents"
    _take_letter(text, atom)
    thousands = text.startswith(" 000", atom.end) and not text[atom.end + 4].isdigit()
    if thousands and atom.scale == 1.0 and atom.quantum == 1.0 and atom.number < 1000:
        atom.scale, atom.end = 1000.0, atom.end + 4  # "$720 000"


def _take_letter(text: str, atom: Atom) -> None:
    """Apply the magnitude letter after an amount with a currency, as in "SEK 145 m"."""
    if atom.scale == 1.0 and (letter := _SPACED_LETTER.match(text, atom.end)):
        atom.scale, atom.end = MAGNITUDES[letter[1]], letter.end()


def _set_currency(text: str, atom: Atom, head: str, reach: int) -> None:
    """Set the currency written before a number, as in "SEK 410" or "US$30"."""
    if atom.kind and (atom.kind != "money" or atom.worded):
        return
    start = atom.start
    before = text[max(0, start - 9) : start].rstrip(" -–")
    word = before[before.rfind(" ") + 1 :]
    if word.isalpha() and word not in _WORDS_BEFORE:
        return
    found = _BEFORE.search(text, max(0, start - 9), start + 1 if head == "$" else start)
    if found is not None and found.start(1) >= reach:
        word, blank = found[1], found[2]
        if head == "$":
            code = DOLLARS.get(word)
            code = None if blank and (code in RARE_CODES or word in _LETTERS) else code
        elif word == "r" and not blank:
            code = "ZAR"
        else:
            code = CURRENCY_BEFORE.get(word)
        if code is not None:
            atom.negative = atom.negative or text[start - 1] in "-–"  # "EUR -12.4 million"
            atom.kind, atom.unit, atom.start = "money", code, found.start(1)
            _take_letter(text, atom)
    if not atom.kind and (dollar := _US_DOLLAR.search(text, max(0, start - 14), start)):
        if dollar.start() >= reach:
            atom.kind, atom.unit, atom.start = "money", "USD", dollar.start()


def _set_sign(text: str, atom: Atom, closing: str | None) -> None:
    """Set the sign of a number from a minus or parentheses: "-5%", "(5.2)%", "($0.12)"."""
    start = atom.start
    if text[start - 1] in "-–" and text[start - 2] in " \n($:=":
        atom.negative, atom.start = True, start - 1
        start -= 1
    if text[start - 1] != "(":
        return
    closes = text[atom.end] == ")" and atom.kind in ("money", "percent", "basis_points")
    if closes or closing and (atom.kind or atom.scale > 1 or atom.quantum < 1):
        atom.negative, atom.start = True, start - 1
        atom.end += not closing


def _add_half(atom: Atom, half: str) -> None:
    """Add a fraction such as "and a half" or "1/2" to a number."""
    if half[-1] in VULGAR:
        atom.number += VULGAR[half[-1]]
    elif "/" in half:
        top, bottom = half.lstrip(" -and").split("/")
        atom.number += int(top) / int(bottom)
    else:
        atom.number += parse_fraction(half.removeprefix(" and ")) or 0.0
    atom.quantum = 0.1
