"""Translation of spelled-out numbers of other languages into English words.

"treinta y cinco mil" becomes "thirty-five thousand", "fünfunddreißig" becomes "thirty-five", and
"deux mille vingt-cinq", a year, becomes "2025". The words come from the languages' files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from finllm.numbers.notations import Edit
from finllm.numbers.vocabulary import Language, any_of, form_of, in_lower_case, language_of
from finllm.numbers.words import ONES, TENS

_ENGLISH = {value: word for word, value in (ONES | TENS).items()}
_MAGNITUDE = re.compile(r"(?:thousand|million|billion|trillion)\b")
_Word = tuple[int, int, float, bool]  # start, end, value, whether the joint precedes it


def numeral_edits(text: str, language: str) -> list[Edit]:
    """Return the edits that put the spelled-out numbers of a language into English.

    >>> numeral_edits("treinta y cinco mil euros", "es")
    [(0, 19, 'thirty-five thousand')]
    """
    if language in ("", "en") or not language_of(language).numerals:
        return []
    known = language_of(language)
    runs, word, values = _patterns(language)
    edits = []
    lower = in_lower_case(text)
    for run in runs.finditer(lower):
        words, end = [], run.start()
        for match in word.finditer(lower, run.start(), run.end()):
            if _begins_form(known, match, run.end()):
                break  # "mil gracias"
            joined = known.joint_word in lower[end : match.start()].split()
            end = match.end()
            words.append((match.start(), end, values[form_of(match[0])], joined))
        edits += _edits_of(lower, words, known)
    return edits


@cache
def _patterns(language: str) -> tuple[re.Pattern[str], re.Pattern[str], dict[str, float]]:
    """Return the pattern of a run of number words, the pattern of one word, and their values."""
    known = language_of(language)
    values, joint = dict(known.numerals), re.escape(known.joint_word)
    if known.joint == "ones and":
        ones = [(word, value) for word, value in values.items() if 1 <= value < 10]
        tens = [(word, value) for word, value in values.items() if 20 <= value < 100]
        values |= {f"{o}{known.joint_word}{t}": a + b for o, a in ones for t, b in tens}
        scales = any_of(word for word, value in values.items() if value in (100, 1000))
        between = f"(?:{joint}| (?={scales}))?"  # "zwei tausend"
    else:
        between = f"(?: {joint} |[ -])" if joint else "[ -]"
    initials = "".join(sorted({word[0] for word in values}))
    words = any_of(values)
    if known.joint != "ones and":
        words = rf"(?:{words})(?![^\W_])"
    # the second word of "por ciento" is not a number
    percents = [form.rsplit(" ", 1) for form, sign in known.english.items() if sign == "percent"]
    not_behind = "".join(
        rf"(?<!\b{re.escape(form[0])}[ -].)" for form in percents if form[-1] in values and form[1:]
    )
    # begins with a single character class, which `finditer` can skip ahead to
    first = rf"[{initials}](?<![^\W_].)(?<![0-9][.,].){not_behind}"
    first += f"(?:{'|'.join(_behind_initial(values, initials))})"
    if known.joint != "ones and":
        first += r"(?![^\W_])"
    runs = rf"{first}(?:{between}(?:{words}))*(?![^\W_]|-[^\W\d_])"
    return re.compile(runs), re.compile(words), values


def _behind_initial(values: dict[str, float], initials: str) -> Iterator[str]:
    """Yield for each first letter a pattern of the rest of the words that begin with it."""
    for initial in initials:
        rests = [word[1:] for word in values if word[0] == initial]
        yield f"(?<={initial})(?:{any_of(rest for rest in rests if rest)})"


def _begins_form(known: Language, match: re.Match[str], end: int) -> bool:
    """Return whether a longer form begins with a word of a run: an idiom, or "two thirds"."""
    form = known.pattern.match(match.string, match.start())
    if form is None or form.end() <= end:
        return False
    return not _MAGNITUDE.search(known.english.get(form_of(form[0]), ""))


def _edits_of(text: str, words: list[_Word], known: Language) -> Iterator[Edit]:
    """Yield the edits of the numbers in a run, except single words that are forms of their own."""
    at = 0
    while at < len(words):
        value, taken = _take(words[at:], known.joint)
        start, end = words[at][0], words[at + taken - 1][1]
        first, at = words[at][2], at + taken
        before = text[max(0, start - 16) : start].split()[-1:]  # "1.500 mil", "einige hundert"
        counted = before and (before[0][-1].isdigit() or known.english.get(before[0]) == "several")
        if known.joint == "ones and" and taken < len(words):
            return  # not a number, since these languages write a number as one word
        if taken == 1 and first < 1000 and form_of(text[start:end]) in known.english:
            continue
        if value > 1 and not (first >= 100 and counted):
            yield start, end, _in_english(value)


def _take(words: list[_Word], joint: str) -> tuple[float, int]:
    """Return the number at the start of a run of words, and how many words it has."""
    total, group = 0.0, 0.0
    room, reached = 1000, 0  # the next word must be below `room`
    for nth, (_, _, value, joined) in enumerate(words):
        if nth and joined and joint == "tens and" and room != 10:
            return total + group, nth
        if value == 1000:
            if total:  # belongs to the next number: "mil e dois mil", "mil e quinhentos e três mil"
                whole = nth > reached + 1 and words[reached][3] and words[reached][2] >= 100
                return (total + words[reached][2], reached + 1) if whole else (total, reached)
            total, group, room, reached = 1000 * max(group, 1), 0, 1000, nth + 1
        elif value == 100 and 0 < group < 20 and room == 1:
            group, room = 100 * group, 100
        elif value < room:
            group += value
            room = 100 if value >= 100 else 10 if value >= 20 and value % 10 == 0 else 1
        else:
            return total + group, nth
    return total + group, len(words)


def _in_english(value: float) -> str:
    """Return a number below a million in English words, or a year in digits.

    >>> _in_english(12540), _in_english(2025), _in_english(6.5)
    ('twelve thousand five hundred forty', '2025', 'six and a half')
    """
    whole = int(value)
    if value % 1:
        return f"{_in_english(whole)} and a half"
    if 1900 <= whole < 2100 and whole % 100:
        return str(whole)
    thousands, rest = divmod(whole, 1000)
    hundreds, below = divmod(rest, 100)
    said = [_in_english(thousands), "thousand"] if thousands else []
    said += [_ENGLISH[hundreds], "hundred"] if hundreds else []
    if below:
        ten, one = (0, below) if below < 20 else divmod(below, 10)
        said.append("-".join(_ENGLISH[part] for part in (10 * ten, one) if part))
    return " ".join(said)
