"""Normalise the spellings of a call's period to one form: "2021Q3"."""

from __future__ import annotations

import re

from finllm.numbers.vocabulary import periods_in_english

MAX_FIELD = 250  # characters; a longer field is neither a period nor a date
_YEAR = r"(?:19|20)\d\d"
# A fiscal year that spans two calendar years, "2023/24" or "FY 23-24", takes the later one.
_SEASON = rf"(?P<from>(?:{_YEAR}|\d\d))\s?[/-]\s?(?P<to>20\d\d|\d\d)(?![\d/-])"
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})[a-z]*"
_UNNAMED_MONTH = rf"(?:(?:{'|'.join(_MONTHS)})[a-z]*\.?[\s-]+(?:\d\d?,\s+)?)?"
_FY = (
    r"(?:the\s+)?(?:(?:fiscal|financial|full|calendar)[\s-]*)*(?:year|fye?|cy|f)?"
    r"(?:\s+end(?:ing|ed))?[\s':-]*"
)
_ANY_YEAR = (
    rf"(?:of\s+)?{_FY}(?:{_SEASON}|{_UNNAMED_MONTH}(?P<year>{_YEAR})(?!\d)"
    r"|'?(?P<short>\d\d)(?!\d))"
)
_BEFORE = (
    rf"(?:{_SEASON}|(?P<year>{_YEAR})|(?:fy|cy|')\s?'?(?P<short>\d\d)"
    r"|(?P<glued>\d\d)(?=[qth][1-4]))(?!\d)"
)
_GAP = r"[\s,/_.:()-]*"
_PART = (
    r"(?:f?(?P<letter>[qths])(?P<n>[1-4])(?!\d(?!\d(?!\d)|\d{3}(?!\d)))|f?(?<!\d)(?P<n2>[1-4])"
    r"(?P<letter2>[qths])|(?<!\d)(?P<months>3|6|9|12)\s?m(?:onths?|ois|onaten?|eses)?(?![a-z])"
    r"|m(?P<months2>3|6|9|12)(?!\d)|(?P<months_word>three|six|nine|twelve)"
    r"[\s-]months|(?P<ordinal>first|second|third|fourth|final|1st|2nd|3rd|4th)[\s-]+"
    r"(?:fiscal\s+)?(?P<unit>quarter|half)|(?P<unit2>quarter|half)[\s_:-]+(?P<n3>[1-4]"
    r"|one|two|three|four)(?![a-z\d])"
    r"|(?P<annual>full[\s-]year(?:\s+results)?|annual|fiscal\s+year|year[\s-]end|h?fy|hy|half[\s-]year(?:ly)?"
    r"|interim(?:\s+(?:results|report))?))"
)
_PART_YEAR = re.compile(rf"(?<![a-z\d]){_PART}{_GAP}{_ANY_YEAR}", re.I)
_YEAR_PART = re.compile(
    rf"(?<![a-z\d])(?:fiscal|financial)?\s*(?:year|fy|cy|f)?[\s:]*{_BEFORE}{_GAP}"
    rf"(?:fiscal\s+)?{_PART}",
    re.I,
)
_MONTH_QUARTER = re.compile(
    rf"\b{_MONTH}\.?\s+(?:quarter|qtr){_GAP}(?:of\s+)?(?:'?(?P<short>\d\d)|(?P<year>{_YEAR}))(?!\d)"
    rf"|\b(?:quarter|half|months|period|year)\s+(?:to|end(?:ed|ing))\s+(?:\d\d?(?:st|nd|rd|th)?\s+)?"
    rf"{_MONTH.replace('month', 'month2')}\.?\s+(?:\d\d?,?\s+)?(?P<year2>{_YEAR})"
    rf"|\b{_MONTH.replace('month', 'month3')}\.?\s+(?P<year3>{_YEAR})\s+(?:quarter|qtr|half)\b",
    re.I,
)
_MONTH_YEAR = re.compile(rf"{_MONTH}\.?[\s'/-]*(?:(?P<year>{_YEAR})|(?P<short>\d\d))", re.I)
_BARE_YEAR = re.compile(
    rf"\b(?:(?:fiscal|financial|full)[\s-]+(?:year)?|year|fy|cy)\s?'?(?:{_SEASON}|(?P<year>{_YEAR})"
    r"|(?P<short>\d\d))(?!\d)",
    re.I,
)
_DATES = (
    re.compile(rf"(?<!\d)(?P<y>{_YEAR})[-/.](?P<m>0?[1-9]|1[0-2])(?:[-/.](?P<d>\d\d?))?(?!\d)"),
    re.compile(r"(?<!\d)(?P<y>20\d\d)(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])(?!\d)"),
    re.compile(rf"(?<!\d)(?P<d>\d\d?)(?:st|nd|rd|th)?[ -]{_MONTH.replace('month', 'name')}\.?,?"
               rf"[ -](?P<y>{_YEAR})(?!\d)", re.I),
    re.compile(rf"\b{_MONTH.replace('month', 'name')}\.? (?P<d>\d\d?)(?:st|nd|rd|th)?,? "
               rf"(?P<y>{_YEAR})(?!\d)", re.I),
    re.compile(rf"\b(?P<m>1[0-2]|0?[1-9])/(?P<d>1[3-9]|2\d|3[01])/(?P<y>{_YEAR})(?!\d)"),
    re.compile(rf"\b(?P<d>1[3-9]|2\d|3[01])/(?P<m>1[0-2]|0?[1-9])/(?P<y>{_YEAR})(?!\d)"),
    re.compile(rf"(?<![\d.])(?P<d>[0-2]?\d|3[01])\.(?P<m>1[0-2]|0?[1-9])\.(?P<y>{_YEAR})(?!\d)"),
)  # fmt: skip
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "final": 4}
_ORDINALS |= {"1st": 1, "2nd": 2, "3rd": 3, "4th": 4, "one": 1, "two": 2, "three": 3, "four": 4}
_WORD_MONTHS = {"three": 3, "six": 6, "nine": 9, "twelve": 12}


def normalise_period(value: object) -> str | None:
    """Return a quarter as "2021Q3", "" for an empty value, or None if the value names no period.

    A longer period becomes the quarter with which it ends: "H1 2024" gives 2024Q2, "9M 2024" 2024Q3
    and "FY2024" 2024Q4. A fiscal year is taken as stated, whatever calendar months it covers;
    "2023/24" is named by the year in which it ends. A date, or a quarter named by its last month
    ("September quarter 2024"), becomes the calendar quarter that contains it.

    >>> normalise_period("Q3 FY2024"), normalise_period("3Q24"), normalise_period("FY24 Q3")
    ('2024Q3', '2024Q3', '2024Q3')
    >>> normalise_period("H1 2024"), normalise_period("2024-06-30"), normalise_period("spring")
    ('2024Q2', '2024Q2', None)
    """
    text = "" if value is None or value != value else " ".join(str(value).split())
    if not text:
        return ""
    if len(text) > MAX_FIELD:
        return None
    return (
        stated_period(text)
        or _plain_numbers(text)
        or _of_date(call_date(text))
        or _of_month(periods_in_english(text))
        or None
    )


def stated_period(text: str) -> str:
    """Return the first period that a text names, ignoring dates, or "" without one.

    >>> stated_period("Acme Corp FQ3 2023 Earnings Call"), stated_period("Oct 25, 2023")
    ('2023Q3', '')
    >>> stated_period("Acme AG, drittes Quartal 2024"), stated_period("Acme SA, 3e trimestre 2024")
    ('2024Q3', '2024Q3')
    """
    return parted_by_period(text)[1]


def parted_by_period(text: str) -> tuple[str, str, str]:
    """Split a text at the first period it names: the text before, the period, and the text after.

    A quarter goes before a full year. The parts are returned with the words of the period in
    English and with plain dashes; if the text names no period, all of it is the first part.

    >>> parted_by_period("Acme SE Nine Months 2024 Results")
    ('Acme SE ', '2024Q3', ' Results')
    """
    plain = {0x2010: "-", 0x2011: "-", 0x2013: "-", 0x2019: "'", 0x2018: "'"}
    text = periods_in_english(text.translate(plain))
    whole: re.Match[str] | None = None
    for pattern in (_PART_YEAR, _YEAR_PART):
        for match in pattern.finditer(text):
            found = _from_parts(_named(match))
            if found and not match["annual"]:
                return text[: match.start()], found, text[match.end() :]
            whole = whole or (match if found else None)
    # "full year 2023" after a quarter does not name the period of the call
    if match := _MONTH_QUARTER.search(text):
        month = _month(match["month"] or match["month2"] or match["month3"])
        year = match["year"] or match["year2"] or match["year3"] or _year(_named(match))
        return text[: match.start()], f"{year}Q{(month + 2) // 3}", text[match.end() :]
    if whole:
        return text[: whole.start()], _from_parts(_named(whole)), text[whole.end() :]
    if match := _BARE_YEAR.search(text):
        return text[: match.start()], f"{_year(_named(match))}Q4", text[match.end() :]
    return text, "", ""


def call_date(text: str) -> str:
    """Return the first calendar date in a text as "2023-10-25", or "" without one.

    A date in digits only is read if it is unambiguous.

    >>> call_date("Oct 25, 2023, 8:30 a.m. ET"), call_date("25-Oct-2023"), call_date("10/9/2023")
    ('2023-10-25', '2023-10-25', '')
    """
    text = periods_in_english(text[:MAX_FIELD])
    for pattern in _DATES:
        if match := pattern.search(text):
            found = match.groupdict()
            month = int(found["m"]) if found.get("m") else _month(found["name"])
            day = int(found["d"] or 0)
            if 1 <= month <= 12 and day <= 31:
                return f"{found['y']}-{month:02d}" + (f"-{day:02d}" if day else "")
    return ""


def _plain_numbers(text: str) -> str:
    """Read a year and a quarter from two fields of an API, as in "2023 3"."""
    match = re.fullmatch(rf"(?P<a>{_YEAR}) (?P<b>[1-4])|(?P<c>[1-4]) (?P<d>{_YEAR})", text)
    return f"{match['a'] or match['d']}Q{match['b'] or match['c']}" if match else ""


def _of_month(text: str) -> str:
    """Return the calendar quarter of a month and a year, as in "Sep-24" or "June 2024"."""
    match = _MONTH_YEAR.fullmatch(text)
    return f"{_year(_named(match))}Q{(_month(match['month']) + 2) // 3}" if match else ""


def _of_date(date: str) -> str:
    return f"{date[:4]}Q{(int(date[5:7]) + 2) // 3}" if date else ""


def _named(match: re.Match[str]) -> dict[str, str]:
    return {key: value for key, value in match.groupdict().items() if value}


def _from_parts(found: dict[str, str]) -> str:
    quarter = _last_quarter(found)
    return f"{_year(found)}Q{quarter}" if quarter <= 4 else ""


def _last_quarter(found: dict[str, str]) -> int:
    """Return the quarter with which a period ends; more than 4 for a third half."""
    if months := found.get("months") or found.get("months2"):
        return int(months) // 3
    if word := found.get("months_word"):
        return _WORD_MONTHS[word.lower()] // 3
    if annual := found.get("annual"):
        return 2 if annual.lower().startswith(("h", "i")) else 4
    letter = (found.get("letter") or found.get("letter2") or "").lower()
    unit = (found.get("unit") or found.get("unit2") or "").lower()
    number = found.get("n") or found.get("n2") or found.get("n3") or found.get("ordinal") or ""
    n = int(number) if number.isdigit() else _ORDINALS[number.lower()]
    return 2 * n if letter in ("h", "s") or unit == "half" else n


def _year(found: dict[str, str]) -> str:
    digits = found.get("year") or found.get("to") or found.get("short") or found["glued"]
    return digits if len(digits) == 4 else ("19" if digits >= "80" else "20") + digits


def _month(name: str) -> int:
    return _MONTHS.index(name[:3].lower()) + 1
