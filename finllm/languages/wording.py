"""Map words to their meaning for the domain metrics and for sentence splitting, by language."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from finllm.languages.files import ENGLISH, FOLDER, forms_of
from finllm.languages.lexicon import fold

ENGLISH_WORDING = FOLDER / "english.tsv"
HEADER = ("class", "canonical", "forms")
CLASSES = (
    "direction",
    "period",
    "basis",
    "compare",
    "outlook",
    "negation",
    "item",
    "word",
    "function",
    "abbreviation",
    "ordinal",
)
UNREAD = ("abbreviation", "ordinal")  # they end no sentence, and the metrics ignore them


def wording_file(language: str) -> Path:
    """Return the wording file of a language that has files."""
    return ENGLISH_WORDING if language == ENGLISH else FOLDER / language / "wording.tsv"


def wording_rows(path: Path) -> list[tuple[str, str, tuple[str, ...]]]:
    """Read class, canonical token and forms of each row.

    Raises
    ------
    ValueError
        If the first row is not the header, or a line has the wrong number of cells, an unknown
        class or an unclosed brace.
    """
    rows = []
    header_seen = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = tuple(line.split("\t"))
        if not header_seen and cells == HEADER:
            header_seen = True
            continue
        closed = line.count("{") == line.count("}")
        if not header_seen or len(cells) != 3 or cells[0] not in CLASSES or not closed:
            raise ValueError(
                f"{path}, line {number}: {line[:60]!r} must have the cells {HEADER}, "
                f"with a class of {CLASSES} and every brace closed"
            )
        rows.append((cells[0], cells[1], forms_of(cells[2])))
    return rows


def wording(path: Path) -> dict[str, tuple[str, str]]:
    """Return the meaning of each form in a wording file: its class and canonical token.

    Raises
    ------
    ValueError
        As ``wording_rows``.
    """
    meanings: dict[str, tuple[str, str]] = {}
    for kind, canonical, forms in wording_rows(path):
        if kind not in UNREAD:
            for form in forms:
                meanings.setdefault(fold(form), (kind, canonical))
    return meanings


@cache
def unending(language: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return words whose full stop ends no sentence, and nouns that make a number an ordinal."""
    found: dict[str, set[str]] = {kind: set() for kind in UNREAD}
    for kind, _, forms in wording_rows(wording_file(language)):
        if kind in UNREAD:
            found[kind].update(forms)
    return frozenset(found["abbreviation"]), frozenset(found["ordinal"])


def ends_no_sentence(before: str, behind: str, *, language: str) -> bool:
    """Return whether a full stop between two words belongs to an abbreviation or an ordinal.

    >>> ends_no_sentence("Mrd", "Euro", language="de")
    True
    >>> ends_no_sentence("3", "Quartal", language="de"), ends_no_sentence("3", "Wir", language="de")
    (True, False)
    """
    abbreviations, ordinals = unending(language)
    before, behind = (word.lower().strip("\"'(),;:.") for word in (before, behind))
    return before in abbreviations or (before.isdigit() and behind in ordinals)


@cache
def expectations(language: str) -> re.Pattern[str]:
    """Return a pattern that matches a language's words for expectations."""
    rows = wording_rows(wording_file(language))
    forms = {form for kind, _, own in rows if kind == "outlook" for form in own}
    return re.compile(rf"\b(?:{'|'.join(sorted(map(re.escape, forms)))})\b", re.IGNORECASE)
