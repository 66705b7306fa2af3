"""Fiscal periods: "third quarter of fiscal 2021", "Q3", "3Q21", "FY22", "year over year"."""

from __future__ import annotations

import re

_ORDINAL = {"first": 1, "second": 2, "third": 3, "fourth": 4, "final": 4}
_ORDINAL |= {"back": 2, "latter": 2, "later": 2, "front": 1}
_ORDINAL |= {
    "1st": 1,
    "2nd": 2,
    "3rd": 3,
    "4th": 4,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "1": 1,
    "2": 2,
    "3": 3,
    "4": 4,
}
_YEAR = (
    r"(?:20\d\d(?![\d,]\d|%)|(?<=')\d\d(?!\d)|(?<=’)\d\d(?!\d)|(?<=fy)\d\d(?!\d)"
    r"|(?<=[qh][1-4] )[12]\d(?=[,.;:)\n]| (?:results?|was|were|compared|versus|vs|and|to|as|in|is"
    r"|we|for|guidance|revenues?|sales|earnings|ebitda|call)\b))"
)
_OF_YEAR = (
    rf"(?:[ ,/-]{{0,2}}(?:of |in |for )?(?:the )?(?:our )?(?:fiscal |calendar |fiscal(?=['’]))?"
    rf"(?:year |year(?=['’]))?(?:fy ?)?['’]?({_YEAR}))?"
)
MONTHS = (
    "january|february|march|april|may|june|july|august|september|october|november|december"
    "|jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec"
)
_QUARTER = re.compile(
    r"(?:(?:fiscal|calendar)[ -])?"
    r"(first|second|third|fourth|final|1st|2nd|3rd|4th|(?:back|front|latter|later)(?= half))[ -]"
    rf"(?:(?:fiscal|calendar)[ -])?(quarter|half|qtr)s?\b"
    rf"(?! of (?:{MONTHS})\b)"
    r"(?! of (?:the |this |last |next |each )?(?:month|week|day|game|decade|century)\b)"
    r"(?: of (?:our|the|this|its) fiscal year(?! ?['’\d]))?" + _OF_YEAR
)
_QUARTER_OF_TWO = re.compile(
    r"(first|second|third|1st|2nd|3rd)(?=(?:,? and|,? or| to|,|/| through) (?:the |our )?"
    r"(?:second|third|fourth|2nd|3rd|4th) (?:fiscal )?(quarter|half|halves)s?\b" + _OF_YEAR + ")"
)  # "the second and third quarters of 2021" is two periods
_Q = re.compile(r"([qh])([1-4])(?!\d|\.\d|-\d)['’]?" + _OF_YEAR + r"(?:fy)?\b")
_NQ = re.compile(r"([1-4])([qh])[ -]?['’]?(?:fy)?((?:20)?\d\d)?\b")
_YEAR_OR_PERIOD = re.compile(r"(?<!\d)20\d\d$|[qh]$")  # "2023-1H", "1H-2H"
_WELLS = re.compile(r"(?:(?:,|,? and|,? or|/| &) ?[\w-]*\dh)* (?:horizontal )?wells?\b")
_QUARTER_N = re.compile(r"(quarter) (one|two|three|four|[1-4](?![\d.,%]\d|%))\b" + _OF_YEAR)
_FY = re.compile(
    r"(?:fy[ -]?|(?:full|fiscal)[ -](?:fiscal )?year(?!-over|s)[ -]?|fiscal[ -]?)"
    r"(?:['’] ?)?"
    r"((?:20)\d\d(?![\d,]\d|%)|(?<=['’])\d\d(?!\d)|(?<=['’] )\d\d(?!\d)|(?<=fy)\d\d(?!\d))?"
)
_NINE_MONTHS = re.compile(
    r"first nine months (?:of |in )?(?:the )?(?:fiscal |calendar )?(?:year |fy ?)?['’]?"
    r"(20\d\d|\d\d(?![\d.,%]))"
)
_COMPARED = {
    "year": "yoy",
    "quarter": "qoq",
    "month": "mom",
    "yoy": "yoy",
    "qoq": "qoq",
    "y/y": "yoy",
    "q/q": "qoq",
    "y-o-y": "yoy",
    "ytd": "ytd",
}
_OVER = re.compile(
    r"(year|quarter|month)[ -](over|on|to)[ -](?:\1|date)\b|(yoy|qoq|y/y|q/q|y-o-y|ytd)\b"
)

PERIOD_STARTS = (
    r"(?:first|second|third|1st|2nd|3rd)(?:,? and|,? or| to|,|/| through)"
    r"(?= (?:the |our )?(?:second|third|fourth|2nd|3rd|4th) (?:fiscal )?(?:quarter|hal))|"
    r"(?:first|second|third|fourth|final|1st|2nd|3rd|4th)[ -](?:fiscal |calendar )?"
    r"(?:quarter|half|qtr)|(?:back|front|latter|later) half|[qh][1-4]\b|fy\b|fy['’ ]?\d|fiscal\b"
    r"|first nine months|full[ -](?:fiscal )?year\b|quarter (?:one|two|three|four|[1-4])\b"
    r"|(?:year|quarter|month)[ -](?:over|on|to)[ -](?:year|quarter|month|date)"
    r"|yoy|qoq|y/y|q/q|y-o-y|ytd"
)  # pattern to match before `parse_period` is called


def _full_year(digits: str | None) -> str:
    """Return a year of two or four digits with four digits, or "" without digits."""
    if not digits:
        return ""
    return digits if len(digits) == 4 else "20" + digits


def _end(match: re.Match[str]) -> int:
    """Return the end of a match without its trailing blanks, hyphens and quotes."""
    return match.start() + len(match[0].rstrip(" -'’"))


def _is_well(text: str, start: int, match: re.Match[str]) -> bool:
    """Return whether "3H" is a horizontal well: "the 14-3H", "the Smith 1H and 2H wells"."""
    if match[1] in "34":
        return True
    joined = text[start - 1] == "-" and text[start - 2].isdigit()
    if joined and not _YEAR_OR_PERIOD.search(text, max(0, start - 6), start - 1):
        return True
    return _WELLS.match(text, match.end(2)) is not None


def parse_period(text: str, start: int) -> tuple[str, int] | None:
    """Return the canonical text of the period at an offset and the offset after it, or None.

    Canonical texts are "2021Q3", "Q3", "2021H1", "2024M9", "FY2022", "FY", "yoy", "qoq", "ytd".

    >>> parse_period("third quarter of fiscal 2021", 0)
    ('2021Q3', 28)
    >>> parse_period("fy22 sales", 0)
    ('FY2022', 4)
    """
    first = text[start]
    if first.isdigit():
        match = _NQ.match(text, start)
        if match is not None and match[2] == "h" and _is_well(text, start, match):
            return None
        if match is not None:
            number, letter, year = match.groups()
            return f"{_full_year(year)}{letter.upper()}{number}", _end(match)
    if first == "f" and (match := _NINE_MONTHS.match(text, start)):
        return f"{_full_year(match[1])}M9", match.end()
    match = None
    if first not in "qhym":
        match = _QUARTER.match(text, start) or _QUARTER_OF_TWO.match(text, start)
    if match is not None:
        ordinal, part, year = match.groups()
        letter = "Q" if part in ("quarter", "qtr") else "H"
        return f"{_full_year(year)}{letter}{_ORDINAL[ordinal]}", match.end()
    if first in "qh":
        match = _Q.match(text, start)
        if match is not None:
            letter, number, year = match.groups()
            return f"{_full_year(year)}{letter.upper()}{number}", match.end()
    if first in "qym":
        match = _QUARTER_N.match(text, start)
        if match is not None:
            return f"{_full_year(match[3])}Q{_ORDINAL[match[2]]}", match.end()
        match = _OVER.match(text, start)
        if match is not None:
            if match[2] == "to":
                return ("ytd" if match[1] == "year" else match[1][0] + "td"), match.end()
            return _COMPARED[match[1] or match[3]], match.end()
    if first == "f":
        match = _FY.match(text, start)
        if match is not None and (match[1] or "year" in match[0] or match[0].startswith("fy")):
            end = start + len(match[0].rstrip(" -'’"))
            return f"FY{_full_year(match[1])}", end
    return None
