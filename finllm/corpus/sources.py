"""Read source folders, described by ``source.yaml``, as transcripts and rejects, one at a time."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from finllm.corpus import documents, ectsum, readers, remote, revcom
from finllm.corpus.description import SPOKEN, Description, describe_source
from finllm.corpus.rows import call_from_row, transcript_from_row
from finllm.records import NO_SOURCE, Reject, Transcript

Read = tuple[Transcript, Path | str, int]  # the record, its file, its line


def list_sources(raw: Path) -> str:
    """Return a text that lists the folders of ``raw`` with a description, and those without."""
    found = {path.parent.name for path in raw.glob("*/source.yaml")} | {"sample"}
    bare = {p.name for p in raw.glob("*/") if p.name not in found | {NO_SOURCE}}
    more = f"; without a source.yaml: {', '.join(sorted(bare))}" if bare else ""
    return f"available: {', '.join(sorted(found))}{more}"


def read_sources(folders: Sequence[Path]) -> Iterator[Transcript | Reject]:
    """Yield the records of several sources, one source after the other, as ``read_source`` does.

    A call whose id occurs in an earlier source is a reject, as within a source.
    """
    if len(folders) == 1:
        yield from read_source(folders[0])
        return
    owner: dict[str, str] = {}
    for folder in folders:
        for record in read_source(folder):
            if isinstance(record, Transcript):
                if owner.setdefault(record.id, record.source) != record.source:
                    detail = f"already in {owner[record.id]}"
                    record = Reject(record.id, str(folder), 0, "duplicate_id", detail)
            yield record


def read_source(folder: Path) -> Iterator[Transcript | Reject]:
    """Yield the records of a source in a fixed order, each a Transcript or a Reject with a reason.

    Turns of flat text have the role and section "unknown" here; cleaning infers them.

    Raises
    ------
    ValueError
        If the source as a whole is unusable (see ``describe_source``) or has no records.
    """
    yield from read_described(describe_source(folder), name=folder / "source.yaml")


def read_described(source: Description, name: Path | None = None) -> Iterator[Transcript | Reject]:
    """Yield the records of a source whose description is known; ``name`` is used in messages.

    Raises
    ------
    ValueError
        If the source has no records, or cannot be read as a whole.
    """
    first_seen: dict[str, str] = {}
    n_records = 0
    for record in _remote_records(source) if source.url else _records(source):
        n_records += 1
        if isinstance(record, tuple):
            record, file, line = record
            language = record.language or source.language
            record = replace(record, provenance=source.provenance, language=language)
            if record.id in first_seen:
                detail = f"already at {first_seen[record.id]}"
                record = Reject(record.id, str(file), line, "duplicate_id", detail)
            else:
                first_seen[record.id] = f"{file}:{line}"
        yield _encodable(record)
    if not n_records:
        raise ValueError(
            f"{name or source.base}: no {source.format} records in {source.url or source.base}"
        )


def check_reject_share(
    rejects: Sequence[Reject], n_read: int, max_reject_share: float, *, where: str = ""
) -> None:
    """Raise an error if too many records are rejects; ``where`` is the file that lists them.

    Raises
    ------
    ValueError
        If more than ``max_reject_share`` of the records are rejects, or none was read.
    """
    n_rejected = len(rejects)
    if n_read <= 0 or not 0 <= n_rejected <= n_read:
        raise ValueError(f"{n_rejected} rejects of {n_read} records: nothing was read")
    share = n_rejected / n_read
    if share > max_reject_share:
        listed = f". All are in {where}" if where else ""
        raise ValueError(
            f"{n_rejected} of {n_read} records are bad ({share:.1%}); clean.max_reject_share "
            f"allows {max_reject_share:.1%}. {_most_often(rejects)}{listed}"
        )


def _most_often(rejects: Sequence[Reject]) -> str:
    """Return a phrase with the most frequent reason and one record that has it."""
    (reason, n), *others = Counter(reject.reason for reject in rejects).most_common()
    one = next(reject for reject in rejects if reject.reason == reason)
    place = f"{one.file}, line {one.line}" if one.line else one.file
    more = f" (and {sum(n for _, n in others)} of other kinds)" if others else ""
    return f"{n} {reason}{more}, such as {place}: {one.detail}"


def _remote_records(source: Description) -> Iterator[Read | Reject]:
    """Yield the records of a source at a URL, with that URL in place of their local folder."""
    with tempfile.TemporaryDirectory() as folder:

        def name(file: object) -> str:
            return str(file).replace(folder, source.url, 1)

        for record in _records(replace(source, base=Path(folder))):
            if isinstance(record, Reject):
                yield replace(record, file=name(record.file))
            else:
                yield record[0], name(record[1]), record[2]


def _files(source: Description, suffixes: tuple[str, ...]) -> Iterator[Path | Reject]:
    if source.url:
        return remote.copies(source.url, source.base, suffixes=suffixes)
    return readers.list_files(source.base, root=source.base, suffixes=suffixes)


def _records(source: Description) -> Iterator[Read | Reject]:
    if source.format == "ectsum":
        yield from ectsum.read(source.base, source=source.name, encoding=source.encoding)
    elif source.format == "revcom":
        yield from revcom.read(source.base, source=source.name, encoding=source.encoding)
    elif source.format == "text":
        yield from _text_records(source)
    else:
        make = call_from_row if source.format == "calls" else transcript_from_row
        for row in _rows(source):
            if isinstance(row, Reject):
                yield row
                continue
            values, file, line = row
            record = make(values, source=source.name, fields=source.fields, file=file, line=line)
            yield record if isinstance(record, Reject) else (record, file, line)


def _rows(source: Description) -> Iterator[readers.Row | Reject]:
    if source.format == "hub":
        dataset = source.dataset or str(source.base)
        revision = source.revision or None
        yield from readers.hub_rows(dataset, revision=revision, split=source.split)
        return
    # a format has the name of its files' suffix, except for ``calls``
    suffix = ".jsonl" if source.format == "calls" else "." + source.format
    for path in _files(source, (suffix,)):
        if isinstance(path, Reject):
            yield path
        elif bad := readers.sniff(path):
            yield bad
        elif suffix == ".jsonl":
            yield from readers.jsonl_rows(path, encoding=source.encoding)
        elif suffix == ".json":
            wanted = [source.fields[key] for key in SPOKEN if key in source.fields]
            yield from readers.json_rows(path, encoding=source.encoding, wanted=wanted)
        elif suffix == ".csv":
            columns = {part for value in source.fields.values() for part in value.split(" + ")}
            yield from readers.csv_rows(path, encoding=source.encoding, columns=columns)
        elif suffix == ".parquet":
            yield from readers.parquet_rows(path)
        else:
            raise NotImplementedError(f"format {source.format}: in FORMATS, but no reader is here")


def _text_records(source: Description) -> Iterator[Read | Reject]:
    pattern = re.compile(source.name_pattern)
    suffixes = (*documents.SUFFIXES, *documents.NOT_READ)
    for path in _files(source, suffixes):
        text = (
            path
            if isinstance(path, Reject)
            else documents.read_document(path, encoding=source.encoding)
        )
        if isinstance(text, Reject):
            yield text
            continue
        match = pattern.search(path.stem)
        if not match:
            detail = f"{path.stem!r} does not match name_pattern {source.name_pattern!r}"
            yield Reject(path.stem, str(path), 0, "bad_name", detail)
            continue
        row = {
            "id": path.relative_to(source.base).with_suffix("").as_posix(),
            **match.groupdict(""),
        }
        fields = {key: key for key in (*row, "text")}
        row["text"] = text
        record = transcript_from_row(row, source=source.name, fields=fields, file=path, line=0)
        yield record if isinstance(record, Reject) else (record, path, 0)


def _encodable(record: Transcript | Reject) -> Transcript | Reject:
    """Return the record without lone surrogates, which JSON can escape but no file can store."""
    if isinstance(record, Reject):
        texts = {key: _whole(value) for key, value in vars(record).items() if key != "line"}
        return replace(record, **texts)
    keys = ("id", "company", "period", "sector", "ticker")
    turns = tuple(
        replace(turn, speaker=_whole(turn.speaker), text=_whole(turn.text)) for turn in record.turns
    )
    summary = None if record.summary is None else _whole(record.summary)
    texts = {key: _whole(value) for key, value in vars(record).items() if key in keys}
    return replace(record, turns=turns, summary=summary, **texts)


def _whole(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
