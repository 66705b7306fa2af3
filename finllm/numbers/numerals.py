"""Numerals that only number the parts of a text: "1.", "(a)", "Step 2:", "## 3 Outlook".

A numeral is recognised by its form ("1)"). If a figure can have the same form ("12: up from 9"),
it is recognised by its place in a sequence: it is the first, or follows the previous numeral.
"""

from __future__ import annotations

import re

from finllm.numbers.atom import alternatives
from finllm.numbers.counts import counted_unit
from finllm.numbers.units import CODES
from finllm.numbers.vocabulary import magnitude_words

_BULLET = (
    r"(?:[>\u2022\u25e6\u25aa\u25ab\u25cf\u25cb\u2023\u2043\u25ba\u25b6\u2192\u21d2\u00b7\u2219"
    r"\u25a0\u25a1\u25c6\u25c7\uf0b7\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]"
    r"|[-*+~\u2013\u2014](?=\s)|\||\[[ xX]?\](?=\s))"
)
_PREFIX = re.compile(rf"(?: *{_BULLET})* *(#{{1,6}}(?!\d))?(?: *{_BULLET})* *")
_UNIT = (
    r"(?:%|percent|per |pct|bps?\b|basis|points?\b|cents?\b|x\b|times\b|thousand|million|billion"
    rf"|trillion|mi?l?l?n\b|(?:{magnitude_words()})(?![^\W_])"
    r"|m\b|bn\b|k\b|dollars?|euros?|vs\b|versus|compared|(?:and|to|or) \(?\d)"
)
_DATE = (  # "31. Dezember" and "2. Quartal" have an ordinal's stop
    r"(?:januar|februar|m\u00e4rz|april|mai|juni|juli|august|september|oktober|november|dezember"
    r"|quartals?|halbjahrs?|jahr|quartalen)\b"
)
_ROMAN = r"x{0,2}(?:ix|iv|v?i{0,3})(?<=[ivx])"
_WORDS = "one two three four five six seven eight nine ten".split()
_ENCLOSED = re.compile(
    rf"\( ?(\d{{1,2}}(?:\.\d{{1,2}})*|{_ROMAN}|[a-z]) ?\)[.:]?(?=\s|$|[^\W\d_])(?!\s*{_UNIT})\s*",
    re.I,
)
_MARKED = re.compile(  # "1." "1)" "1.1." "1 ." "1.)"
    rf"(\d{{1,2}}(?:\.\d{{1,2}})*)"
    rf"(?:(?: ?[)\]>]|\.\)|\.-?)(?=\s+\S|[^\W\d_])| \.(?=\s+[^\W\d_]))(?!\s*{_DATE})\s*",
    re.I,
)
_ALONE = re.compile(r"\(?(\d{1,2})[.):]\s*$")
_LOOSE = re.compile(r"(\d{1,2})(?:(?: ?:| [-\u2013\u2014|]| ?/|-)(?=\s+\S)|\u2014)\s*")
_LETTER = re.compile(rf"({_ROMAN}|[a-z])([).:])(?=\s+\S)\s*", re.I)
_SECTION = re.compile(rf"(\d{{1,2}}(?:\.\d{{1,2}}){{0,4}})\s+(?=[^\W\d_])(?!{_UNIT})", re.I)
_HASH = re.compile(
    r"(?:#|\u00a7 ?|n[or]\.? ?|\u2116 ?)\d{1,2}(?:[.):]| [-\u2013\u2014](?=\s)|(?=\s))\s*", re.I
)
_ADJECTIVES = "key main top talking bullet action agenda list important".split()
_NOUNS = (
    "point step item bullet part section chapter note footnote slide page figure fact finding "
    "take-away takeaway highlight insight topic theme reason driver factor question answer summary "
    "observation number paragraph statement claim result priority pillar goal objective lesson "
    "idea argument conclusion example task tip rule news headline message detail entry line row "
    "sentence exhibit appendix annex table box trend risk update metric aspect element remark "
    "comment".split()
)
_NOUN = rf"(?:(?:{alternatives(_ADJECTIVES)}) )?(?:{alternatives(_NOUNS)})s?"
_LABEL = (
    rf"{_NOUN} ?(?:#|no\.? ?|number )?"
    rf"\(?(?:\d{{1,2}}(?:\.\d{{1,2}})*|{_ROMAN}|[a-h]|{'|'.join(_WORDS)})\)?"
    r"(?: ?(?:/|of) ?\d{1,2})?"
    r"(?:(?: ?[:.)]| [-\u2013\u2014])\s+(?=\S)|[:.)]?$)"
)
_LABELLED = re.compile(_LABEL, re.I)
# one pattern for each stop: a pattern with a fixed first character is much faster
_LABELS_INSIDE = tuple(re.compile(rf"\{stop} ({_LABEL})", re.I) for stop in ".;:!?")
_OWN_LABEL = re.compile(r"((?:[^\W\d_]+ ){1,2})#?(\d{1,2}):\s+(?=\S)")
_ENCLOSED_INSIDE = re.compile(
    rf"\((\d{{1,2}}|[a-h]|{_ROMAN})\)(?=[\s.,;:)]|$|[^\W\d_]{{3}})"
    rf"(?!\s?{_UNIT}|\s?\d{{3,5}}[- ]\d{{4}}\b)",  # "(11) 3127-4971" is a telephone number
    re.I,
)
_FIRST = ("1)", "a)", "i)", "A)", "I)")
_CLOSED_INSIDE = re.compile(rf"[\s,;:](\d{{1,2}}|[a-h]|{_ROMAN})\)(?=\s+\S)(?!\s?{_UNIT})", re.I)
_MARKED_INSIDE = re.compile(r"[.;:!?,] (\d{1,2})\.\s+(?=[^\W_\"'(\[$\u20ac\u00a3])")
_VALUE_BEFORE = re.compile(
    r"(?:\b(?:was|were|is|are|of|to|at|from|by|be|been|than|versus|vs\.?|about|approximately"
    r"|roughly|around|between|and|or|negative|minus|loss|losses|earnings|income|profit|eps)"
    rf"|[:=$\u20ac\u00a3]|(?-i:{'|'.join(CODES).upper()}))$",
    re.I,
)
_GLUED = re.compile(r"illion(\d{1,2})(?![\d.,%])")  # "$5 million1", of a footnote
_GLUED_TO_PERCENT = re.compile(r"%(\d)(?![\d.,%])")
_AFTER_STOPS = tuple(  # "fell 5%.3 We"
    re.compile(
        rf"\{stop}([0-9]{{1,2}})(?=\s|$)"
        r"(?:(?<=[^\W\d_].[0-9])|(?<=%.[0-9])|(?<=[^\W\d_].[0-9]{2}))"
    )
    for stop in ".,;"
)
_SEE = re.compile(
    r"\((?:(?:see|cf\.?|refer to) (?:also )?)?(?:foot)?"
    r"(?:note|slide|page|table|figure|exhibit|section)s? [\w.-]{1,6}\)",
    re.I,
)
_TITLE = re.compile(  # it introduces the text after it and states nothing about the company
    r"(?:(?:the|key|main|top|executive|brief|short|overall|final|financial|earnings|call) )*"
    r"(?:summary|overview|highlights?|points?|figures?|take-?aways?|facts|themes?|introduction"
    r"|conclusion|answer|response|analysis|bullet points?|in summary|in short|details|numbers)"
    r"(?: of the (?:call|earnings call|quarter))?(?::\s*|\s*$)"
    r"|(?:sure|certainly|of course|okay|ok)?[,!. ]*here(?:'s| is| are) [^.\n\d]{0,80}:\s*$",
    re.I,
)
_NO_STOP = r"[^:.)\u2013\u2014#-]{0,28}+"
_STOP = r"[:.)\u2013\u2014#]|$|(?<= )-"
_MAY_LEAD = re.compile(  # no letter first, or a stop or the end of the line soon after it
    rf"[^A-Za-z\"'$]|{_NO_STOP}(?:{_STOP}|-{_NO_STOP}(?:{_STOP}))"
    r"|(?:[Hh]ere|[Ss]ure|[Cc]ertainly|[Oo]f course|[Oo]k)"
)
_Span = tuple[int, int]


class Numerals:
    """Finder of numerals in the lines of a text, which remembers the last one of each form."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._last: dict[str, int] = {}
        self._may_be_inside = ")" in text or "1. " in text
        self._rare = [
            pattern
            for pattern in (*_LABELS_INSIDE, _GLUED, _GLUED_TO_PERCENT, *_AFTER_STOPS)
            if pattern.search(text)
        ]

    def spans(self, line: str) -> list[_Span]:
        """Return the spans of bullets, numerals, labels and footnote marks in a line, in order."""
        inside = self._rare or self._last.get(".")
        inside = inside or self._may_be_inside and (")" in line or "1. " in line)
        if not inside and not _MAY_LEAD.match(line):
            return []
        at = 0
        for _ in range(3):  # "- **Step 1:** 1."
            match = _PREFIX.match(line, at)
            start = at if match is None else match.end()
            heading = match is not None and match[1] is not None
            end = self._leading(line, start, heading) if start < len(line) else start
            at, was = end, at
            if end == start or at == was:
                break
        found = [(0, at)] if at else []
        return _apart(found + self._inside(line, at))

    def _leading(self, line: str, at: int, heading: bool) -> int:
        """Return the offset after the numeral or label at `at`, or `at` itself without one."""
        first = line[at]
        if first == "(" and (match := _ENCLOSED.match(line, at)):
            self._takes("()", match[1])
            return match.end()
        if first.isdigit():
            return self._digits(line, at, heading)
        if first in "#\u00a7\u2116nN" and (match := _HASH.match(line, at)):
            return match.end()
        if match := _LETTER.match(line, at):
            return match.end() if self._takes(match[2], match[1]) or match[2] == ")" else at
        if match := _LABELLED.match(line, at) or _TITLE.match(line, at):
            return match.end()
        match = _OWN_LABEL.match(line, at)
        if match is not None and f"\n{match[1]}2:" in self._text:
            return match.end() if self._takes(match[1], match[2]) else at
        return at

    def _digits(self, line: str, at: int, heading: bool) -> int:
        if match := _MARKED.match(line, at):
            self._takes(".", match[1])
            return match.end()
        match = _LOOSE.match(line, at) or _ALONE.match(line, at)
        if match is not None:
            return match.end() if self._takes(".", match[1]) else at
        match = _SECTION.match(line, at)
        if match is None:
            return at
        *parents, last = match[1].split(".")
        parent = ".".join([*parents, ""])
        follows = self._takes(f"# {parent}", last)
        if last != "1" and follows or len(parents) > 1:
            return match.end() if heading or parents else at
        named = not counted_unit(line.lower(), match.end() - 1, 2)  # "## 3 stores opened"
        leads = last == "1" and f"{parent}2 " in self._text
        known = heading or follows and parents
        return match.end() if known and (named or leads) else at

    def _takes(self, shape: str, numeral: str) -> bool:
        """Record a numeral; return whether it is the first of its form or follows the last one.

        A letter may also be a Roman numeral.
        """
        numbers = _numbers(numeral)
        fits = [n for n in numbers if n == 1 or self._last.get(shape) == n - 1]
        if numbers:
            self._last[shape] = (fits or numbers)[0]
        return bool(fits)

    def _inside(self, line: str, at: int) -> list[_Span]:
        """Return the spans of the numerals, labels and footnote marks after an offset of a line."""
        found = []
        if ")" in line:
            found += [match.span() for match in _SEE.finditer(line, at)]
            found += [m.span() for m in _ENCLOSED_INSIDE.finditer(line, at) if self._mark(line, m)]
        if any(first in line for first in _FIRST) or self._last.get(".") and ")" in line:
            for match in _CLOSED_INSIDE.finditer(line, at):
                before = line[: match.start()]
                opened = before.count("(") > before.count(")")
                if not opened and self._takes(".", match[1]):
                    found.append((match.start(1), match.end()))
        if "1. " in line or self._last.get("."):
            for match in _MARKED_INSIDE.finditer(line, at):
                if self._takes(".", match[1]):
                    found.append((match.start(1), match.end()))
        for pattern in self._rare:
            found += [match.span(1) for match in pattern.finditer(line, at)]
        return found

    def _mark(self, line: str, match: re.Match[str]) -> bool:
        """Return whether "(1)" inside a line is a numeral or a footnote mark and not a loss."""
        before, numeral = line[: match.start()].rstrip(), match[1]
        if before.endswith("|") or line[match.end() :].lstrip().startswith("|"):
            return False  # a cell of a table
        if numeral.isalpha() and line[match.start() - 1].isdigit():
            return False  # "403(b)"
        if not _VALUE_BEFORE.search(before[-16:]):
            self._takes("()", numeral)
            return True
        follows = self._last.get("()") in [n - 1 for n in _numbers(numeral)]
        nexts = {"1": "(2)", "a": "(b)", "i": "(ii)"}.get(numeral.lower())
        if follows or nexts is not None and nexts in line.lower():
            return self._takes("()", numeral)
        return False


def _numbers(numeral: str) -> list[int]:
    """Return the values that a numeral may have: 1 and 9 for "i"."""
    text = numeral.lower().split(".")[-1]
    if text.isdigit():
        return [int(text)]
    found = [_ROMANS.index(text) + 1] if text in _ROMANS else []
    return found + ([ord(text) - ord("a") + 1] if len(text) == 1 and text.isascii() else [])


_ROMANS = "i ii iii iv v vi vii viii ix x xi xii xiii xiv xv xvi xvii xviii xix xx".split()


def _apart(spans: list[_Span]) -> list[_Span]:
    """Return the spans in order, without those that overlap an earlier one."""
    kept: list[_Span] = []
    for span in sorted(spans):
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
    return kept
