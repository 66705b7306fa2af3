"""Join lines that were wrapped at the edge of a page in the middle of a sentence."""

from __future__ import annotations

import re

_GOES_ON = re.compile(
    r"(?:,|[^\W\d_]-|\b(?:a|an|the|of|to|in|for|from|by|with|at|on|and|or|as|than|versus|vs\.?|was"
    r"|were|is|are|be|been|our|its|their|about|approximately|between|nearly|roughly|around|over"
    r"|that|which|who|but|while|per|both|has|have|had|will|would|not|up|down|us|negative|minus|basis|percentage)"
    r"|[$\u20ac\u00a3])$",
    re.I,
)
_COMES_FROM = re.compile(
    r"(?:of|to|from|between|and|or|than|versus|vs|compared|by|with|in|for|at|on|as|which|that|but|while"
    r"|per|million|billion|thousand|trillion|percent|percentage|basis|cents?|dollars?"
    r"|was|were|is|are)\b|%",
    re.I,
)
_ENDS = (".", "!", "?", ":", ";", "|")
_CLOSERS = "\"')]"
_WIDTHS = (30, 120)  # of a column of text


def wrapped(lines: list[str], fresh: list[bool]) -> list[bool]:
    """For each line whether its sentence goes on in the next one.

    It does where the break stands beside a word that cannot end or begin a sentence ("rose 5%
    to"), and where the lines are those of a column of text: each as long as it could be. A line
    that is ``fresh`` begins with a bullet or a numeral, and goes on from no other; a long one goes
    on in what follows it without a bullet.

    >>> wrapped(["Revenue rose 5% to", "$3 million", "Margin fell"], [False] * 3)
    [True, False, False]
    """
    stripped = [line.strip() for line in lines]
    goes_on = [False] * len(lines)
    first = 0
    for nth in range(1, len(lines) + 1):
        line = stripped[nth] if nth < len(lines) else ""
        if line and not fresh[nth] and line[0] != "#" and "|" not in line:
            continue  # it may be the rest of the one above
        item = fresh[first] and not stripped[first].startswith("#")
        _mark_block(stripped[first:nth], goes_on, first, item=item)
        first = nth
    return goes_on


def _mark_block(block: list[str], goes_on: list[bool], first: int, *, item: bool) -> None:
    """Mark the breaks of lines that follow each other without a bullet or an empty line.

    ``item`` says that the first of them is an item of a list.
    """
    unended = [
        nth
        for nth, line in enumerate(block[:-1])
        if line and not line.endswith(_ENDS) and not _ends(line)
    ]
    column = bool(unended) and _is_column(block)
    for nth in unended:
        long_item = item and len(block[nth]) >= _WIDTHS[0]
        goes_on[first + nth] = column or long_item or _is_inside(block[nth], block[nth + 1])


def _ends(line: str) -> bool:
    """Whether a line ends with the end of a sentence or of a table's row."""
    return line.rstrip(_CLOSERS).endswith(_ENDS)


def _is_inside(line: str, following: str) -> bool:
    """Whether the words beside a break say that it is inside a sentence."""
    return _GOES_ON.search(line) is not None or _COMES_FROM.match(following) is not None


def _is_column(block: list[str]) -> bool:
    """Whether no line could have held the first word of the next one, and one break is inside."""
    width = max(map(len, block))
    if len(block) < 3 or not _WIDTHS[0] <= width <= _WIDTHS[1]:
        return False
    pairs = list(zip(block, block[1:], strict=False))
    full = (len(line) + 1 + len(following.split(" ")[0]) > width for line, following in pairs)
    return all(full) and any(_is_inside(*pair) and not _ends(pair[0]) for pair in pairs)
