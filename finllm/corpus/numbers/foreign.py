"""Numbers in the notations of the world, written the English way before they are read.

"1.200.000 €" becomes "1,200,000 €", "1,2 Mrd." "1.2 billion", "FY 23/24" "FY2024". Where a number
reads both ways ("1.234"), the document's own numbers decide, else its language. What the words of a
language stand for is data: ``languages/<code>.tsv``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from finllm.corpus.numbers.counts import counted_unit
from finllm.corpus.numbers.notations import amount_edits, cent_edits, period_edits
from finllm.corpus.numbers.periods import MONTHS
from finllm.corpus.numbers.unit_first import unit_edits
from finllm.corpus.numbers.units import CODES

FOLDER = Path(__file__).with_name("languages")
HEADER = ("form", "words")
Edit = tuple[int, int, str]

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
_COMMA_GROUP = re.compile(rf"{_FIRST}(?<!0)[0-9]{{0,2}},[0-9]{{3}}(?![0-9]|[.,][0-9])")
_POINT_GROUP = re.compile(rf"{_FIRST}[0-9]{{0,2}}\.[0-9]{{3}}(?![0-9]|[.,][0-9])")
_DIGITS = r"[0-9]+(?:[.,:][0-9]+)*"
_NUMERAL = re.compile(_DIGITS)
_MONTHS = MONTHS.split("|")
_ODD = re.compile(  # one pass that says which of the others are needed; most calls need none
    r"[0-9](?:(?P<digits>,[0-9][0-9]?(?![0-9,])|\.[0-9]{3}[,.][0-9]| [0-9]{3}(?![0-9]))"
    r"|(?P<period> ?[/\u2013-] ?['\u2019]?(?:20)?[0-9][0-9](?!\d)|[Mm][ 'F0-9])"
    r"|(?P<cents>c(?![\w'-])))"
)
_SPACED = re.compile(
    rf"{_FIRST}[0-9]{{0,2}}(?: [0-9]{{3}})+(,[0-9]{{1,2}})?(?![0-9]|[.,][0-9]| [0-9])"
)


@dataclass(frozen=True)
class Language:
    """How a language says numbers."""

    decimal: str
    pattern: re.Pattern[str]
    dates: re.Pattern[str] | None  # "26 de junio de 2025"
    english: dict[str, str]  # by form, lower case and with plain blanks; {n} is a number
    behind: dict[str, str]  # of these, those that count behind a digit in any language
    decimal_elsewhere: str  # the mark of other countries of this language, empty where none differ
    elsewhere: re.Pattern[str] | None  # words that name these countries' currencies


def languages() -> tuple[str, ...]:
    """The codes of the languages that have a file."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.tsv")))


def rules_for(code: str) -> str:
    """A language whose numbers have a file as it is, any other as "", for English rules.

    >>> rules_for("fr"), rules_for("en"), rules_for("ja")
    ('fr', '', '')
    """
    known = code.isalpha() and code != "en" and (FOLDER / f"{code}.tsv").is_file()
    return code if known else ""


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
    decimal, other, words_of_others = ".", "", ""
    english: dict[str, str] = {}
    behind: dict[str, str] = {}
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [(n, line) for n, line in enumerate(lines, 1) if line.strip() and line[0] != "#"]
    for number, line in rows[1:] if rows and tuple(rows[0][1].split("\t")) == HEADER else rows:
        form, tab, words = line.partition("\t")
        if not tab or not words or "\t" in words:
            raise ValueError(f"{path}, line {number}: {line[:60]!r} must have the cells {HEADER}")
        if form == "decimal":
            decimal = words
            continue
        if form.startswith("decimal "):
            other, words_of_others = form.removeprefix("decimal "), words
            continue
        table = behind if form.startswith("behind ") else english
        for word in words.split("|"):
            table[word.replace("-", " ")] = form.removeprefix("behind ")
    others = rf"(?<![^\W_])(?:{_any(words_of_others.split('|'))})(?:(?<=[$/])|(?![^\W_]))"
    return Language(
        decimal,
        _words(english),
        _dates(english),
        english,
        behind,
        other,
        re.compile(others, re.IGNORECASE) if other else None,
    )


def _any(words: Iterable[str]) -> str:
    """Return a pattern of any of the words, the longest first; blanks may be hyphens."""
    body = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return body.replace(r"\ ", "[ -]").replace(r"\{n\}", _DIGITS)


def _words(english: dict[str, str]) -> re.Pattern[str]:
    return re.compile(
        rf"(?<![^\W_])(?<![0-9][.,])(?:{_any(english)})(?:(?<=[.'%€])|(?![^\W_]))", re.IGNORECASE
    )


def _dates(english: dict[str, str]) -> re.Pattern[str] | None:
    """Return the pattern of a day and a month, and the year behind them."""
    months = [form for form, words in english.items() if words.lower() in _MONTHS]
    if not months:
        return None
    of = "|".join(re.escape(form) for form, words in english.items() if words == "of")
    of = rf"(?:(?:{of}) )?" if of else ""
    nth = r"(?:\.?[º°]|\.|er|ª)?"
    return re.compile(
        rf"(?<![\w.,])(?:([0-3]?[0-9]){nth} [^\W\d_]{{1,3}} )?"  # "3 au 5 mars"
        rf"([0-3]?[0-9]){nth} {of}({_any(months)})(?![^\W_])"
        rf"(?: {of}((?:19|20)[0-9][0-9])(?![\w%]|[.,][0-9]))?",
        re.IGNORECASE,
    )


@cache
def _magnitudes() -> tuple[re.Pattern[str], dict[str, str]]:
    """The magnitudes that are known behind a digit in a text of any language."""
    table = {w: form for code in languages() for w, form in language_of(code).behind.items()}
    initials = "".join(sorted({word[0] for word in table}))
    return re.compile(
        rf"[0-9]\)? (?=[{initials}])(?!(?:m|b|tr)illions?\b)({_any(table)})(?![^\W_])",
        re.IGNORECASE,
    ), table


def magnitude_words() -> str:
    """Return a pattern of the words that are a magnitude or a percent sign in some language."""
    words = set()
    for code in languages():
        for form, english in language_of(code).english.items():
            if english.split(" ")[0] in ("thousand", "million", "billion", "trillion", "percent"):
                words.add(form)
    return _any(word for word in words if word[0].isalpha())


def notation_edits(text: str, language: str) -> list[Edit]:
    """What to put in place of numbers that are not written the English way."""
    odd = {match.lastgroup for match in _ODD.finditer(text)}
    found = [*amount_edits(text), *unit_edits(text)]
    if "digits" in odd or language not in ("", "en"):
        found += _digit_edits(text, language)
    if "cents" in odd:
        found += cent_edits(text)
    if "period" in odd:
        found += period_edits(text)
    pattern, table = _magnitudes()
    found += [(m.start(1), m.end(1), table[m[1].lower()]) for m in pattern.finditer(text)]
    return _apart(found)


def word_edits(text: str, language: str) -> list[Edit]:
    """What to put in place of a language's words for units, magnitudes, periods and directions."""
    if language in ("", "en"):
        return []
    known = language_of(language)
    edits = []
    if known.dates is not None:
        for match in known.dates.finditer(text):
            first, day, month, year = match.groups()
            month = known.english[_form(month)]
            words = f"{first} {month} to {day} {month}" if first else f"{day} {month}"
            edits.append((*match.span(), f"{words} {year}" if year else words))
    for match in known.pattern.finditer(text):
        new = _in_english(_form(match[0]), known.english)
        glued = match[0][-1] in "'." and text[match.end()].isalnum()  # "d'euros", "Nr.4"
        edits.append((*match.span(), f"{new} " if glued else new))
    return _apart(edits)


def _in_english(form: str, english: dict[str, str]) -> str:
    """Return the English of a form, which may have a number where the file has {n}."""
    if form in english:
        return english[form]
    for number in _NUMERAL.finditer(form):
        general = f"{form[: number.start()]}{{n}}{form[number.end() :]}"
        if general in english:
            return english[general].replace("{n}", number[0])
    raise AssertionError(form)  # the pattern is made of the forms


def _form(words: str) -> str:
    """Return words as a language's file writes them."""
    return words.lower().replace("-", " ")


def has_comma_decimals(text: str, language: str) -> bool:
    """Whether a document writes "1,5" for one and a half: by its sure numbers, then its language.

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
    """Whether a document that settles nothing is of a country with the other decimal mark.

    It is where it names that country's currency, or where it has several commas and each of them
    has three digits behind it, as thousands have.
    """
    if known.elsewhere is not None and known.elsewhere.search(text):
        return True
    return len(_COMMA_GROUP.findall(text)) > 1 and _POINT_GROUP.search(text) is None


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
    if text[start - 2 : start - 1].isdigit() and text[start - 1] == " " or text[start] == "0":
        return False
    if match[0].count(" ") > 1 or match[0].endswith(" 000") or language not in ("", "en"):
        return True
    if _CURRENCY_BEFORE.search(text[max(0, start - 6) : start]):
        return True
    if _UNIT_BEHIND.match(text, match.end()):
        return True
    return bool(counted_unit(text[match.end() : match.end() + 40].lower(), 0, 2))


def _apart(edits: list[Edit]) -> list[Edit]:
    """The edits in order, without those that another one overlaps."""
    kept: list[Edit] = []
    for edit in sorted(edits, key=lambda edit: (edit[0], -edit[1])):
        if not kept or edit[0] >= kept[-1][1]:
            kept.append(edit)
    return kept
