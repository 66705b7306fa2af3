"""Numbers in the notations of the world, written the English way before they are read.

"1.200.000 €" becomes "1,200,000 €", "1,2 Mrd." "1.2 billion", "FY 23/24" "FY2024". Where a number
reads both ways ("1.234"), the document's own numbers decide, else its language. What the words of a
language stand for is data: ``languages/<code>.tsv``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from finllm.corpus.numbers.counts import counted_unit

FOLDER = Path(__file__).with_name("languages")
HEADER = ("form", "words")
Edit = tuple[int, int, str]

_CURRENCY_BEFORE = re.compile(
    r"(?:[$\u20ac\u00a3\u00a5]|\b(?:EUR|USD|GBP|CHF|BRL|R\$|[A-Z]{3})) ?-?$"
)
_UNIT_BEHIND = re.compile(
    r" ?(?:[%\u20ac\u00a3$]|EUR\b|USD\b|CHF\b|Mrd|Mio|Mds?\b|Md\u20ac|M\u20ac|mill|mil[hn ]|bilh"
    r"|trilh|Prozent|por ciento|por cento|pour cent|euros?\b|reais|bn\b|m\b|million|billion)",
    re.I,
)
_FIRST = r"[0-9](?<![\w.,][0-9])"  # begins with one set of characters, which `finditer` jumps to
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
_SPACED = re.compile(
    rf"{_FIRST}[0-9]{{0,2}}(?: [0-9]{{3}})+(,[0-9]{{1,2}})?(?![0-9]|[.,][0-9]| [0-9])"
)
_YEARS = re.compile(r"[12][0-9]([0-9]{2}) ?[/\u2013-] ?(\d\d)(?!\d|[.,/-]\d|%)")
_SHORT_YEARS = re.compile(r"([fFgG][yYjJ]) ?['\u2019]?(\d\d) ?[/\u2013-] ?['\u2019]?(\d\d)(?!\d)")
_MONTHS = re.compile(r"([69])[Mm](?: (?:FY)? ?'?|'|(?<=M)|FY ?)(20\d\d|\d\d)(?![\w%]|[.,]\d)")
_TIMES = re.compile(r"x(\d+(?:\.\d+)?)(?!\w|\.\d)")
_LOSS = re.compile(r"\((\d[\d.,]*)\) ?(?=(?:m|bn|mn|k|million|billion|thousand)\b)", re.I)
_CODE = re.compile(r"(?:[A-Z]{2,3}\$?|[$\u20ac\u00a3]) ?$")
_PENCE = re.compile(r"GB[pX] ?(\d[\d.,]*\d|\d)|(?<=\d) ?GB[pX]\b")
_CENTS = re.compile(r"(?<=\d)c(?= (?:per|a) )")
_HALF = re.compile(
    "([\u00bd\u00bc\u00be])(?: of)?(?: an?)?(?= ?(?:%|per ?cent|percent|point|million|billion))"
)
_HALVES = {"\u00bd": "0.5", "\u00bc": "0.25", "\u00be": "0.75"}


@dataclass(frozen=True)
class Language:
    """How a language says numbers."""

    decimal: str
    pattern: re.Pattern[str]
    english: dict[str, str]  # by form, lower case and with plain blanks
    behind: dict[str, str]  # of these, those that count behind a digit in any language


def languages() -> tuple[str, ...]:
    """The codes of the languages that have a file."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.tsv")))


@cache
def language_of(code: str) -> Language:
    """The language of a code, read from its file.

    Raises
    ------
    ValueError
        Where there is no file, or a line of it is not a form and its words.
    """
    path = FOLDER / f"{code}.tsv"
    if not path.is_file():
        raise ValueError(
            f"language {code!r} has no {path}; there are en, {', '.join(languages())}; leave the "
            "language empty for English rules"
        )
    decimal, english, behind = ".", {}, {}
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [(n, line) for n, line in enumerate(lines, 1) if line.strip() and line[0] != "#"]
    for number, line in rows[1:] if rows and tuple(rows[0][1].split("\t")) == HEADER else rows:
        form, tab, words = line.partition("\t")
        if not tab or not words or "\t" in words:
            raise ValueError(f"{path}, line {number}: {line[:60]!r} must have the cells {HEADER}")
        if form == "decimal":
            decimal = words
            continue
        table = behind if form.startswith("behind ") else english
        for word in words.split("|"):
            table[word.replace("-", " ")] = form.removeprefix("behind ")
    return Language(decimal, _words(english), english, behind)


def _words(english: dict[str, str]) -> re.Pattern[str]:
    forms = sorted(english, key=len, reverse=True)
    body = "|".join(re.escape(form).replace(r"\ ", "[ -]") for form in forms)
    return re.compile(rf"(?<![^\W_])(?:{body})(?:(?<=[.'%€])|(?![^\W_]))", re.IGNORECASE)


@cache
def _magnitudes() -> tuple[re.Pattern[str], dict[str, str]]:
    """The magnitudes that are known behind a digit in a text of any language."""
    table = {w: form for code in languages() for w, form in language_of(code).behind.items()}
    body = "|".join(re.escape(word) for word in sorted(table, key=len, reverse=True))
    return re.compile(rf"[0-9] ({body})(?![^\W_])", re.IGNORECASE), table


def notation_edits(text: str, language: str) -> list[Edit]:
    """What to put in place of numbers that are not written the English way."""
    found = [*_digit_edits(text, language), *_mark_edits(text)]
    pattern, table = _magnitudes()
    found += [(m.start(1), m.end(1), table[m[1].lower()]) for m in pattern.finditer(text)]
    return _apart(found)


def word_edits(text: str, language: str) -> list[Edit]:
    """What to put in place of a language's words for units, magnitudes, periods and directions."""
    if language in ("", "en"):
        return []
    known = language_of(language)
    edits = []
    for match in known.pattern.finditer(text):
        new = known.english[" ".join(re.split("[ -]", match[0].lower()))]
        edits.append((*match.span(), f"{new} " if match[0][-1] == "'" else new))  # "d'euros"
    return edits


def has_comma_decimals(text: str, language: str) -> bool:
    """Whether a document writes "1,5" for one and a half: by its sure numbers, then its language.

    >>> has_comma_decimals("1.200.000 €, of it 1.234", "")
    True
    """
    return _has_comma_decimals(list(_COMMA_LIKE.finditer(text)), text, language)


def _has_comma_decimals(like: list[re.Match[str]], text: str, language: str) -> bool:
    by_language = language not in ("", "en") and language_of(language).decimal == ","
    commas = like if by_language else [match for match in like if _is_sure(match)]
    if not commas and not by_language:
        return False
    points = sum(1 for _ in _POINT_LIKE.finditer(text))
    return len(commas) > points or by_language and len(commas) == points


def _is_sure(match: re.Match[str]) -> bool:
    """Whether a number can only have a decimal comma: by its groups, or by the unit beside it."""
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
    """Whether "816 000" is one number: by a group of noughts, two groups, or a unit beside it."""
    text, start = match.string, match.start()
    if text[start - 2 : start - 1].isdigit() and text[start - 1] == " ":
        return False
    if match[0].count(" ") > 1 or match[0].endswith(" 000") or language not in ("", "en"):
        return True
    if _CURRENCY_BEFORE.search(text[max(0, start - 6) : start]):
        return True
    if _UNIT_BEHIND.match(text, match.end()):
        return True
    return bool(counted_unit(text[match.end() : match.end() + 40].lower(), 0, 2))


def _mark_edits(text: str) -> Iterator[Edit]:
    """Seasons, "9M 2024", "x2.5", "USD(5.2)m", "GBp 150", "5c per share", "½ percent"."""
    for match in _YEARS.finditer(text):
        first, second = int(match[1]), int(match[2])
        fiscal = text[match.start() - 2 : match.start()].lower() == "fy"
        if second == (first + 1) % 100 and (fiscal or not text[match.start() - 1].isalnum()):
            lead = "" if text[: match.start()].rstrip().lower().endswith("fy") else "FY"
            yield (*match.span(), f"{lead}{int(match[0][:4]) + 1}")
    for match in (
        _SHORT_YEARS.finditer(text) if "/" in text or "\u2013" in text or "-2" in text else ()
    ):
        if int(match[3]) == (int(match[2]) + 1) % 100:
            yield (*match.span(), f"FY20{match[3]}")
    for match in _MONTHS.finditer(text):
        if not text[match.start() - 1].isalnum():
            part = "H1" if match[1] == "6" else "first nine months of"
            yield (*match.span(), f"{part} {match[2] if len(match[2]) == 4 else '20' + match[2]}")
    for match in _TIMES.finditer(text):
        if not text[match.start() - 1].isalnum():
            yield (*match.span(), f"{match[1]}x")
    for match in _LOSS.finditer(text):
        if _CODE.search(text[max(0, match.start() - 4) : match.start()]):
            yield (*match.span(), f" -{match[1]}")
    if "GBp" in text or "GBX" in text:
        for match in _PENCE.finditer(text):
            yield (*match.span(), f"{match[1]} pence" if match[1] else " pence")
    for match in _CENTS.finditer(text) if "c per " in text or "c a " in text else ():
        yield (*match.span(), " cents")
    for match in _HALF.finditer(text) if not text.isascii() else ():
        if not text[match.start() - 1].isdigit() and not text[match.start() - 2].isdigit():
            yield (*match.span(), _HALVES[match[1]])


def _apart(edits: list[Edit]) -> list[Edit]:
    """The edits in order, without those that another one overlaps."""
    kept: list[Edit] = []
    for edit in sorted(edits, key=lambda edit: (edit[0], -edit[1])):
        if not kept or edit[0] >= kept[-1][1]:
            kept.append(edit)
    return kept
