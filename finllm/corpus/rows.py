"""Rows to transcripts: the field mapping, the project's own format, periods."""

from __future__ import annotations

import re
from pathlib import Path

from finllm.corpus.languages.files import known_languages
from finllm.records import ROLES, SECTIONS, Reject, Transcript, Turn

_YEAR = r"(?P<year>(?:19|20)\d\d)"
_PERIODS = (
    re.compile(rf"{_YEAR}[\s_/-]*q(?P<quarter>[1-4])", re.I),
    re.compile(rf"q(?P<quarter>[1-4])[\s_/,'-]*(?:fy)?[\s_/-]*{_YEAR}", re.I),
    re.compile(rf"(?P<quarter>[1-4])q[\s_/,'-]*{_YEAR}", re.I),
    re.compile(rf"(?P<name>first|second|third|fourth) quarter(?: of)?(?: fiscal)? {_YEAR}", re.I),
    re.compile(r"(?:q(?P<quarter>[1-4])|(?P<q>[1-4])q)[\s_'-]*(?:fy)?'?(?P<short>\d\d)\b", re.I),
)
_NAMES = {"first": "1", "second": "2", "third": "3", "fourth": "4"}
_DATE = re.compile(r"(?P<year>(?:19|20)\d\d)-(?P<month>0[1-9]|1[0-2])-\d\d\b")


def normalise_period(value: object) -> str | None:
    """A quarter as "2021Q3"; "" for nothing; None for what names no quarter.

    A date stands for the calendar quarter that it lies in.

    >>> normalise_period("Q3 2021"), normalise_period("2021-05-03"), normalise_period("spring")
    ('2021Q3', '2021Q2', None)
    """
    text = "" if value is None else str(value).strip()
    if not text:
        return ""
    for pattern in _PERIODS:
        if match := pattern.search(text):
            found = {key: value for key, value in match.groupdict().items() if value}
            year = found.get("year") or f"20{found['short']}"
            name = _NAMES.get(found.get("name", "").lower())
            return f"{year}Q{name or found.get('quarter') or found['q']}"
    if match := _DATE.search(text):
        return f"{match['year']}Q{(int(match['month']) + 2) // 3}"
    return None


def transcript_from_row(
    row: dict, *, source: str, fields: dict[str, str], file: Path, line: int
) -> Transcript | Reject:
    """A transcript with one turn of unknown role, from a row whose columns ``fields`` maps."""
    missing = [theirs for theirs in fields.values() if theirs not in row]
    values = {ours: row.get(theirs) for ours, theirs in fields.items()}
    call_id = _plain(values.get("id")) or f"{file.stem}-{line}"
    if missing:
        detail = f"no {', '.join(missing)}; there are {', '.join(map(str, row))}"[:500]
        return Reject(call_id, str(file), line, "missing_field", detail)
    text = values["text"]
    if isinstance(text, list) and all(isinstance(part, str) for part in text):
        text = "\n".join(text)
    if not isinstance(text, str) or not text.strip():
        detail = f"{fields['text']} is {text!r}"[:200]
        return Reject(call_id, str(file), line, "empty_text", detail)
    period = normalise_period(values.get("period"))
    if period is None:
        detail = f"{values['period']!r} names no quarter; write it as 2021Q3"[:200]
        return Reject(call_id, str(file), line, "bad_period", detail)
    language = _plain(values.get("language")).lower()[:2]
    if language and language not in known_languages():
        detail = f"{values['language']!r}; allowed are {', '.join(known_languages())}, or nothing"
        return Reject(call_id, str(file), line, "unknown_language", detail)
    summary = values.get("summary")
    if isinstance(summary, list):
        summary = "\n".join(map(str, summary))
    turn = Turn("", "unknown", "unknown", text)
    return Transcript(
        call_id, _plain(values.get("company")), period, _plain(values.get("sector")),
        source, (turn,), summary if isinstance(summary, str) and summary.strip() else None,
        language=language,
    )  # fmt: skip


def call_from_row(
    row: dict, *, source: str, fields: dict[str, str], file: Path, line: int
) -> Transcript | Reject:
    """A transcript from the project's own format, with its turns; ``fields`` is not used."""
    call_id = _plain(row.get("id"))
    reason = _call_fault(row, call_id)
    if reason:
        return Reject(call_id, str(file), line, "bad_call", reason)
    turns = tuple(
        Turn(turn["speaker"], turn["role"], turn["section"], turn["text"]) for turn in row["turns"]
    )
    if not any(turn.text.strip() for turn in turns):
        return Reject(call_id, str(file), line, "empty_text", "no words in any turn")
    return Transcript(
        id=call_id,
        company=_plain(row["company"]),
        period=normalise_period(row["period"]) or "",
        sector=_plain(row.get("sector")),
        source=source,
        turns=turns,
        summary=row.get("summary") or None,
    )


def _call_fault(row: dict, call_id: str) -> str:
    """What is wrong with a row of the format ``calls``, empty where nothing is."""
    if not call_id:
        return "no id"
    for key in ("company", "period", "turns"):
        if key not in row:
            return f"no {key}"
    if normalise_period(row["period"]) is None:
        return f"period {row['period']!r} names no quarter; write it as 2021Q3"
    if not isinstance(row.get("summary"), str | None):
        return "summary must be text"
    if not isinstance(row["turns"], list):
        return "turns must be a list"
    for number, turn in enumerate(row["turns"], 1):
        if not isinstance(turn, dict):
            return f"turn {number} must be an object"
        for key in ("speaker", "role", "section", "text"):
            if not isinstance(turn.get(key), str):
                return f"turn {number}: no {key}"
        if turn["role"] not in ROLES or turn["section"] not in SECTIONS:
            return f"turn {number}: role {turn['role']!r}, section {turn['section']!r}"
    return ""


def _plain(value: object) -> str:
    """A value of a cell as text: "" for None and NaN, 12 for 12.0."""
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
