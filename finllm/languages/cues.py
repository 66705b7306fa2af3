"""What speakers of languages other than English say when questions begin."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from finllm.languages.detection import spoken_in
from finllm.languages.files import ENGLISH, FOLDER, read_rows

HEADER = ("cue", "pattern")
CUES = ("hand_over", "session_begins", "operator", "opening", "asks")


def cue_patterns(path: Path) -> dict[str, list[str]]:
    """The regular expressions of a cues file, by cue.

    Raises
    ------
    ValueError
        Names file and line where a cue is none of ``CUES``, or a pattern is no regular expression.
    """
    found: dict[str, list[str]] = {cue: [] for cue in CUES}
    for where, (cue, pattern) in read_rows(path, HEADER):
        if cue not in CUES:
            raise ValueError(f"{where}: cue {cue!r}; allowed: {', '.join(CUES)}")
        try:
            matches_nothing = re.compile(pattern, re.IGNORECASE).search("") is None
        except re.error as error:
            raise ValueError(f"{where}: pattern {pattern!r}: {error}") from None
        if not matches_nothing:
            raise ValueError(f"{where}: pattern {pattern!r} is found in an empty text")
        found[cue].append(pattern)
    return found


def says(cue: str, text: str) -> bool:
    """Whether a text in another language than English has one of the phrases of a cue."""
    language = spoken_in(text)
    return language != ENGLISH and _compiled(language)[cue].search(text) is not None


@cache
def _compiled(language: str) -> dict[str, re.Pattern[str]]:
    found = cue_patterns(FOLDER / language / "cues.tsv")
    return {cue: re.compile("|".join(ps) or r"(?!)", re.IGNORECASE) for cue, ps in found.items()}
