"""Detection of lines that were wrapped in the middle of a sentence."""

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
_WIDTHS = (30, 120)  # of a column of text, in characters


def wrapped(lines: list[str], fresh: list[bool]) -> list[bool]:
    """Return for each line whether its sentence continues in the next line.

    It does if the break is next to a word that cannot end or begin a sentence ("rose 5% to"), or if
    the lines form a column of text, each as long as it could be. A ``fresh`` line begins with a
    bullet or a numeral and never continues another line; if it is long, it continues in the
    following line without a bullet.

    >>> wrapped(["Revenue rose 5% to", "$3 million", "Margin fell"], [False] * 3)
    [True, False, False]
    """
    stripped = [line.strip() for line in lines]
    goes_on = [False] * len(lines)
    first = 0
    for nth in range(1, len(lines) + 1):
        line = stripped[nth] if nth < len(lines) else ""
        if line and not fresh[nth] and line[0] != "#" and "|" not in line:
            continue  # it may continue the line above
        item = fresh[first] and not stripped[first].startswith("#")
        _mark_block(stripped[first:nth], goes_on, first, item=item)
        first = nth
    return goes_on


def _mark_block(block: list[str], goes_on: list[bool], first: int, *, item: bool) -> None:
    """Mark in ``goes_on`` the breaks of a block of lines that are inside a sentence.

    Only its first line may have a bullet; ``first`` is the index of that line, and ``item`` tells
    whether it is a list item.
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
    """Return whether a line ends with the end of a sentence or of a table row."""
    return line.rstrip(_CLOSERS).endswith(_ENDS)


def _is_inside(line: str, following: str) -> bool:
    """Return whether the words next to a line break show that it is inside a sentence."""
    return _GOES_ON.search(line) is not None or _COMES_FROM.match(following) is not None


def _is_column(block: list[str]) -> bool:
    """Return whether no line has room for the next word and a break is inside a sentence."""
    width = max(map(len, block))
    if len(block) < 3 or not _WIDTHS[0] <= width <= _WIDTHS[1]:
        return False
    pairs = list(zip(block, block[1:], strict=False))
    full = (len(line) + 1 + len(following.split(" ")[0]) > width for line, following in pairs)
    return all(full) and any(_is_inside(*pair) and not _ends(pair[0]) for pair in pairs)
