"""Removal of markup, list numerals and footnote marks from a text.

"1. **Revenue** rose 5%[1]" and "- Revenue rose 5%" both become "Revenue rose 5%", so that no
numeral is read as a figure and no figure is lost next to an asterisk.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from finllm.numbers.foreign import notation_edits
from finllm.numbers.numeral_words import numeral_edits
from finllm.numbers.numerals import Numerals
from finllm.numbers.vocabulary import word_edits
from finllm.numbers.wraps import wrapped

_BLANKS = "\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_GROUPED = re.compile(rf"(?<![\d.,])\d{{1,3}}(?:[{_BLANKS}]\d{{3}})+(?!\d)")
_BLANK = re.compile(f"[{_BLANKS}]")
_ASCII = bytes(range(128))
_PLAIN = (
    dict.fromkeys(_BLANKS, " ")
    | dict.fromkeys("\u2212\u2010\u2011\ufe63\uff0d", "-")
    | dict.fromkeys("\u2018\u2019\u201b\u02bc\u2032\uff07", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\uff02", '"')
    | dict(zip("\uff04\ufe69\uff05\ufe6a\uffe5\uffe1", "$$%%\u00a5\u00a3", strict=True))
    | dict(zip("\uff08\uff09\uff0c\uff0e\uff1a\uff1b\u00d7\u2026", "(),.:;x.", strict=True))
    | {chr(0xFF10 + digit): str(digit) for digit in range(10)}
)
_INVISIBLE = "\u200b-\u200f\u2060\ufeff\xad\ufe0e\ufe0f"
_COUNTED = "\u2460-\u249b\u24ea-\u24ff\u2776-\u2793"  # numerals of one character, such as "\u2460"
_AREA = r"(?<![\d ]m)(?<!km)(?<!cm)(?<!mm)(?<!ft)(?<!\bin)"  # the mark of "500 m\u00b2" is kept
_MARKUP = re.compile(
    r"(?P<line>\r\n?|[\u2028\u2029\x0b\x0c]|<br ?/?>"
    r"|</?(?:p|li|ul|ol|div|tr|table|h[1-6])\b[^<>\n]*>)"
    r"|(?P<cell></t[dh]>\s*<t[dh]\b[^<>\n]*>|\t)"
    r"|<sup>[^<>\n]{1,8}</sup>|\ufe0f?\u20e3"
    rf"|{_AREA}[\u00b9\u00b2\u00b3\u2070\u2074-\u2079]+"
    rf"|[{_INVISIBLE}{_COUNTED}\u2020\u2021]"
    r"|\[\^?(?:\d{1,3}(?:(?:, ?|-|\u2013)\d{1,3})*|[a-z*])\](?!\()"
    r"|(?<=[^\W\d]|[%.,;)])\^\(?\d{1,2}\)?\^?"
    r"|</?(?:b|i|u|em|strong|span|sub|sup|code|mark|small|font|td|th|tbody|thead|a)\b[^<>\n]*>"
    r"|\\(?=[$%*_#&+.()\[\]~`|>-])|\*{2,}|_{2,}|~~|`+|\*(?!\s)|(?<!\s)\*"
    r"|(?<![^\W_])_(?=\S)|(?<=\S)_(?![^\W_])"
    r"|\[(?=[^\[\]\n]+\]\([^()\s]*\))|\]\((?:https?:|www|#|/)[^()\s]*\)",
    re.IGNORECASE,
)
_MAY_BE_MARKUP = re.compile(
    rf"[\r\t\x0b\x0c\u2028\u2029<\[\]^\\*_~`\u20e3\u00b9\u00b2\u00b3\u2070-\u2079"
    rf"{_INVISIBLE}{_COUNTED}\u2020\u2021]"
)
_ASCII_MARKS = ("\r", "\t", "<", "[", "^", "\\", "*", "_", "~~", "`", "\x0b", "\x0c")
_BLANK_AT_EDGE = re.compile(r"\n(?: |(?<= \n))")  # of a line
_BLANK_RUN = re.compile(r" *\| *|  +| +(?=\n)|(?<=\n) +")
_RULE = re.compile(r"[-*_=|:+~. ]{3,}")
_Edit = tuple[int, int, str]  # start, end, replacement
_Shifts = tuple[list[int], list[int], list[int]]  # offset where it begins, shift, length


@dataclass(frozen=True)
class Plain:
    """A text without markup, with the original offsets of its characters."""

    text: str  # begins and ends with a line break, so that each character has neighbours
    edits: tuple[_Shifts, ...]  # by pass

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the offsets in the original text of a span of ``text``."""
        if not self.edits:
            return start - 1, end - 1
        return self._origin(start), self._origin_of_end(end)

    def _origin(self, offset: int) -> int:
        for starts, shifts, _ in reversed(self.edits):
            offset += shifts[bisect_right(starts, offset) - 1]
        return offset - 1  # the line break in front

    def _origin_of_end(self, end: int) -> int:
        """Return the original offset of a span's end, after the whole of a replaced word."""
        for starts, shifts, lengths in reversed(self.edits):
            at = bisect_left(starts, end)
            replaced = at < len(starts) and starts[at] == end and lengths[at]
            end += shifts[at if replaced else bisect_right(starts, end - 1) - 1]
        return end - 1


def plain(text: str, language: str = "") -> Plain:
    r"""Return the text without markup, list numerals and footnote marks, its wrapped lines joined.

    Numbers in other formats are rewritten in the English format (``foreign``). The ``language``'s
    words for numbers, units, magnitudes, periods and directions become English.

    >>> plain("1. **Revenue** rose 5%[1]").text
    '\nRevenue rose 5%\n'
    """
    text = f"\n{plain_marks(text)}\n"
    edits = []
    numerals, words, notation = (
        partial(edits_of, language=language)
        for edits_of in (numeral_edits, word_edits, notation_edits)
    )
    for found in (_markup_edits, _line_edits, _blank_edits, numerals, words, notation):
        changes = found(text)
        if changes:
            text, made = _apply(text, changes)
            edits.append(made)
    return Plain(text, tuple(edits))


def plain_marks(text: str) -> str:
    r"""Return the text with typographic marks replaced by plain ones, its length unchanged.

    >>> plain_marks("\u22121\u202f541\u00a0million")
    "-1'541 million"
    """
    if text.isascii():
        return text
    # there are few, and replacing each is faster than translating the whole text
    marks = set(text.encode(errors="surrogatepass").translate(None, _ASCII).decode(errors="ignore"))
    if not marks.isdisjoint(_BLANKS):
        # an apostrophe, since a comma may be read as a decimal mark
        text = _GROUPED.sub(lambda match: _BLANK.sub("'", match[0]), text)
    for mark in marks & _PLAIN.keys():
        text = text.replace(mark, _PLAIN[mark])
    return text


def _apply(text: str, edits: Iterable[_Edit]) -> tuple[str, _Shifts]:
    pieces, at, length = [], 0, 0
    starts, shifts, lengths = [0], [0], [0]
    for start, end, new in edits:
        pieces += [text[at:start], new]
        length += start - at + len(new)
        at = end
        starts.append(length)
        shifts.append(end - length)
        lengths.append(len(new))
    pieces.append(text[at:])
    return "".join(pieces), (starts, shifts, lengths)


def _markup_edits(text: str) -> list[_Edit]:
    if text.isascii() and not any(mark in text for mark in _ASCII_MARKS):
        return []
    edits: list[_Edit] = []
    reach = 0
    for candidate in _MAY_BE_MARKUP.finditer(text):
        start = candidate.start()
        match = _MARKUP.match(text, start) if start >= reach else None
        if match is None:
            continue
        if match[0][-1] == "\u20e3" and text[start - 1].isdigit():  # a numeral on a keycap
            start -= 1
        new = "\n" if match["line"] else " | " if match["cell"] else ""
        edits.append((start, match.end(), new))
        reach = match.end()
    return edits


def _line_edits(text: str) -> list[_Edit]:
    """Return the edits that remove bullets and numerals, and line breaks inside sentences."""
    numerals = Numerals(text)
    edits: list[_Edit] = []
    lines = text.split("\n")[1:-1]
    spans = [
        numerals.spans(line)
        if line[:1].isalnum() and "|" not in line or not _is_frame(line, below)
        else [(0, len(line))]
        for line, below in zip(lines, [*lines[1:], ""], strict=True)
    ]
    goes_on = wrapped(lines, [bool(found) and found[0][0] == 0 for found in spans])
    at = 1
    for line, found, joins in zip(lines, spans, goes_on, strict=True):
        end = at + len(line)
        if found:
            edits += [(at + a, at + b, "") for a, b in found]
        if joins:
            edits.append((end, end + 1, " "))
        at = end + 1
    return edits


def _is_frame(line: str, below: str) -> bool:
    """Return whether a line is a rule, or the header row of a table without a figure."""
    if _RULE.fullmatch(line):
        return True
    heads = "|" in line and "-" in below and _RULE.fullmatch(below) is not None
    return heads and not any(character.isdigit() for character in line)


def _blank_edits(text: str) -> list[_Edit]:
    if "|" not in text and "  " not in text and not _BLANK_AT_EDGE.search(text):
        return []
    edits = []
    for match in _BLANK_RUN.finditer(text):
        start, end = match.span()
        edge = text[start - 1] == "\n" or text[end] == "\n"
        edits.append((start, end, "" if edge else " | " if "|" in match[0] else " "))
    return edits
