"""Read one transcript from a file in any supported format."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from finllm.commands.files import check_input
from finllm.corpus import documents
from finllm.corpus.description import Description, describe_source
from finllm.corpus.detection import NAME_PATTERN
from finllm.corpus.rows import transcript_from_row
from finllm.corpus.sources import read_described
from finllm.records import Reject, Transcript

MAPPED = {".jsonl": "jsonl", ".json": "json", ".csv": "csv", ".parquet": "parquet"}
READABLE_FILE = (
    "plain text, HTML, PDF, Earnings-21's .nlp, a .jsonl of calls with turns, or .jsonl, .json, "
    ".csv or .parquet in a folder whose source.yaml maps the fields"
)


def read_call(path: Path, call_id: str = "") -> Transcript:
    """Read the call in a file, or the call with an id if the file holds several.

    Raises
    ------
    ValueError
        If the file is missing or cannot be read, has no call with this id, or holds several calls
        and no id is given. The message names the file, the problem and the available calls.
    """
    check_input(path, f"it must hold a transcript: {READABLE_FILE}")
    form = path.suffix.lower()
    records = (
        list(read_described(_described(path, form), name=path))
        if form in MAPPED or form == ".nlp"
        else [_from_text(path)]
    )
    calls = {record.id: record for record in records if isinstance(record, Transcript)}
    if not calls:
        bad = records[0]
        raise ValueError(f"{path}: no transcript: {bad.reason}: {bad.detail}")
    if call_id and call_id not in calls:
        raise ValueError(f"{path}: no call {call_id!r}; available: {_some(calls)}")
    if not call_id and len(calls) > 1:
        raise ValueError(f"{path}: {len(calls)} calls; name one with --id: {_some(calls)}")
    return calls[call_id or next(iter(calls))]


def _from_text(path: Path) -> Transcript | Reject:
    text = documents.read_document(path, encoding="utf-8")
    if isinstance(text, Reject):
        return text
    named = re.match(NAME_PATTERN, path.stem)
    row = {"id": path.stem, "text": text, **(named.groupdict("") if named else {})}
    fields = {key: key for key in row}
    return transcript_from_row(row, source=path.parent.name, fields=fields, file=path, line=0)


def _described(path: Path, form: str) -> Description:
    """Return the description in the nearest ``source.yaml`` that fits the file's format.

    Without one, the description is made from the suffix ``.jsonl`` or ``.nlp``.
    """
    for folder in path.resolve().parents:
        if (folder / "source.yaml").is_file():
            found = describe_source(folder)
            if found.format in (MAPPED.get(form), "calls", "revcom"):
                return replace(found, base=path)
    if form not in (".jsonl", ".nlp"):
        raise ValueError(
            f"{path}: no source.yaml in its folder maps the text field of a {form} file; "
            f"readable: {READABLE_FILE}"
        )
    return Description(
        name=path.stem,
        format="calls" if form == ".jsonl" else "revcom",
        base=path,
        licence="",
        origin="",
        fields={},
        encoding="utf-8",
        name_pattern="",
        dataset="",
        revision="",
        split="train",
        provenance="human",
        language="",
    )


def _some(calls: dict[str, Transcript]) -> str:
    more = f" and {len(calls) - 5} more" if len(calls) > 5 else ""
    return ", ".join(list(calls)[:5]) + more
