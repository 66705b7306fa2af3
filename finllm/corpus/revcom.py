"""Read Earnings-21 and -22 (Del Rio et al. 2021, arXiv 2104.11348; 2022, arXiv 2203.15591).

A ``.nlp`` file is a table of tokens; the text is rebuilt with its punctuation and case.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from pathlib import Path

from finllm.corpus import census, readers
from finllm.records import Reject, Transcript, Turn

COLUMNS = ("token", "speaker", "punctuation", "case")  # prepunctuation and wer_tags are optional
METADATA = ("metadata.csv", "earnings21-file-metadata.csv", "file-metadata.csv")
SPEAKERS = ("speakers.csv", "speaker-metadata.csv")
FOLDERS = ("transcripts/nlp_references", "nlp_references", "nlp")  # the first that exists is used
QUARTERS = {1: "first", 2: "second", 3: "third", 4: "fourth"}
N_OPENING_WORDS = 1500
_CUT_PREFIX = re.compile(r"\b([Nn]on)- (?=\w)")  # "non- GAAP" is two tokens


def read(
    base: Path, *, source: str, encoding: str
) -> Iterator[tuple[Transcript, Path, int] | Reject]:
    """Yield the calls of the ``.nlp`` files, with one turn for each run of one speaker's tokens.

    ``base`` is a folder as published (the files in ``transcripts/nlp_references``) or any folder
    with such files below it. The tables of calls and speakers are read if present. They give no
    year: the first year that the opening names with that quarter is taken, or the first quarter
    that it names if the table gives none; without either the period is "".
    """
    metadata = {row.get("file_id", ""): row for row in _rows(base, METADATA)}
    speakers = _speaker_names(_rows(base, SPEAKERS))
    below = [base / folder for folder in FOLDERS if (base / folder).is_dir()]
    for path in readers.list_files((below or [base])[0], root=base, suffixes=(".nlp",)):
        if isinstance(path, Reject):
            yield path
            continue
        text = readers.read_text_file(path, encoding=encoding)
        call = path.stem.removesuffix(".aligned")
        turns = text if isinstance(text, Reject) else _turns(text, path, call, speakers)
        if isinstance(turns, Reject):
            yield turns
            continue
        row = metadata.get(call, {})
        transcript = Transcript(
            id=call,
            company=row.get("company_name") or row.get("ticker_symbol") or "",
            period=_period(row.get("financial_quarter") or "", turns),
            sector=row.get("sector") or "",
            source=source,
            turns=turns,
            summary=None,
        )
        yield transcript, path, 0


def _turns(
    text: str, path: Path, call: str, speakers: dict[tuple[str, str], str]
) -> tuple[Turn, ...] | Reject:
    lines = text.splitlines()
    header = lines[0].strip().split("|")
    if missing := [column for column in COLUMNS if column not in header]:
        detail = f"missing column {', '.join(missing)}; available: {', '.join(header)}"
        return Reject(path.stem, str(path), 1, "missing_column", detail)
    turns: list[Turn] = []
    speaker, parts = "", []
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        cells = line.split("|")
        if len(cells) != len(header):
            detail = f"{len(cells)} cells, the header has {len(header)}"
            return Reject(path.stem, str(path), number, "bad_row", detail)
        row = dict(zip(header, cells, strict=True))
        if row["speaker"] != speaker and parts:
            turns.append(_turn(parts, call, speaker, speakers))
            parts = []
        speaker = row["speaker"]
        parts.append(word(**{key: row.get(key, "") for key in (*COLUMNS, "prepunctuation")}))
    if parts:
        turns.append(_turn(parts, call, speaker, speakers))
    if not turns:
        return Reject(path.stem, str(path), 0, "empty", "no tokens")
    return tuple(turns)


def word(*, token: str, case: str, punctuation: str, prepunctuation: str, speaker: str) -> str:
    """Return a token as it is written; a token that already has capitals keeps them.

    >>> word(token="usa", case="CA", punctuation=".", prepunctuation="", speaker="1")
    'USA.'
    """
    if token.islower():
        token = {"UC": token[:1].upper() + token[1:], "CA": token.upper()}.get(case, token)
    if punctuation == "-":
        punctuation = " -"
    return prepunctuation + token + punctuation


def _turn(parts: list[str], call: str, speaker: str, speakers: dict[tuple[str, str], str]) -> Turn:
    name = speakers.get((call, speaker), "") or f"Speaker {speaker}"
    text = _CUT_PREFIX.sub(r"\1-", " ".join(parts))
    return Turn(name, "unknown", "unknown", text)


def _period(quarter: str, turns: tuple[Turn, ...]) -> str:
    number = re.sub(r"\D", "", quarter)
    opening = " ".join(" ".join(turn.text for turn in turns).split()[:N_OPENING_WORDS])
    if number not in ("1", "2", "3", "4"):
        return next(iter(census.named_periods(opening, "en")), "")
    name = f"(?:{QUARTERS[int(number)]}[- ]quarter|q{number})"
    near = rf"{name}(?:\W+\w+){{0,4}}?\W+(20\d\d)\b|\b(20\d\d)(?:\W+\w+){{0,2}}?\W+{name}\b"
    match = re.search(near, opening.lower())  # later matches are comparisons and maturities
    return f"{match[1] or match[2]}Q{number}" if match else ""


def _speaker_names(rows: list[dict[str, str]]) -> dict[tuple[str, str], str]:
    speakers: dict[tuple[str, str], str] = {}
    names: set[tuple[str, str]] = set()
    for row in rows:
        call, number, name = (row.get(key, "") for key in ("file_id", "speaker_id", "speaker_name"))
        taken = (call, name) in names  # two people of one call may be called "Alex"
        speakers[call, number] = f"{name} #{number}" if taken else name
        names.add((call, name))
    return speakers


def _rows(base: Path, names: tuple[str, ...]) -> list[dict[str, str]]:
    """Return the rows of the first table that exists; "File ID" and "file_id" are one column."""
    path = next((base / name for name in names if (base / name).is_file()), None)
    if path is None:
        return []
    if bad := readers.leads_out(path, os.path.realpath(base)):
        raise ValueError(f"{path}: {bad.detail}")
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
        try:
            header = [cell.strip().lower().replace(" ", "_") for cell in next(csv.reader(file), [])]
            return [dict(zip(header, cells, strict=False)) for cells in csv.reader(file)]
        except csv.Error as error:
            raise ValueError(f"{path}: not a CSV table ({error})") from None
