"""How a language says numbers: the words beside them, from its file.

``languages/<code>.tsv`` has forms of the English reader and what stands for them. A text's words
are replaced by the forms before it is read: "3,4 Mrd. Euro" becomes "3,4 billion euros".
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
_FIRST_DIGIT = re.compile(r"[0-9](?<![\w.,][0-9])")  # to look for it first takes less time
_NUMERAL = re.compile(_DIGITS)
_SHORT_PERIOD = re.compile(r"[ts][1-4]|[1-4][ts]", re.I)  # "T4", which is a terminal, too
_OF_PERIODS = frozenset(  # what is said in English of the words that make "T4" a quarter
    "q1 q2 q3 q4 h1 h2 9m fy loss revenue income".split() + ["net loss", "year over year"]
)
_OF_FIGURES = re.compile(r"\b20[0-9][0-9]\b|\bebitda\b|%", re.IGNORECASE)
_MONTHS = MONTHS.split("|")
PERIODS = ("q1", "q2", "q3", "q4", "h1", "h2", "9m", "fy")


@dataclass(frozen=True)
class Language:
    """How a language says numbers."""

    decimal: str
    pattern: re.Pattern[str]  # of a text in lower case
    dates: re.Pattern[str] | None  # "26 de junio de 2025"
    english: dict[str, str]  # by form, lower case and with plain blanks; {n} is a number
    behind: dict[str, str]  # of these, those that count behind a digit in any language
    decimal_elsewhere: str  # the mark of other countries of this language, empty where none differ
    elsewhere: re.Pattern[str] | None  # words that name these countries' currencies
    numerals: dict[str, float]  # words of spelled-out numbers
    joint: str  # of two such words: "and", "tens and", "ones and", or empty for a blank alone
    joint_word: str


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
        If there is no file, or a line of it is not a form and its words.
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
    numerals: dict[str, float] = {}
    joint = joint_word = ""
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
        if form.startswith("numeral ") and form.endswith("and"):
            joint, joint_word = form.removeprefix("numeral "), words
            continue
        if form.startswith("numeral "):
            value = form.removeprefix("numeral ")
            if not _NUMERAL.fullmatch(value):
                raise ValueError(f"{path}, line {number}: {form!r} must name a number or a joint")
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
    """Return a pattern of any of the words, the longest first; blanks may be hyphens."""
    by_first: dict[str, list[str]] = {}  # so that a place in a text is compared with few words
    for word in sorted(words, key=len, reverse=True):
        counted = word.startswith("{n}") or word[:1].isdigit()
        first, rest = ("(?=[0-9])", word) if counted else (re.escape(word[:1]), word[1:])
        by_first.setdefault(first, []).append(re.escape(rest))
    body = "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in by_first.items())
    return body.replace(r"\ ", "[ -]").replace(r"\{n\}", _DIGITS)


def _words(english: dict[str, str]) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_])(?<![0-9][.,])(?:{any_of(english)})(?:(?<=[.'%€])|(?![^\W_]))")


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
        rf"([0-3]?[0-9]){nth} {of}({any_of(months)})(?![^\W_])"
        rf"(?: {of}((?:19|20)[0-9][0-9])(?![\w%]|[.,][0-9]))?",
        re.IGNORECASE,
    )


@cache
def magnitudes_behind() -> tuple[re.Pattern[str], dict[str, str]]:
    """The magnitudes that are known behind a digit in a text of any language."""
    table = {w: form for code in languages() for w, form in language_of(code).behind.items()}
    initials = "".join(sorted({word[0] for word in table}))
    return re.compile(
        rf"[0-9]\)? (?=[{initials}])(?!(?:m|b|tr)illions?\b)({any_of(table)})(?![^\W_])",
        re.IGNORECASE,
    ), table


def periods_in_english(text: str) -> str:
    """A line with the periods and dates of all languages' files in English.

    For titles and fields that are too short to tell their language.

    >>> periods_in_english("3. Quartal 2024"), periods_in_english("30 de octubre de 2024")
    ('q3 2024', '30 October 2024')
    """
    for code in languages():
        text = quarters_in_english(text, code)
        for start, end, new in reversed(apart(_date_edits(text, language_of(code)))):
            text = text[:start] + new + text[end:]
    return text


def quarters_in_english(text: str, language: str) -> str:
    """A text with a language's quarters, halves and years in English; English text as it is.

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
    """Return a pattern of the words that are a magnitude or a percent sign in some language."""
    words = set()
    for code in languages():
        for form, english in language_of(code).english.items():
            if english.split(" ")[0] in ("thousand", "million", "billion", "trillion", "percent"):
                words.add(form)
    return any_of(word for word in words if word[0].isalpha())


def word_edits(text: str, language: str) -> list[Edit]:
    """What to put in place of a language's words for units, magnitudes, periods and directions."""
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
    """Whether "T4" is a quarter: no terminal is near, and the text speaks of periods or results."""
    if any(new == "terminal" and abs(one.start() - match.start()) < 40 for one, new in said):
        return False
    others = (new for one, new in said if one[0] != match[0])
    return _OF_FIGURES.search(text) is not None or not _OF_PERIODS.isdisjoint(others)


def in_lower_case(text: str) -> str:
    """Return the text in lower case, of the same length."""
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
    """The edits that put new words in place of a form, and leave its number where it stands."""
    number = _NUMERAL.search(match[0])
    if number is None or number[0] not in new:
        return [(*match.span(), new)]
    before, _, behind = new.partition(number[0])
    start, end = (match.start() + offset for offset in number.span())
    edits = [(match.start(), start, before), (end, match.end(), behind)]
    return [edit for edit in edits if edit[0] < edit[1] or edit[2]]


def _in_english(form: str, english: dict[str, str]) -> str:
    """Return the English of a form, which may have a number where the file has {n}."""
    if form in english:
        return english[form]
    for number in _NUMERAL.finditer(form):
        general = f"{form[: number.start()]}{{n}}{form[number.end() :]}"
        if general in english:
            return english[general].replace("{n}", number[0])
    raise AssertionError(form)  # the pattern is made of the forms


def form_of(words: str) -> str:
    """Return words as a language's file writes them."""
    return words.lower().replace("-", " ")


def apart(edits: list[Edit]) -> list[Edit]:
    """The edits in order, without those that another one overlaps."""
    kept: list[Edit] = []
    for edit in sorted(edits, key=lambda edit: (edit[0], -edit[1])):
        if not kept or edit[0] >= kept[-1][1]:
            kept.append(edit)
    return kept
