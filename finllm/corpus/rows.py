"""Convert rows to transcripts, by field mapping or from the project's own format."""

from __future__ import annotations

from pathlib import Path

from finllm.corpus import listed
from finllm.corpus.call_period import call_date, normalise_period
from finllm.languages.files import known_languages
from finllm.records import ROLES, SECTIONS, Reject, Transcript, Turn

TURN_FIELDS = ("turns", "prepared", "questions")  # lists of turns, or texts, in place of `text`


def value_of(row: dict, path: str) -> object:
    """Return the value of a row at a field, or at a path of fields such as "data.transcript".

    Raises
    ------
    KeyError
        If there is none.
    """
    if path in row:
        return row[path]
    value: object = row
    for part in path.split("."):
        if not isinstance(value, dict):
            raise KeyError(path)
        value = value[part]
    return value


def transcript_from_row(
    row: dict, *, source: str, fields: dict[str, str], file: Path, line: int
) -> Transcript | Reject:
    """Build a transcript from a row whose columns are mapped by ``fields``; or a reject.

    Text gives one turn of unknown role. A period that names no quarter is kept as written; cleaning
    counts and drops it.
    """
    values, missing = _mapped(row, fields)
    call_id = _plain(values.get("id")) or f"{file.stem}-{line}"
    if missing:
        detail = f"missing {', '.join(missing)}; available: {', '.join(map(str, row))}"[:500]
        return Reject(call_id, str(file), line, "missing_field", detail)
    try:
        found = _turns(values, fields)
    except ValueError as error:
        return Reject(call_id, str(file), line, "bad_turns", str(error)[:400])
    if not any(turn.text.strip() for turn in found):
        first = next(key for key in ("text", *TURN_FIELDS) if key in fields)
        detail = f"{fields[first]} is {values[first]!r}"[:200]
        return Reject(call_id, str(file), line, "empty_text", detail)
    language = _plain(values.get("language")).lower()[:2]
    if language and language not in known_languages():
        detail = f"{values['language']!r}; allowed: {', '.join(known_languages())}, or empty"
        return Reject(call_id, str(file), line, "unknown_language", detail)
    summary = values.get("summary")
    if isinstance(summary, list):
        summary = "\n".join(map(str, summary))
    period = _plain(values.get("period"))
    return Transcript(
        call_id, _plain(values.get("company")), normalise_period(period) or period,
        _plain(values.get("sector")), source, found,
        summary if isinstance(summary, str) and summary.strip() else None,
        ticker=_plain(values.get("ticker")), date=call_date(_plain(values.get("date"))),
        layout="turns" if any(turn.speaker for turn in found) else "", language=language,
    )  # fmt: skip


def _mapped(row: dict, fields: dict[str, str]) -> tuple[dict[str, object], list[str]]:
    """Return the values of a row under our field names, and the fields that the row lacks.

    ``period`` may map to several fields, such as the year and the quarter.
    """
    values: dict[str, object] = {}
    missing = []
    for ours, theirs in fields.items():
        parts = theirs.split(" + ") if ours == "period" else [theirs]
        found = []
        for part in parts:
            try:
                found.append(value_of(row, part))
            except KeyError:
                missing.append(part)
        if len(found) == len(parts):
            values[ours] = found[0] if len(parts) == 1 else " ".join(map(_plain, found))
    return values, missing


def _turns(values: dict[str, object], fields: dict[str, str]) -> tuple[Turn, ...]:
    found: list[Turn] = []
    sections = {"prepared": "prepared", "questions": "qa"}
    for ours in ("text", *TURN_FIELDS):
        if ours in values:
            section = sections.get(ours, "unknown")
            found += listed.turns(values[ours], section=section, field=fields[ours])
    return tuple(found)


def call_from_row(
    row: dict, *, source: str, fields: dict[str, str], file: Path, line: int
) -> Transcript | Reject:
    """Build a transcript with its turns from the project's own format; ``fields`` is not used."""
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
        period=normalise_period(row["period"]) or _plain(row["period"]),
        sector=_plain(row.get("sector")),
        source=source,
        turns=turns,
        summary=row.get("summary") or None,
    )


def _call_fault(row: dict, call_id: str) -> str:
    """Return what is wrong with a row of the format ``calls``, or "" if nothing is."""
    if not call_id:
        return "no id"
    for key in ("company", "period", "turns"):
        if key not in row:
            return f"no {key}"
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
    """Return a cell's value as text: "" for None and NaN, "12" for 12.0."""
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
