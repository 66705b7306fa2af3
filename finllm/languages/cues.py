"""Find phrases in languages other than English that mark the start of the questions in a call."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from finllm.languages.detection import maybe_spoken_in
from finllm.languages.files import ENGLISH, FOLDER, known_languages, read_rows

HEADER = ("cue", "pattern")
CUES = ("hand_over", "session_begins", "operator", "opening", "asks", "operator_name")


def cue_patterns(path: Path) -> dict[str, list[str]]:
    """Read the regular expressions of a cues file, by cue.

    Raises
    ------
    ValueError
        Names file and line if a cue is not one of ``CUES``, or if a pattern is not a regular
        expression or matches an empty text.
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
    """Return whether a text in a language other than English has one of the phrases of a cue."""
    codes = (code for code in maybe_spoken_in(text) if code != ENGLISH)
    return any(_compiled(code)[cue].search(text) for code in codes)


def names_operator(name: str) -> bool:
    """Return whether a speaker's name means an operator in a language other than English.

    >>> names_operator("Op\u00e9ratrice"), names_operator("Jane Roe")
    (True, False)
    """
    return _operators().fullmatch(name) is not None


@cache
def _operators() -> re.Pattern[str]:
    others = (code for code in known_languages() if code != ENGLISH)
    return re.compile(
        "|".join(f"(?:{_compiled(code)['operator_name'].pattern})" for code in others), re.I
    )


@cache
def _compiled(language: str) -> dict[str, re.Pattern[str]]:
    found = cue_patterns(FOLDER / language / "cues.tsv")
    return {cue: re.compile("|".join(ps) or r"(?!)", re.IGNORECASE) for cue, ps in found.items()}
