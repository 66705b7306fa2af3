"""Join lines that were wrapped at a fixed column."""

from __future__ import annotations

import re
from collections import Counter

_SENTENCE_END = re.compile(r"[.?!:;\"')\]]$")
_PARTED = re.compile(r"[a-z]{3}-$")  # "year-over-" and "year" below it are one word
MIN_WRAPPED_LINES = 8
MAX_WRAPPED_WIDTH = 132  # characters; longer lines were not broken at a column


def unwrap(text: str, counts: Counter[str] | None = None) -> str:
    """Join lines that were broken at a column; text whose lines end sentences stays as it is.

    ``counts`` gets ``words_joined``: the number of words split by a hyphen at the end of a line.
    """
    if not is_wrapped(text):
        return text
    joined, n_words = _joined(text)
    if counts is not None and n_words:
        counts["words_joined"] += n_words
    return joined


def is_wrapped(text: str) -> bool:
    """Return whether lines were broken at a column, not after sentences, names or list entries."""
    lines = [line for line in text.split("\n") if line]
    if len(lines) < MIN_WRAPPED_LINES:
        return False
    width = max(map(len, lines))
    open_lengths = [len(line) for line in lines if not _SENTENCE_END.search(line)]
    if width > MAX_WRAPPED_WIDTH or 2 * len(open_lengths) < len(lines):
        return False
    # short open lines are headings, names, lists
    return 3 * sorted(open_lengths)[len(open_lengths) // 2] >= 2 * width


def rejoin(text: str, width: int) -> tuple[str, int]:
    """Join the continued lines of a turn; return its text and the number of words split at hyphens.

    ``width`` is the length of the file's widest line. A line continues if no sentence ends with it
    and it is nearly as wide, or the next line begins in lower case.
    """
    if width > MAX_WRAPPED_WIDTH:
        return text, 0
    parts, n_words, last = [""], 0, 0
    for line in text.split("\n"):
        above = parts[-1].rpartition("\n")[2]
        goes_on = bool(above) and not _SENTENCE_END.search(above)
        if goes_on and _PARTED.search(above) and line[0].islower():
            n_words += 1
            parts[-1] += line
        elif goes_on and (line[0].islower() or 3 * last >= 2 * width):
            parts[-1] += f" {line}"
        elif above:
            parts.append(line)
        else:
            parts[-1] = line
        last = len(line)
    return "\n".join(parts), n_words


def _joined(text: str) -> tuple[str, int]:
    text, n_words = re.subn(r"(?<=[a-z]{3}-)\n(?=[a-z])", "", text)
    return re.sub(r"(?<![.?!:;\"')\]])\n(?=\S)", " ", text), n_words
