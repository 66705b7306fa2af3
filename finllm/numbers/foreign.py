"""Conversion of other countries' number formats to the English format.

"1.200.000 €" becomes "1,200,000 €", "1,2 Mrd." becomes "1.2 billion", and "FY 23/24" becomes
"FY2024". If a number is ambiguous ("1.234"), the document's other numbers decide, or else its
language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from finllm.numbers.counts import counted_unit
from finllm.numbers.notations import Edit, amount_edits, cent_edits, period_edits
from finllm.numbers.unit_first import unit_edits
from finllm.numbers.units import CODES
from finllm.numbers.vocabulary import Language, apart, language_of, magnitudes_behind

_CURRENCY_BEFORE = re.compile(
    rf"(?:[$\u20ac\u00a3\u00a5]|\b(?:{'|'.join(CODES)})) ?-?$", re.IGNORECASE
)
_UNIT_BEHIND = re.compile(
    r" ?(?:[%\u20ac\u00a3$]|EUR\b|USD\b|CHF\b|Mrd|Mio|Mds?\b|Md\u20ac|M\u20ac|mill|mil[hn ]|bilh"
    r"|trilh|Prozent|por ciento|por cento|pour cent|euros?\b|reais|bn\b|m\b|thousand|million"
    r"|billion"
    rf"|[TKM](?:{'|'.join(CODES)}|kr)\b)",
    re.I,
)
_FIRST = r"[0-9](?<![\w.,][0-9])"  # begins with one character class, for `finditer` to skip to
_COMMA_LIKE = re.compile(
    rf"{_FIRST}(?:[0-9]{{0,2}}(?:(?:\.[0-9]{{3}})+,[0-9]|(?:\.[0-9]{{3}}){{2,}}(?![0-9]))"
    r"|[0-9]*,[0-9][0-9]?(?![0-9,]))"
)
_POINT_LIKE = re.compile(
    rf"{_FIRST}(?:[0-9]{{0,2}}(?:(?:,[0-9]{{3}})+\.[0-9]|(?:,[0-9]{{3}}){{2,}}(?![0-9]))"
    r"|[0-9]*\.[0-9][0-9]?(?![0-9.]))"
)
_SURE = re.compile(r"[0-9]{1,3}(?:(?:\.[0-9]{3})+,[0-9]|(?:\.[0-9]{3}){2,})")
_COMMA_NUMBER = re.compile(
    rf"({_FIRST}(?:[0-9]{{0,2}}(?:\.[0-9]{{3}})+|[0-9]*))(,[0-9]+)?(?![0-9]|[.,][0-9])"
)
_COMMA_GROUP = re.compile(rf"{_FIRST}(?<!0)[0-9]{{0,2}},[0-9]{{3}}(?![0-9]|[.,][0-9])")
_POINT_GROUP = re.compile(rf"{_FIRST}[0-9]{{0,2}}\.[0-9]{{3}}(?![0-9]|[.,][0-9])")
_SPACED = re.compile(
    rf"{_FIRST}[0-9]{{0,2}}(?: [0-9]{{3}})+(,[0-9]{{1,2}})?(?![0-9]|[.,][0-9]| [0-9])"
)


def notation_edits(text: str, language: str) -> list[Edit]:
    """Return the edits that put numbers in other formats into the English format."""
    odd = {match.lastgroup for match in _odd().finditer(text)}
    found = [*amount_edits(text), *unit_edits(text)]
    if "digits" in odd or language not in ("", "en"):
        found += _digit_edits(text, language)
    if "cents" in odd:
        found += cent_edits(text)
    if "period" in odd:
        found += period_edits(text)
    if "magnitude" in odd:
        pattern, table = magnitudes_behind()
        found += [(m.start(1), m.end(1), table[m[1].lower()]) for m in pattern.finditer(text)]
    return apart(found)


@cache
def _odd() -> re.Pattern[str]:
    """Return a pattern that tells which kinds of edits a text needs; most calls need none."""
    begins = "|".join(sorted({re.escape(word[:2]) for word in magnitudes_behind()[1]}))
    return re.compile(
        r"[0-9](?=(?P<digits>,[0-9][0-9]?(?![0-9,])|\.[0-9]{3}[,.][0-9]| [0-9]{3}(?![0-9]))"
        r"|(?P<period> ?[/\u2013-] ?['\u2019]?(?:20)?[0-9][0-9](?!\d)|[Mm][ 'F0-9])"
        r"|(?P<cents>c(?![\w'-]))"
        rf"|(?P<magnitude>\)? (?!(?:m|b|tr)illions?\b)(?i:{begins})))"
    )


def has_comma_decimals(text: str, language: str) -> bool:
    """Return whether a document writes "1,5" for one and a half.

    Its unambiguous numbers decide, or else its language.

    >>> has_comma_decimals("1.200.000 €, of it 1.234", "")
    True
    """
    return _has_comma_decimals(list(_COMMA_LIKE.finditer(text)), text, language)


def _has_comma_decimals(like: list[re.Match[str]], text: str, language: str) -> bool:
    known = None if language in ("", "en") else language_of(language)
    by_language = known is not None and known.decimal == ","
    commas = like if by_language else [match for match in like if _is_sure(match)]
    if not commas and not by_language:
        return False
    points = sum(1 for _ in _POINT_LIKE.finditer(text))
    if known is not None and not commas and not points and known.decimal_elsewhere == ".":
        return not _is_from_elsewhere(text, known)
    return len(commas) > points or by_language and len(commas) == points


def _is_from_elsewhere(text: str, known: Language) -> bool:
    """Return whether an ambiguous document comes from a country with the other decimal mark.

    It does if it names that country's currency, or if it has several numbers with a comma before
    three digits, as thousands have, and none with a point before three digits.
    """
    if known.elsewhere is not None and known.elsewhere.search(text):
        return True
    return len(_COMMA_GROUP.findall(text)) > 1 and _POINT_GROUP.search(text) is None


def _is_sure(match: re.Match[str]) -> bool:
    """Return whether a number must have a decimal comma, by its groups or the unit next to it."""
    text, start, end = match.string, match.start(), match.end()
    if _SURE.match(match[0]) or _UNIT_BEHIND.match(text, end):
        return True
    return _CURRENCY_BEFORE.search(text[max(0, start - 6) : start]) is not None


def _digit_edits(text: str, language: str) -> Iterator[Edit]:
    like = list(_COMMA_LIKE.finditer(text))
    if _has_comma_decimals(like, text, language):
        for match in _COMMA_NUMBER.finditer(text):
            if "." in match[1] or match[2]:
                yield (
                    *match.span(),
                    match[1].replace(".", ",") + (match[2] or "").replace(",", "."),
                )
    else:
        for match in like:
            whole = _COMMA_NUMBER.match(text, match.start())
            if whole is not None and _is_sure(match):
                new = whole[1].replace(".", ",") + (whole[2] or "").replace(",", ".")
                yield (*whole.span(), new)
    for match in _SPACED.finditer(text):
        if _is_grouped(match, language):
            number = match[0].split(",")[0].replace(" ", ",")
            yield (*match.span(), number + (match[1] or "").replace(",", "."))


def _is_grouped(match: re.Match[str], language: str) -> bool:
    """Return whether "816 000" is one number.

    It is if it ends in 000, has three groups or a unit next to it, or if the text is not English;
    but not after another group of digits, nor as a telephone number.
    """
    text, start = match.string, match.start()
    if text[start - 2 : start - 1].isdigit() and text[start - 1] == " " or text[start] == "0":
        return False
    if (
        text[start - 1] == "+"
        and match[0].count(" ") > 2
        and not _UNIT_BEHIND.match(text, match.end())
    ):
        return False  # a telephone number
    if match[0].count(" ") > 1 or match[0].endswith(" 000") or language not in ("", "en"):
        return True
    if _CURRENCY_BEFORE.search(text[max(0, start - 6) : start]):
        return True
    if _UNIT_BEHIND.match(text, match.end()):
        return True
    return bool(counted_unit(text[match.end() : match.end() + 40].lower(), 0, 2))
