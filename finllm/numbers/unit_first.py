"""Units written before the number, and currency codes that can also be words or names.

"TEUR 1.245", "€m 12" and "MSEK 450" become "EUR 1.245 thousand", "€12 million" and "SEK 450
million"; the same units are also rewritten after the number ("12 MEUR"). A rare code next to an
amount gets a dollar sign ("PEN 385 million" becomes "PEN$385 million"); elsewhere it is left as it
is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from finllm.numbers.currencies import RARE_CODES
from finllm.numbers.units import CODES

Edit = tuple[int, int, str]  # start, end, replacement

_MAGNITUDES = {
    **dict.fromkeys(("t", "k", "thousand", "tsd"), "thousand"),
    **dict.fromkeys(("m", "mm", "mn", "mio", "million"), "million"),
    **dict.fromkeys(("b", "bn", "md", "mds", "mrd", "billion"), "billion"),
}
_KNOWN = frozenset(code.upper() for code in CODES) - RARE_CODES
_SCALES = "m|bn|k|mn|mm|M|Mio|Mrd|million|billion|thousand"
_AMOUNT_ENDS = (
    "[0-9)] ", "[0-9]", "[0-9 ][kmbt]", "lion ", "sand ", "[0-9 ][mk] ", "[bm]n ", "rore "
)  # fmt: skip
_CAPITALS = re.compile(  # capitals with a number before or after them
    rf"[A-Z][A-Z]{{2,4}}(?:(?=(?:\$| ?(?:{_SCALES})\.?)? ?[-–(]{{0,2}}[0-9])|(?![A-Z])(?:"
    + "|".join(
        rf"(?<={before}{capitals})"
        for before, capitals in (
            *((before, "[A-Z]{3}") for before in _AMOUNT_ENDS),
            ("[0-9)] ", "[A-Z]{4}"),
            ("[0-9]", "[A-Z]{4}"),
            ("[0-9] ", "MM[A-Z]{3}"),
            ("[0-9]", "MM[A-Z]{3}"),
        )
    )
    + "))"
)
_MARKS = bytes(65 if 65 <= byte <= 90 else 32 for byte in range(256))  # "A" for a capital
_SYMBOLS = tuple(  # each begins with a fixed character, which is found faster than a class
    re.compile(
        rf"{re.escape(symbol)}"
        r"(?:(?<=[TKMkmbnds].)|(?<=[od]\. .)|(?<=[ir][od] .)|(?<=ion .)|(?<=sand .)"
        rf"|(?= ?(?:{_SCALES})(?![a-z])))"
    )
    for symbol in "$€£"
)
_LEAD = re.compile(
    r"(?<![^\W_])(?:(Mio|Mrd|million|billion|thousand)\.? |([TKMBtkmb]|MM|bn|Bn|mn|Mds?|md))$"
)
_TRAIL = re.compile(
    rf" ?({_SCALES})(?![^\W_])\.?(?= ?[-–(]?\d)"
    r"|(m|bn|k|mn|M)(?![^\W_])"
)
_NUMBER = re.compile(
    r" ?(\()?([-–] ?)?(\d+(?:[.,'’]\d+| \d{3}(?!\d))*)(?(1)\))(?!\d| ?(?:million|billion|bn\b|%))"
)
_DIGIT_BEFORE = re.compile(r"[\d)](?<![QqHh]\d)(?<!\b(?:19|20)\d\d) ?$")
_GROUPS = re.compile(r"\d{1,3}(?:\.\d{3})+")
_COMMA = re.compile(r"\d+,\d\d?")
_LOSS_BEFORE = re.compile(r"\((?=[\d.,' ]+(\) ?)$)")
_GROUPS_BEFORE = re.compile(r"(?<![\d.,])(\d{1,3}(?:\.\d{3})+) ?$")
_YEAR = re.compile(r"(?:19|20)\d\d")
_SLASHED = re.compile(r"\b(?:S/\.?|B/\.) ?(?=\d[\d.,' ]*(?:mm?|bn|k)?(?![^\W\d]))")
_RAND = re.compile(  # "R36 418 million", "R7,4 billion", "R(45)m"
    r"R(?=[\d(–-])(?<![\w$€£.]R)(\()?[-–]?(\d+(?:[.,'’]\d+| \d{3}(?!\d))*)(?(1)\))"
)
_KRONA = re.compile(r"kr(?![^\W_])(?:(?<=(?<![^\W_])[TMtmkK]..)|(?<=(?<![^\W_])[Mm]d..))")
_SCALE = (
    r"(?:(?:mil(?!e)|bil(?!l\b)|tril|thousand|mrd|mio|tsd|crore|lakh|bn\b|mn\b|mm?\b|k\b)"
    r"|per share)"
)
_AMOUNT_BEHIND = re.compile(
    rf" ?[-–(]{{0,2}}\d+(?:(?:[.,'’]\d+| \d{{3}}(?!\d))*\)? ?{_SCALE}"
    r"|(?:[,. '’]\d{3})+(?!\d|[.,]\d|%)|[.,]\d\d(?!\d|[.,]\d| ?%))",
    re.I,
)
_AMOUNT_ENDS_RANGE = re.compile(
    rf"(?: ?[-–] ?| to | and | or )R?\d[\d.,]*(?: \d{{3}})* ?{_SCALE}", re.I
)
_SOUTH_AFRICAN = re.compile(r"[\d ]+,\d\d?")
_AMOUNT_BEFORE = re.compile(
    r"(?<![\d.,])[-–]?(\d+(?:(?:[.,'’]\d+)*(?: (?:thousand|million|billion|trillion|crore)"
    r"| ?(?:bn|mn|mm|m|k))|(?:[,.'’]\d{3})+|[.,]\d\d)) ?$"
)


def unit_edits(text: str) -> Iterator[Edit]:
    """Yield the edits of units before numbers, of units glued to numbers, and of rare codes."""
    for match in _in_capitals(text):
        code = match[0][-3:]
        if code in _KNOWN:
            yield from _scaled(text, match.end() - 3, match.end(), code)
        elif code in RARE_CODES and len(match[0]) == 3:
            yield from _rare(text, match.start(), match.end(), code)
    for symbol in _SYMBOLS:
        for match in symbol.finditer(text):
            yield from _scaled(text, match.start(), match.end(), match[0])
    for match in _KRONA.finditer(text) if "kr" in text else ():
        yield from _scaled(text, match.start(), match.end(), "SEK")
    for match in _RAND.finditer(text):
        yield from _rand(text, match)
    for match in _SLASHED.finditer(text) if "S/" in text or "B/." in text else ():
        yield (*match.span(), "PEN$" if match[0][0] == "S" else "PAB$")


def _in_capitals(text: str) -> Iterator[re.Match[str]]:
    """Yield the matches of `_CAPITALS`, tried only where there are three capitals in a row.

    Marking capitals by bytes and finding three marks takes a third of the time of a regex search.
    """
    marks = text.encode("latin-1", "replace").translate(_MARKS)
    at = marks.find(b"AAA")
    while at >= 0:
        match = _CAPITALS.match(text, at)
        if match is not None:
            yield match
        at = marks.find(b"AAA", at + 1 if match is None else match.end())


def _scaled(text: str, start: int, end: int, code: str) -> Iterator[Edit]:
    """Yield the edits of a currency with its magnitude next to it instead of after the number."""
    lead = _LEAD.search(text, max(0, start - 9), start)
    trail = None if lead is not None else _TRAIL.match(text, end)
    if lead is None and (trail is None or text[start - 1].isalpha() and code != "$"):
        return
    if lead is not None:
        word = lead[1] or lead[2]
        start, glued = lead.start(), lead[2] is not None
        if word in "Bb" and code == "$":  # "B$5 million" is in Bahamian dollars
            return
    else:
        word, end, glued = trail[1] or trail[2], trail.end(), True
    if _DIGIT_BEFORE.search(text, max(0, start - 6), start) is None:
        yield from _of_number_behind(text, start, end, code, word)
    elif glued and not text[end].isalnum():
        yield from _of_number_before(text, start, end, code, word)


def _of_number_behind(text: str, start: int, end: int, code: str, word: str) -> Iterator[Edit]:
    """Rewrite "TEUR 1.245" as "EUR 1,245 thousand"; a year after a column's unit is no amount."""
    number = _NUMBER.match(text, end)
    if number is None or _YEAR.fullmatch(number[3]):
        return
    minus = "-" if number[1] or number[2] else ""
    yield start, number.start(3), f"{code}{'' if code in '$€£' else ' '}{minus}"
    if " " in number[3] or word == "T" and _GROUPS.fullmatch(number[3]):
        yield (*number.span(3), re.sub(r"[ .](?=\d{3})", ",", number[3]))
    elif _COMMA.fullmatch(number[3]):
        yield (*number.span(3), number[3].replace(",", "."))
    yield number.end(3), number.end(), f" {_MAGNITUDES[word.lower()]}"


def _of_number_before(text: str, start: int, end: int, code: str, word: str) -> Iterator[Edit]:
    """Rewrite "(1.245) TEUR" as "-1,245 thousand EUR"."""
    loss = _LOSS_BEFORE.search(text, max(0, start - 20), start)
    if loss is not None:
        yield (*loss.span(), "-")
        start = loss.start(1)
    grouped = _GROUPS_BEFORE.search(text, max(0, start - 20), start)
    if word == "T" and grouped is not None:
        yield (*grouped.span(1), grouped[1].replace(".", ","))
    named = {"$": "dollars", "£": "pounds sterling", "€": "euros"}.get(code, code)
    yield start - (text[start - 1] == " "), end, f" {_MAGNITUDES[word.lower()]} {named}"


def _rand(text: str, match: re.Match[str]) -> Iterator[Edit]:
    """Rewrite "R36 418 million" as "ZAR 36,418 million"; R2 and R134a are not amounts."""
    if not _AMOUNT_BEHIND.match(text, match.end() - len(match[2]) - bool(match[1])):
        if not _AMOUNT_ENDS_RANGE.match(text, match.end()):
            return
    number = match[2].replace(" ", ",")
    if _SOUTH_AFRICAN.fullmatch(match[2]):  # with a decimal comma
        number = ".".join(number.rsplit(",", 1))
    minus = "-" if match[1] or match[0][1] in "-–" else ""
    joined = text[match.start() - 1] in "-–" and text[match.start() - 2].isalnum()  # "R5m-R6m"
    yield (*match.span(), number if joined else f"ZAR {minus}{number}")


def _rare(text: str, start: int, end: int, code: str) -> Iterator[Edit]:
    """Yield the edits of a rare code, which is a currency only next to an amount."""
    if text[start - 1].isalnum() or text[end].isalnum():
        return
    if _AMOUNT_BEHIND.match(text, end):
        yield start, end + (text[end] == " "), f"{code}$"
    elif before := _AMOUNT_BEFORE.search(text, max(0, start - 30), start):
        yield before.start(1), before.start(1), f"{code}$"
        yield before.end(1), end, ""
