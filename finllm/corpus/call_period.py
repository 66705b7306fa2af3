"""Normalize the spellings of a call's period to one form: "2021Q3"."""

from __future__ import annotations

import re

_YEAR = r"(?:19|20)\d\d"
# A fiscal year across two calendar years, "2023/24" or "FY 23-24", is named by the later one.
_SEASON = rf"(?P<from>(?:{_YEAR}|\d\d))\s?[/-]\s?(?P<to>20\d\d|\d\d)(?![\d/-])"
_FY = r"(?:(?:fiscal|financial|full|calendar)[\s-]*)*(?:year|fy|cy)?[\s'-]*"
_ANY_YEAR = rf"(?:of\s+)?{_FY}(?:{_SEASON}|(?P<year>{_YEAR})(?!\d)|'?(?P<short>\d\d)(?!\d))"
_BEFORE = rf"(?:{_SEASON}|(?P<year>{_YEAR})|(?:fy|cy|')\s?'?(?P<short>\d\d))(?!\d)"
_GAP = r"[\s,/_.:()-]*"
_PART = (
    r"(?:f?(?P<letter>[qth])(?P<n>[1-4])(?!\d)|(?<!\d)(?P<n2>[1-4])(?P<letter2>[qth])"
    r"|(?<!\d)(?P<months>3|6|9|12)\s?m(?:onths?)?(?![a-z])|(?P<months_word>three|six|nine|twelve)"
    r"[\s-]months|(?P<ordinal>first|second|third|fourth|final|1st|2nd|3rd|4th)[\s-]+"
    r"(?:fiscal\s+)?(?P<unit>quarter|half)|(?P<unit2>quarter|half)\s+(?P<n3>[1-4]"
    r"|one|two|three|four)\b|(?P<annual>full[\s-]year|annual|fiscal\s+year|year[\s-]end|h?fy|hy))"
)
_PART_YEAR = re.compile(rf"(?<![a-z\d]){_PART}{_GAP}{_ANY_YEAR}", re.I)
_YEAR_PART = re.compile(
    rf"(?<![a-z\d])(?:fiscal|financial)?\s*(?:year|fy|cy)?\s?{_BEFORE}{_GAP}{_PART}", re.I
)
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})[a-z]*"
_MONTH_QUARTER = re.compile(
    rf"\b{_MONTH}\.?\s+(?:quarter|qtr){_GAP}(?:of\s+)?(?:'?(?P<short>\d\d)|(?P<year>{_YEAR}))(?!\d)"
    rf"|\b(?:quarter|half|months|period|year)\s+end(?:ed|ing)\s+{_MONTH.replace('month', 'month2')}"
    rf"\.?\s+(?:\d\d?,?\s+)?(?P<year2>{_YEAR})",
    re.I,
)
_BARE_YEAR = re.compile(
    rf"\b(?:(?:fiscal|financial|full)[\s-]+(?:year)?|year|fy|cy)\s?'?(?:{_SEASON}|(?P<year>{_YEAR})"
    r"|(?P<short>\d\d))(?!\d)",
    re.I,
)
_DATES = (
    re.compile(rf"(?<!\d)(?P<y>{_YEAR})[-/.](?P<m>0?[1-9]|1[0-2])(?:[-/.](?P<d>\d\d?))?(?!\d)"),
    re.compile(r"(?<!\d)(?P<y>20\d\d)(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])(?!\d)"),
    re.compile(rf"(?<!\d)(?P<d>\d\d?)[ -]{_MONTH.replace('month', 'name')}\.?,?[ -](?P<y>{_YEAR})"
               r"(?!\d)", re.I),
    re.compile(rf"\b{_MONTH.replace('month', 'name')}\.? (?P<d>\d\d?)(?:st|nd|rd|th)?,? "
               rf"(?P<y>{_YEAR})(?!\d)", re.I),
    re.compile(rf"\b(?P<m>1[0-2]|0?[1-9])/(?P<d>1[3-9]|2\d|3[01])/(?P<y>{_YEAR})(?!\d)"),
)  # fmt: skip
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "final": 4}
_ORDINALS |= {"1st": 1, "2nd": 2, "3rd": 3, "4th": 4, "one": 1, "two": 2, "three": 3, "four": 4}
_WORD_MONTHS = {"three": 3, "six": 6, "nine": 9, "twelve": 12}


def normalise_period(value: object) -> str | None:
    """A quarter as "2021Q3"; "" for nothing; None for what names no period.

    A longer period stands for the quarter with which it ends: "H1 2024" for 2024Q2, "9M 2024" for
    2024Q3, "FY2024" for 2024Q4. A fiscal year is taken as stated, whatever calendar months it has;
    "2023/24" is named by the year in which it ends. A date, and a quarter named by its last month
    ("September quarter 2024"), stand for the calendar quarter that they lie in.

    >>> normalise_period("Q3 FY2024"), normalise_period("3Q24"), normalise_period("FY24 Q3")
    ('2024Q3', '2024Q3', '2024Q3')
    >>> normalise_period("H1 2024"), normalise_period("2024-06-30"), normalise_period("spring")
    ('2024Q2', '2024Q2', None)
    """
    text = "" if value is None or value != value else " ".join(str(value).split())
    if not text:
        return ""
    return stated_period(text) or _plain_numbers(text) or _of_date(call_date(text)) or None


def stated_period(text: str) -> str:
    """The first period that a text names, a date aside; "" where it names none.

    >>> stated_period("Acme Corp FQ3 2023 Earnings Call"), stated_period("Oct 25, 2023")
    ('2023Q3', '')
    """
    text = text.translate({0x2010: "-", 0x2011: "-", 0x2013: "-", 0x2019: "'", 0x2018: "'"})
    whole = ""
    for pattern in (_PART_YEAR, _YEAR_PART):
        for match in pattern.finditer(text):
            found = _from_parts({k: v for k, v in match.groupdict().items() if v})
            if not match["annual"]:
                return found
            whole = whole or found  # "full year 2023" behind a quarter is not what the call is of
    if match := _MONTH_QUARTER.search(text):
        month = _month(match["month"] or match["month2"])
        year = match["year"] or match["year2"] or "20" + match["short"]
        return f"{year}Q{(month + 2) // 3}"
    if whole:
        return whole
    if match := _BARE_YEAR.search(text):
        return f"{_year({k: v for k, v in match.groupdict().items() if v})}Q4"
    return ""


def call_date(text: str) -> str:
    """The first calendar date in a text as "2023-10-25"; "" where there is none.

    A date in figures alone is read where it can be read in one way only.

    >>> call_date("Oct 25, 2023, 8:30 a.m. ET"), call_date("25-Oct-2023"), call_date("10/9/2023")
    ('2023-10-25', '2023-10-25', '')
    """
    for pattern in _DATES:
        if match := pattern.search(text):
            found = match.groupdict()
            month = int(found["m"]) if found.get("m") else _month(found["name"])
            day = int(found["d"] or 0)
            if 1 <= month <= 12 and day <= 31:
                return f"{found['y']}-{month:02d}" + (f"-{day:02d}" if day else "")
    return ""


def _plain_numbers(text: str) -> str:
    """A year and a quarter in two fields of an API: "2023 3"."""
    match = re.fullmatch(rf"(?P<a>{_YEAR}) (?P<b>[1-4])|(?P<c>[1-4]) (?P<d>{_YEAR})", text)
    return f"{match['a'] or match['d']}Q{match['b'] or match['c']}" if match else ""


def _of_date(date: str) -> str:
    return f"{date[:4]}Q{(int(date[5:7]) + 2) // 3}" if date else ""


def _from_parts(found: dict[str, str]) -> str:
    return f"{_year(found)}Q{_last_quarter(found)}"


def _last_quarter(found: dict[str, str]) -> int:
    if months := found.get("months"):
        return int(months) // 3
    if word := found.get("months_word"):
        return _WORD_MONTHS[word.lower()] // 3
    if annual := found.get("annual"):
        return 2 if annual.lower() in ("hy", "hfy") else 4
    letter = (found.get("letter") or found.get("letter2") or "").lower()
    unit = (found.get("unit") or found.get("unit2") or "").lower()
    number = found.get("n") or found.get("n2") or found.get("n3") or found.get("ordinal") or ""
    n = int(number) if number.isdigit() else _ORDINALS[number.lower()]
    half = letter == "h" or unit == "half"
    return min(2 * n, 4) if half else n


def _year(found: dict[str, str]) -> str:
    digits = found.get("year") or found.get("to") or found["short"]
    return digits if len(digits) == 4 else "20" + digits


def _month(name: str) -> int:
    return _MONTHS.index(name[:3].lower()) + 1
