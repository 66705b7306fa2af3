"""Number words of other languages, read from the language files.

``languages/<code>.tsv`` lists English forms and the words of the language for them. The words of a
text are replaced by the English forms before it is read: "3,4 Mrd. Euro" becomes "3,4 billion
euros".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from finllm.numbers.notations import Edit
from finllm.numbers.periods import MONTHS

FOLDER = Path(__file__).with_name("languages")
HEADER = ("form", "words")
_DIGITS = r"[0-9]+(?:[.,:][0-9]+)*"
_FIRST_DIGIT = re.compile(r"[0-9](?<![\w.,][0-9])")  # finding it first takes less time
_NUMERAL = re.compile(_DIGITS)
_SHORT_PERIOD = re.compile(r"[ts][1-4]|[1-4][ts]", re.I)  # "T4" can also be a terminal
_OF_PERIODS = frozenset(  # English forms of the words near which "T4" is a quarter
    "q1 q2 q3 q4 h1 h2 9m fy loss revenue income".split() + ["net loss", "year over year"]
)
_OF_FIGURES = re.compile(r"\b20[0-9][0-9]\b|\bebitda\b|%", re.IGNORECASE)
_MONTHS = MONTHS.split("|")
PERIODS = ("q1", "q2", "q3", "q4", "h1", "h2", "9m", "fy")


@dataclass(frozen=True)
class Language:
    """Number words and number format of a language."""

    decimal: str
    pattern: re.Pattern[str]  # for a text in lower case
    dates: re.Pattern[str] | None  # "26 de junio de 2025"
    english: dict[str, str]  # English by word, in lower case, blanks for hyphens; {n} is a number
    behind: dict[str, str]  # English by word, read after a digit in a text of any language
    decimal_elsewhere: str  # decimal mark of other countries of this language, or empty
    elsewhere: re.Pattern[str] | None  # words for the currencies of these countries
    numerals: dict[str, float]  # value by word, for spelled-out numbers
    joint: str  # between such words: "and", "tens and", "ones and", or empty for a blank
    joint_word: str


def languages() -> tuple[str, ...]:
    """Return the codes of the languages that have a file."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.tsv")))


def rules_for(code: str) -> str:
    """Return the code if this language has a file of number words, otherwise "" for English rules.

    >>> rules_for("fr"), rules_for("en"), rules_for("ja")
    ('fr', '', '')
    """
    known = code.isalpha() and code != "en" and (FOLDER / f"{code}.tsv").is_file()
    return code if known else ""


@cache
def language_of(code: str) -> Language:
    """Read the number words of a language from its file.

    Raises
    ------
    ValueError
        If there is no file, or a line is not a form and its words, or has an invalid numeral.
    """
    path = FOLDER / f"{code}.tsv"
    if not path.is_file():
        raise ValueError(
            f"no number words for language {code!r} ({path} is missing); available: en, "
            f"{', '.join(languages())}; leave the language empty for English rules"
        )
    decimal, other, words_of_others = ".", "", ""
    english: dict[str, str] = {}
    behind: dict[str, str] = {}
    numerals: dict[str, float] = {}
    joint = joint_word = ""
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [(n, line) for n, line in enumerate(lines, 1) if line.strip() and line[0] != "#"]
    for number, line in rows[1:] if rows and tuple(rows[0][1].split("\t")) == HEADER else rows:
        form, tab, words = line.partition("\t")
        if not tab or not words or "\t" in words:
            raise ValueError(
                f"{path}, line {number}: {line[:60]!r} must have two tab-separated cells, form "
                "and words"
            )
        if form == "decimal":
            decimal = words
            continue
        if form.startswith("decimal "):
            other, words_of_others = form.removeprefix("decimal "), words
            continue
        if form.startswith("numeral ") and form.endswith("and"):
            joint, joint_word = form.removeprefix("numeral "), words
            continue
        if form.startswith("numeral "):
            value = form.removeprefix("numeral ")
            if not _NUMERAL.fullmatch(value):
                raise ValueError(
                    f"{path}, line {number}: {form!r} must name a number or a connective"
                )
            numerals |= dict.fromkeys(words.split("|"), float(value))
            continue
        table = behind if form.startswith("behind ") else english
        for word in words.split("|"):
            table[word.replace("-", " ")] = form.removeprefix("behind ")
    others = rf"(?<![^\W_])(?:{any_of(words_of_others.split('|'))})(?:(?<=[$/])|(?![^\W_]))"
    return Language(
        decimal,
        _words(english),
        _dates(english),
        english,
        behind,
        other,
        re.compile(others, re.IGNORECASE) if other else None,
        numerals,
        joint,
        joint_word,
    )


def any_of(words: Iterable[str]) -> str:
    """Return a pattern for any of the words, the longest first; blanks also match hyphens."""
    by_first: dict[str, list[str]] = {}  # so that few words are tried at each position of a text
    for word in sorted(words, key=len, reverse=True):
        counted = word.startswith("{n}") or word[:1].isdigit()
        first, rest = ("(?=[0-9])", word) if counted else (re.escape(word[:1]), word[1:])
        by_first.setdefault(first, []).append(re.escape(rest))
    body = "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in by_first.items())
    return body.replace(r"\ ", "[ -]").replace(r"\{n\}", _DIGITS)


def _words(english: dict[str, str]) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_])(?<![0-9][.,])(?:{any_of(english)})(?:(?<=[.'%€])|(?![^\W_]))")


def _dates(english: dict[str, str]) -> re.Pattern[str] | None:
    """Return the pattern of a day and a month with an optional year, or None without months."""
    months = [form for form, words in english.items() if words.lower() in _MONTHS]
    if not months:
        return None
    of = "|".join(re.escape(form) for form, words in english.items() if words == "of")
    of = rf"(?:(?:{of}) )?" if of else ""
    nth = r"(?:\.?[º°]|\.|er|ª)?"
    return re.compile(
        rf"(?<![\w.,])(?:([0-3]?[0-9]){nth} [^\W\d_]{{1,3}} )?"  # "3 au 5 mars"
        rf"([0-3]?[0-9]){nth} {of}({any_of(months)})(?![^\W_])"
        rf"(?: {of}((?:19|20)[0-9][0-9])(?![\w%]|[.,][0-9]))?",
        re.IGNORECASE,
    )


@cache
def magnitudes_behind() -> tuple[re.Pattern[str], dict[str, str]]:
    """Return a pattern of the magnitudes read after a digit in any language, and their English."""
    table = {w: form for code in languages() for w, form in language_of(code).behind.items()}
    initials = "".join(sorted({word[0] for word in table}))
    return re.compile(
        rf"[0-9]\)? (?=[{initials}])(?!(?:m|b|tr)illions?\b)({any_of(table)})(?![^\W_])",
        re.IGNORECASE,
    ), table


def periods_in_english(text: str) -> str:
    """Return a line with its periods and dates, in any language with a file, put into English.

    Use it for titles and fields that are too short to tell their language.

    >>> periods_in_english("3. Quartal 2024"), periods_in_english("30 de octubre de 2024")
    ('q3 2024', '30 October 2024')
    """
    for code in languages():
        text = quarters_in_english(text, code)
        for start, end, new in reversed(apart(_date_edits(text, language_of(code)))):
            text = text[:start] + new + text[end:]
    return text


def quarters_in_english(text: str, language: str) -> str:
    """Return a text with a language's quarters, halves and years put into English.

    English text, and that of a language without a file, is returned unchanged.

    >>> quarters_in_english("Im dritten Quartal 2024 stieg der Umsatz.", "de")
    'Im q3 2024 stieg der Umsatz.'
    """
    if not rules_for(language):
        return text
    pattern, table = _periods(language)
    return pattern.sub(lambda match: table[form_of(match[1])], text)


@cache
def _periods(code: str) -> tuple[re.Pattern[str], dict[str, str]]:
    english = language_of(code).english
    table = {form: words for form, words in english.items() if words in PERIODS}
    of = [form for form, words in english.items() if words == "of"]
    link = rf"(?: (?:{any_of(of)})(?= [12]\d))?" if of else ""
    forms = any_of(table) if table else "(?!)"
    return re.compile(rf"(?<![^\W_])({forms})(?![^\W_]){link}", re.IGNORECASE), table


def magnitude_words() -> str:
    """Return a pattern of the words for a magnitude or a percent sign in any language."""
    words = set()
    for code in languages():
        for form, english in language_of(code).english.items():
            if english.split(" ")[0] in ("thousand", "million", "billion", "trillion", "percent"):
                words.add(form)
    return any_of(word for word in words if word[0].isalpha())


def word_edits(text: str, language: str) -> list[Edit]:
    """Return the edits that put a language's words around numbers into English.

    They are its dates, and its words for units, magnitudes, periods and directions.
    """
    if language in ("", "en"):
        return []
    known = language_of(language)
    edits = _date_edits(text, known)
    said = [
        (match, _in_english(form_of(match[0]), known.english))
        for match in known.pattern.finditer(in_lower_case(text))
    ]
    for match, new in said:
        if _SHORT_PERIOD.fullmatch(match[0]) and not _is_period(text, match, said):
            continue
        glued = match[0][-1] in "'." and text[match.end()].isalnum()  # "d'euros", "Nr.4"
        edits += _around_number(match, f"{new} " if glued else new)
    return apart(edits)


def _is_period(text: str, match: re.Match[str], said: list[tuple[re.Match[str], str]]) -> bool:
    """Return whether "T4" is a quarter: no terminal is near and the text has periods or results."""
    if any(new == "terminal" and abs(one.start() - match.start()) < 40 for one, new in said):
        return False
    others = (new for one, new in said if one[0] != match[0])
    return _OF_FIGURES.search(text) is not None or not _OF_PERIODS.isdisjoint(others)


def in_lower_case(text: str) -> str:
    """Return the text in lower case with its length unchanged."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def _date_edits(text: str, known: Language) -> list[Edit]:
    edits = []
    for digit in _FIRST_DIGIT.finditer(text) if known.dates is not None else ():
        match = known.dates.match(text, digit.start())
        if match is None:
            continue
        first, day, month, year = match.groups()
        month = known.english[form_of(month)]
        words = f"{first} {month} to {day} {month}" if first else f"{day} {month}"
        edits.append((*match.span(), f"{words} {year}" if year else words))
    return edits


def _around_number(match: re.Match[str], new: str) -> list[Edit]:
    """Return the edits that replace a form with new words but keep its number in place."""
    number = _NUMERAL.search(match[0])
    if number is None or number[0] not in new:
        return [(*match.span(), new)]
    before, _, behind = new.partition(number[0])
    start, end = (match.start() + offset for offset in number.span())
    edits = [(match.start(), start, before), (end, match.end(), behind)]
    return [edit for edit in edits if edit[0] < edit[1] or edit[2]]


def _in_english(form: str, english: dict[str, str]) -> str:
    """Return the English for a form, which may have a number where the file has {n}."""
    if form in english:
        return english[form]
    for number in _NUMERAL.finditer(form):
        general = f"{form[: number.start()]}{{n}}{form[number.end() :]}"
        if general in english:
            return english[general].replace("{n}", number[0])
    raise AssertionError(form)  # unreachable: the pattern is made of the forms


def form_of(words: str) -> str:
    """Return words in the form used as keys: lower case, with blanks for hyphens."""
    return words.lower().replace("-", " ")


def apart(edits: list[Edit]) -> list[Edit]:
    """Return the edits in order, without those that overlap an earlier one."""
    kept: list[Edit] = []
    for edit in sorted(edits, key=lambda edit: (edit[0], -edit[1])):
        if not kept or edit[0] >= kept[-1][1]:
            kept.append(edit)
    return kept
