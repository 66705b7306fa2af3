"""Dates, times, telephone numbers and addresses, whose digits are not quantities."""

from __future__ import annotations

import re

from finllm.numbers.atom import Atom
from finllm.numbers.counts import counted_unit
from finllm.numbers.periods import MONTHS

_NTH = r"\d{1,2}(?:st|nd|rd|th)?"
_DAY_BEFORE = re.compile(rf"\b({MONTHS})\.? (?:{_NTH}(?:,|,? of)? (?:and |through |to )?)?$")
DATE_BEFORE = re.compile(rf"(?:\d (?:{MONTHS})|\b(?:{MONTHS})\.? {_NTH},?)\.? (?:of )?$")
_MONTH_BEHIND = re.compile(
    rf"(?:st|nd|rd|th)?(?:\.? (?:to|and) \d{{1,2}})?[ -](?:of )?({MONTHS})\b"
)
_STATE_BEFORE = re.compile(  # "Santa Clara, California 95054"
    r"\b(?:Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia"
    r"|Hawaii|Idaho|Illinois|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts"
    r"|Michigan|Minnesota|Mississippi|Missouri|Montana|Nebraska|Nevada|New (?:Hampshire|Jersey"
    r"|Mexico|York)|(?:North|South) (?:Carolina|Dakota)|Ohio|Oklahoma|Oregon|Pennsylvania"
    r"|Rhode Island|Tennessee|Texas|Utah|Vermont|(?:West )?Virginia|Washington|Wisconsin|Wyoming"
    r"|Puerto Rico|D\.?C\.?),? $"
)
_CODES = re.compile(
    r"(?=[\d+(])(?<!\d)(?:(?:1[-. ])?\(?\d{3}\)?[-. ]{1,2}\d{3}[-. ]\d{4}"
    r"|\+(?=(?:[ ()/-]{0,3}\d){8})\d{1,3}\)?[ -]?(?:\(0\d{0,4}\) ?|(?<=[ -])\(?)\d{1,5}\)?"
    r"(?:(?: |-|/| / )\d{1,9}){1,6}|0 [1-9]\d\d(?: \d{2,3}){2,3}"
    r"|(?<!\d[.,])0\d{1,4}(?:(?: / |[ ./-]{1,2})\d{2,8}){1,5}|[689]\d \d{3} \d\d \d\d"
    r"|\(0?\d{2,4}\) ?\d{3,5}[- ]\d{3,4}"
    r"|\d{1,2}\.\d{1,2}\.(?:19|20)?\d\d|\d{1,3}(?:[.,]\d{3}){2}/\d{4}-\d\d"
    r"|\d{1,2}:\d\d|\d{1,2}/\d{1,2}(?:/\d{2,4})?(?! ?(?:%|percent))"
    r"|(?:80[-/:]20|20[-/:]80|70[-/:]30|60[-/:]40|50[-/:]50|90[-/:]10)(?![%.]\d)"
    r"|\d{2,4}/\d{3,8}/\d{2,8}"  # "1998/014351/06", of a register
    r"|\d{4}-\d{6}-\d\d|\d{5}-\d{4}(?! ?%)"
    r"|(?:19|20)\d\d[/-](?!(?:19|20)\d\d(?!\d))(?:\d\d(?:/e[cu]|/ue|/eg|/ce)|\d{3,6}(?![.,]?\d|%))"
    r"|(?:19|20)\d\d-[1-9](?![\d,.%])|1-8\d\d-[a-z]|\d{1,2}-\d{1,3}h\b"  # "ABS 2023-1"
    r"|\d{4}-\d\d(?:-\d\d)?|\d{1,2} (?:h|o'clock) \d\d"
    r"|\d{1,2} (?:to|and) \d{1,2} o'clock|\d{1,2} h (?:à|to|et|and) \d{1,2} h\b"
    r"|\d{1,2} ?(?:a\.m|p\.m|am\b|pm\b|o'clock))(?!\d)"
)
_PHONE_BEFORE = re.compile(
    r"\b(?:tel|telephone|phone|fax)\b(?: number)?[.:]? ?(?:[^\d\n;.:]{0,40}: ?)?"
    r"[(+]?(?:\d[\d() +./,'-]*)?$"
)
_CLOCK = re.compile(r"[ap]\.?m\b|o'clock|h\b|(?:to|and) \d{1,2} o'clock")
_STREET = re.compile(
    r" (?:[A-Z][A-Za-z.'-]+ ){0,2}(?:Street|Loop|St\.?(?= [A-Z])|Avenue|Broadway|Boulevard|Road"
    r"|Parkway|Plaza|Square|Drive|Lane|Vanderbilt|World Trade Cent(?:er|re))\b|, Street of\b"
)
_STREET_ELSE = re.compile(  # words of which some also name shops
    r" (?:[A-Z][A-Za-z.'-]+ ){1,3}(?:Court|House|Way|Quay|Gardens|Row|Hill|Place|Terrace|Gate"
    r"|Crescent|Close|Mews|Wharf|Walk|Circus|Park|Yard|Bridge|Green)(?=[,.;)\n])"
)
_FLOOR_OF = re.compile(r"\b(?:floors?|storeys?|lobby|basement) (?:of|at) $")
_AT = re.compile(r"(?:\b(?:at|near|to|from|address|office|is|of|and)|[,;:(\n]) ?$")
_TO_POST_CODE = re.compile(  # "30 Moorgate, London EC4M 7BN"
    r" (?:[A-Z][\w'.-]+ ){0,3}[A-Z][\w'.-]+,(?: [A-Z][\w'.-]+,?){0,4}"
    r" [A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}\b"
)
_POST_CODES = (  # text before a post code or its second part, and the code
    (re.compile(r"\b[A-Z]{1,2}\d[A-Z\d]? $"), re.compile(r"\d[A-Z]{2}\b")),
    (re.compile(r", [A-Z]{2} $"), re.compile(r"\d{5}\b")),
    (re.compile(r"[a-z],? (?:NSW|VIC|QLD|TAS|ACT) $"), re.compile(r"\d{4}\b")),
)
# "Street of" is how the languages' files translate the words before a street's name
_STREET_BEFORE = re.compile(r"\bStreet of (?:[\w.'-]+ ){0,5}[A-Z][\w.'-]*,? (?:number )?$")
_POST_CODE = re.compile(r"\d{4,5}(?:-\d{3,4})? [A-Z]")
_POST_CODE_BEFORE = re.compile(
    r"(?:\b(?:Street|Avenue|Boulevard|Road|Postfach|Box)\b[^.;\n]{0,60}"
    r"|\b[A-Z][\w.-]+ \d{1,3}[a-z]?), $"
)


def is_code(text: str, start: int, end: int) -> bool:
    """Return whether a number is part of a phone number, time, date in digits or an "80/20"."""
    joined = text[start - 1] in "-/:.)" or text[end] in "-/:.)"
    spaced = text[end] == " " and (text[end + 1] in "0123456789(" or _CLOCK.match(text, end + 1))
    if not joined and not spaced and not text[end].isalpha():
        if text[start - 1] != " " or not (text[start - 2].isdigit() or text[start - 2] in "hk"):
            return False
    for match in _CODES.finditer(text, max(0, start - 26), end + 16):
        if match.start() < end and match.end() > start:
            return True
    return False


def is_post_code(cased: str, text: str, atom: Atom) -> bool:
    """Return whether a number is in a post code: "EC4M 7BN", ", NY 10016", "Sydney NSW 2000"."""
    start = atom.start
    if atom.end - start == 5 and atom.quantum == 1.0 and cased[start : atom.end].isdigit():
        if _STATE_BEFORE.search(cased, max(0, start - 20), start):
            return not counted_unit(text, atom.end, 1)
    if cased[start - 1] != " " or not (cased[start - 2].isupper() or cased[start - 2].isdigit()):
        return False
    before = cased[max(0, start - 8) : start]
    return any(lead.search(before) and code.match(cased, start) for lead, code in _POST_CODES)


def is_phone(text: str, start: int) -> bool:
    """Return whether a number, or the row of digits it is in, follows "telephone" or the like."""
    before = text[max(0, start - 60) : start]
    if "phone" not in before and "tel" not in before and "fax" not in before:
        return False
    return _PHONE_BEFORE.search(before) is not None


def is_address(cased: str, text: str, atom: Atom) -> bool:
    """Return whether a number is part of an address: "565 Broadway", "at 3350 Peachtree"."""
    start, end = atom.start, atom.end
    named = cased[end] == " " and cased[end + 1].isupper()
    if (named or cased[end] == ",") and _STREET.match(cased, end):
        return True
    if text.startswith(" hudson yards", end):
        return True
    first = max(0, start - 80)
    if named and not atom.number % 1:
        if _STREET_ELSE.match(cased, end) and _AT.search(cased, max(0, start - 12), start):
            return True
        if _TO_POST_CODE.match(cased, end) or _FLOOR_OF.search(cased, max(0, start - 24), start):
            return True
    if cased.find("Street of ", first, start) >= 0 and _STREET_BEFORE.search(cased, first, start):
        return True
    if cased[start - 2 : start] == ", " and _POST_CODE.match(cased, start):
        if _POST_CODE_BEFORE.search(cased, first, start):
            return True
    house = atom.number >= 100 and not atom.number % 1 and text.endswith(" at ", 0, atom.start)
    return house and named and not counted_unit(text, atom.end)


def is_day(cased: str, text: str, atom: Atom, window: str) -> bool:
    """Return whether a number is the day of a date.

    "may" counts right before the number, and elsewhere only if written "May".
    """
    if atom.number > 31 or atom.number % 1:
        return False
    before = _DAY_BEFORE.search(window)
    if before is not None:
        at = atom.start - len(window) + before.start(1)
        if before[1] != "may" or cased[at] == "M" or text.startswith("may ", atom.start - 4):
            return True
    behind = _MONTH_BEHIND.match(text, atom.end)
    return behind is not None and (behind[1] != "may" or cased[behind.start(1)] == "M")
