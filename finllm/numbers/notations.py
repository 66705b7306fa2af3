"""Number formats of some countries' reports: split years ("2012/13"), "x2.5", "USD(5.2)m".

They are rewritten in the form that the English reader expects: "FY2013", "2.5x", "USD -5.2m".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from finllm.numbers.units import CODES

Edit = tuple[int, int, str]  # start, end, replacement

_YEARS = re.compile(
    r"[12][0-9]([0-9]{2})(?:[/\u2013-]20(?=\d\d)| ?[/\u2013-] ?)(\d\d)(?!\d|[.,/-]\d|%)"
)
_SHORT_YEARS = re.compile(r"([fFgG][yYjJ]) ?['\u2019]?(\d\d) ?[/\u2013-] ?['\u2019]?(\d\d)(?!\d)")
_MONTHS = re.compile(r"([69])[Mm](?: (?:FY)? ?'?|'|(?<=M)|FY ?)(20\d\d|\d\d)(?![\w%]|[.,]\d)")
_TIMES = re.compile(r"x(\d+(?:\.\d+)?)(?!\w|\.\d)")
_LOSS = re.compile(
    r"\((\d[\d.,]*)\) ?(?=(?:m|bn|mn|k|mi|bi|tri|mio|mrd|million|billion|thousand)\b)", re.I
)
_CODE = re.compile(rf"(?:\b(?:{'|'.join(CODES)})|[$\u20ac\u00a3]) ?$", re.IGNORECASE)
_PENCE = re.compile(r"GB[pX] ?(\d[\d.,]*\d|\d)|(?<=\d) ?GB[pX]\b")
_CENT_MARK = re.compile(r"\bUS\u00a2 ?(\d[\d.,]*\d|\d)|(?<=\d) ?US\u00a2")
_CENTS = re.compile(r"[0-9]c(?:(?= (?:per|a) )|(?:(?<=[0-9]{2}c)|(?<=\.[0-9]c))(?![\w'-]))")
_HALF = re.compile(
    "([\u00bd\u00bc\u00be])(?: of)?(?: an?)?(?= ?(?:%|per ?cent|percent|point|million|billion))"
)
_HALVES = {"\u00bd": "0.5", "\u00bc": "0.25", "\u00be": "0.75"}


def period_edits(text: str) -> Iterator[Edit]:
    """Yield the edits of split years ("2012/13"), "FY 23/24" and "9M 2024"."""
    for match in _YEARS.finditer(text):
        first, second = int(match[1]), int(match[2])
        fiscal = text[max(0, match.start() - 3) : match.start()].rstrip().lower().endswith("fy")
        if not fiscal and match[0][4] != "/" and len(match[0]) == 9:
            continue  # "2024-2025" is two years, "FY 2024-2025" is one
        if second == (first + 1) % 100 and (fiscal or not text[match.start() - 1].isalnum()):
            lead = "" if text[: match.start()].rstrip().lower().endswith("fy") else "FY"
            yield (*match.span(), f"{lead}{int(match[0][:4]) + 1}")
    for match in _SHORT_YEARS.finditer(text):
        if int(match[3]) == (int(match[2]) + 1) % 100:
            yield (*match.span(), f"FY20{match[3]}")
    for match in _MONTHS.finditer(text):
        if not text[match.start() - 1].isalnum():
            part = "H1" if match[1] == "6" else "first nine months of"
            yield (*match.span(), f"{part} {match[2] if len(match[2]) == 4 else '20' + match[2]}")


def cent_edits(text: str) -> Iterator[Edit]:
    """Yield the edits of cents as in "5c per share" and "12.4c"."""
    for match in _CENTS.finditer(text):
        yield match.start() + 1, match.end(), " cents"


def amount_edits(text: str) -> Iterator[Edit]:
    """Yield the edits of amounts such as "x2.5", "USD(5.2)m", "GBp 150" and "½ percent"."""
    for match in _TIMES.finditer(text):
        if not text[match.start() - 1].isalnum():
            yield (*match.span(), f"{match[1]}x")
    for match in _LOSS.finditer(text):
        if _CODE.search(text[max(0, match.start() - 4) : match.start()]):
            yield match.start(), match.start(1), "-" if text[match.start() - 1] == " " else " -"
            yield match.end(1), match.end(1) + 1, ""
    if "GB" in text:
        for match in _PENCE.finditer(text):
            yield (*match.span(), f"{match[1]} pence" if match[1] else " pence")
    for match in _CENT_MARK.finditer(text) if "\u00a2" in text else ():
        yield (*match.span(), f"{match[1]} cents" if match[1] else " cents")
    for match in _HALF.finditer(text) if not text.isascii() else ():
        if not text[match.start() - 1].isdigit() and not text[match.start() - 2].isdigit():
            yield (*match.span(), _HALVES[match[1]])
