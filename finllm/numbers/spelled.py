"""Numbers and periods that begin with a word: "fifty-six cents", "half a million", "Q3"."""

from __future__ import annotations

import re

from finllm.numbers.atom import Atom, alternatives, apply_tail, match_tail
from finllm.numbers.periods import PERIOD_STARTS, parse_period
from finllm.numbers.units import MAGNITUDES
from finllm.numbers.words import FRACTIONS, ONES, SCALES, TENS, parse_fraction, parse_spelled

_MANY = alternatives(word for word in (*ONES, *TENS) if word not in ("zero", "one"))
MAY_BEGIN = (  # the first letters of the words below, since most words are none of them
    r"(?=f(?:i[rnsvf]|our|ort|ront|y|ull)|s(?:e[cv]|ix)|t(?:h(?:ir|re)|w|en)|one|an? |half|e[il]"
    r"|nin|[1-4][snrt]|back|lat|q[1-4uo/]|h[1-4]|y(?:ear|oy|/y|-o|td)|month|zero)"
)
_WORD = (
    rf"{MAY_BEGIN}((?:{PERIOD_STARTS})|((?:{_MANY})(?:fold)?\b"
    r"|zero (?=(?:percent|times|cents|basis|point)\b)"
    r"|one(?=(?: to | or |-to-)(?:two|three|four|five|\d))"
    r"|one[ -](?:hundred|thousand|million|billion|trillion|crore|point|percent|per cent|basis"
    r"|cent|dollar|and (?:a|one|two|three)[ -](?:half|thirds?|quarters?|fourths?)|half|third"
    r"|quarter|fourth|fifth|tenth)"
    r"|an?(?= (?:hundred|thousand|million|billion|trillion|third|fifth|half|couple|dozen|dollar"
    r"|buck|basis point|tenth of|eighth of|sixth of|quarter of"
    r"|quarter (?:percent(?:age points?)?|point|billion|million))\b)"
    r"|half(?= (?:an? |of (?:1|one|an?) ?)?"
    r"(?:dozen|million|billion|percent(?:age points?)?|%|point|trillion|cent|basis)\b)"
    r"|half(?= of (?:the|our|all|its|their|that|this|those|these|total|them|us|it|which)\b"
    r"(?! (?:(?:fiscal |calendar )?year(?!-over)|20\d\d|month|quarter)))"
    r"|half(?= (?:the|our|its|their) (?!time|battle|way|story|year|quarter|month|century|day))"
    r"|quarter (?=(?:point|percent(?:age points?)?|of an? (?:percent(?:age points?)?|point))\b)))"
)
# one pattern for each character before a word: a pattern with a fixed first character is faster
WORDS = tuple(re.compile(re.escape(before) + _WORD) for before in ' \n("“—/-')
_FOLD = re.compile(rf"({_MANY})fold\b")
_COUPLE = re.compile(r"a couple(?: of)? (hundred|thousand|million|billion|percent|basis|points?|%)")
_FRACTION = re.compile(
    r"(?:(?:an?|one|two|three|four|five|six|seven|eight|nine)[ -])?"
    rf"({alternatives(FRACTIONS)})\b(?![ -]over)"
)
_OF_A_UNIT = re.compile(
    r" (?:of )?(?:an? |(?:of )?(?:1|one) ?)?(million|billion|trillion|thousand|percentage points?"
    r"|percent|%|points?|basis points?|cents?|dollars?)(?![a-z])"
)
_OF_SOMETHING = re.compile(r" of \w| (?:the|our|its|their) ")
_OF_WHOLE = re.compile(
    r" of (?:the|our|its|their|all|that|this|those|these|total|my|your)\b(?! year)"
)
_OF_TIME = re.compile(
    r" of (?:the|a|this|that|last|next) (?:fiscal |calendar |full )?(?:year|century)|(?! of)"
)
_SHARE = re.compile(
    r"(?:one|two|three|four|five|seven|nine)-(?:half|third|quarter|fourth|fifth|eighth|tenth)s?"
    r"|(?:two|three|four) (?:thirds|fourths|fifths|tenths)|one third"
)
_PART_BEFORE = re.compile(
    r"\b(?:first|second|back|front|latter|last|other|top|bottom|best|early|upper|lower|this|late"
    r"|next|better)[ -]$"
)
_MAJORITY = re.compile(r"(?:two|three)[ -](?:thirds|quarters|fourths|fifths)[ -](?:super-?)?maj")
_YEAR = re.compile(
    r"twenty (?:(ten|eleven|twelve|[a-z]+teen)|(twenty|thirty)"
    r"(?:[ -](one|two|three|four|five|six|seven|eight|nine))?)\b(?! (?:percent|million))"
)


def may_hold_word(text: str) -> bool:
    """Return whether a lower-case text may have a number or a period that begins with a word."""
    return any(pattern.search(text) for pattern in WORDS)


def word_atom(text: str, match: re.Match[str]) -> Atom | None:
    """Return the atom of a match of `WORDS`, or None if no number or period begins there."""
    start = match.start(1)
    if text[start - 1] == "-" and not text.endswith("-to-", 0, start):
        return None
    if match[2] is None:
        period = parse_period(text, start)
        return None if period is None else Atom(start, period[1], 0.0, 1.0, "period", period[0])
    if _MAJORITY.match(text, start):
        return None
    atom = _fraction(text, start) or _year(text, start) or _fold(text, start)
    return atom or _couple(text, start) or _spelled(text, start)


def _spelled(text: str, start: int) -> Atom | None:
    """Return a spelled-out number with its magnitude and unit, or None."""
    if text.startswith(("a dollar and a half", "a buck and a half"), start):
        end = start + len("a dollar and a half") - 2 * (text[start + 2] == "b")
        atom = Atom(start, end, 1.5, 0.1, "money", "USD")
        atom.worded = True
        return atom
    if text.startswith(("a dollar", "a buck", "a basis point"), start):
        number, quantum, end = 1.0, 1.0, start + 1
    elif text.startswith("half a dozen", start):
        number, quantum, end = 6.0, 1.0, start + 12
    elif text.startswith("a dozen", start):
        number, quantum, end = 12.0, 1.0, start + 7
    else:
        parsed = parse_spelled(text, start)
        if parsed is None:
            return None
        number, quantum, end = parsed
    last = re.split("[ -]", text[start:end])[-1]
    scale = 1.0 if last == "hundred" else SCALES.get(last, 1.0)
    return _with_tail(text, start, end, number / scale, quantum / scale, scale)


def _with_tail(
    text: str, start: int, end: int, number: float, quantum: float, scale: float
) -> Atom:
    """Return an atom for a number in words, with the magnitude and unit after it."""
    tail = match_tail(text, end)
    atom = Atom(start, tail.end(), number, quantum)
    atom.scale, atom.worded = scale, True
    apply_tail(text, atom, tail.groups())
    return atom


def _couple(text: str, start: int) -> Atom | None:
    """Return "a couple of hundred basis points"; "a couple" without magnitude or unit is None."""
    match = _COUPLE.match(text, start)
    if match is None:
        return None
    scale = MAGNITUDES.get(match[1])
    end = match.start(1) - 1 if scale is None else match.end(1)
    scale = scale or 1.0
    atom = _with_tail(text, start, end, 2.0, 1.0, scale)
    return atom if atom.kind or scale > 1 else None


def _fold(text: str, start: int) -> Atom | None:
    """Return "threefold" as a multiple, or None."""
    match = _FOLD.match(text, start)
    if match is None:
        return None
    number = ONES.get(match[1], TENS.get(match[1], 0))
    return Atom(start, match.end(), float(number), 1.0, "multiple")


def _fraction(text: str, start: int) -> Atom | None:
    """Return "half a million", "a quarter of a percent" or "two-thirds of our sales", or None."""
    match = _FRACTION.match(text, start)
    value = None if match is None else parse_fraction(match.group())
    if match is None or value is None:
        return None
    phrase, end = match.group(), match.end()
    of_a = _OF_A_UNIT.match(text, end)
    if of_a is not None:
        tail = match_tail(text, of_a.start(1) - (of_a[1] != "%"))
        atom = Atom(start, max(tail.end(), of_a.end()), value, 0.01)
        apply_tail(text, atom, tail.groups())
        return atom if atom.kind or atom.scale > 1 else None
    if phrase in ("a half", "a fourth") or phrase == "a quarter" and _OF_TIME.match(text, end):
        return None
    if phrase == "three quarters" and not _OF_WHOLE.match(text, end):
        return None
    if phrase == "half" and _PART_BEFORE.search(text, max(0, start - 10), start):
        return None
    if not _OF_SOMETHING.match(text, end) and not _SHARE.fullmatch(phrase):
        return None
    atom = Atom(start, end, 100 * value, 1.0, "percent")
    atom.worded = True
    return atom


def _year(text: str, start: int) -> Atom | None:
    """Return a spelled-out year, such as "twenty twenty-one", or None."""
    match = _YEAR.match(text, start)
    if match is None or match[1] and match[1] not in ONES:
        return None
    teen, ten, one = match.groups()
    value = 2000 + (ONES[teen] if teen else TENS[ten] + ONES.get(one or "", 0))
    return Atom(start, match.end(), float(value), 1.0, "year")
