"""Find the files of a language, and read their rows."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent
ENGLISH = "en"
CODE = re.compile(r"[a-z]{2,3}")
_GROUP = re.compile(r"\{([^{}]*)\}")


def known_languages(folder: Path = FOLDER) -> tuple[str, ...]:
    """Return the codes of the languages that have files, English first.

    >>> known_languages()
    ('en', 'de', 'es', 'fr')
    """
    found = sorted(p.parent.name for p in folder.glob("*/lexicon.tsv"))
    return (ENGLISH, *found)


def check_language(code: str, where: str) -> str:
    """Return the language code if it has files.

    Raises
    ------
    ValueError
        If it has none. The message lists the allowed codes; ``where`` is the code's place.
    """
    if code not in known_languages():
        raise ValueError(
            f"{where} is {code!r}; allowed: {', '.join(known_languages())} "
            "(docs/data-card.md says how to add a language)"
        )
    return code


def expand(form: str) -> Iterator[str]:
    """Yield the spellings of a form with its endings in braces, without superfluous spaces.

    >>> list(expand("umsatz{,es}")), list(expand("taux{ net, brut}"))
    (['umsatz', 'umsatzes'], ['taux net', 'taux brut'])
    """
    parts = _GROUP.split(form)
    options = [part.split(",") if i % 2 else [part] for i, part in enumerate(parts)]
    for chosen in itertools.product(*options):
        yield " ".join("".join(chosen).split())


def forms_of(cell: str) -> tuple[str, ...]:
    """Return the distinct spellings in a cell, whose forms are separated by bars."""
    found = (one for form in cell.split("|") for one in expand(form))
    return tuple(dict.fromkeys(one for one in found if one))


def read_rows(path: Path, header: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    """Yield the rows of a tab-separated file with this header, with "file, line n" for messages.

    Empty lines and lines that begin with # are skipped. Missing cells at the end are empty.

    Raises
    ------
    ValueError
        If the file is missing, is not UTF-8 or lacks the header, or if a line has too many cells,
        an empty first cell or an unclosed brace.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise ValueError(f"{path}: missing; a language has this file") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 ({error.reason} at byte {error.start})") from None
    header_seen = False
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        where, cells = f"{path}, line {number}", [cell.strip() for cell in line.split("\t")]
        if not header_seen:
            if tuple(cells) != header:
                raise ValueError(f"{where}: header {line!r}, must be {' <tab> '.join(header)}")
            header_seen = True
            continue
        cells += [""] * (len(header) - len(cells))
        if len(cells) > len(header) or not cells[0] or line.count("{") != line.count("}"):
            raise ValueError(
                f"{where}: {line[:60]!r} must have the cells {' <tab> '.join(header)}, "
                "with every brace closed"
            )
        yield where, cells
    if not header_seen:
        raise ValueError(f"{path}: empty; the first line must be {' <tab> '.join(header)}")
