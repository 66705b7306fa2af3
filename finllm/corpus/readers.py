"""Read bytes, lines, JSON, CSV, Parquet, text and Hub datasets, with a reject for each bad row."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from finllm.records import Reject

MAX_RECORD_BYTES = 16 * 2**20  # the longest call of ECTSum has 70 kB: anything larger is not a call
MAX_JSON_BYTES = 256 * 2**20  # a JSON file is read whole; larger ones belong in JSON lines
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
MAX_NUL_SHARE = 0.01  # a smaller share is removed by cleaning

Row = tuple[dict, Path, int]  # the record, its file, its line


def list_files(base: Path, *, root: Path, suffixes: tuple[str, ...]) -> Iterator[Path | Reject]:
    """Yield the files below ``base`` with one of the suffixes, sorted, without hidden files.

    ``root`` is the folder of the source and may be a link, since users keep data elsewhere. A file
    below it that links to a place outside it is a reject, and so is any link to a folder.
    """
    if base.is_file():
        yield base
        return
    limit = os.path.realpath(root)
    for folder, subfolders, names in os.walk(base):
        subfolders.sort()
        for name in subfolders:
            path = os.path.join(folder, name)
            if os.path.islink(path):  # os.walk does not enter it
                yield Reject("", path, 0, "linked_folder", "links to folders are not followed")
        for name in sorted(names):
            if name.startswith(".") or not name.lower().endswith(suffixes):
                continue
            path = Path(folder, name)
            yield leads_out(path, limit) or path


def leads_out(path: Path, limit: str) -> Reject | None:
    """Return a reject if a path is, or passes through, a link that leaves the folder ``limit``."""
    target = os.path.realpath(path)
    if target == limit or target.startswith(limit + os.sep):
        return None
    detail = f"links to {target}; only the `path` of source.yaml may lead out of the folder"
    return Reject(path.stem, str(path), 0, "link_outside", detail)


def decode(raw: bytes, *, encoding: str) -> tuple[str, str, str]:
    """Decode bytes to (text, "", ""), or to ("", reason code, detail) if that fails.

    Nothing is guessed: an encoding other than UTF-8 must be named in source.yaml.
    """
    if not encoding.startswith(("utf-16", "utf-32")) and (found := _unmarked_utf16(raw)):
        detail = f"every second byte is NUL, as in {found}; source.yaml can set `encoding`"
        return "", "bad_encoding", detail
    if not encoding.startswith(("utf-16", "utf-32")) and raw.count(0) > MAX_NUL_SHARE * len(raw):
        return "", "binary", f"{raw.count(0)} NUL bytes in {len(raw)} bytes"
    try:
        return raw.decode("utf-8-sig" if encoding == "utf-8" else encoding), "", ""
    except UnicodeDecodeError as error:
        byte = raw[error.start : error.start + 1].hex()
        detail = f"byte 0x{byte} at {error.start} is not {encoding}; source.yaml can set `encoding`"
        return "", "bad_encoding", detail


def decode_file(raw: bytes, *, encoding: str) -> tuple[str, str, str]:
    """Decode a whole file with ``decode``; it may begin with the byte order mark of UTF-16."""
    return decode(raw, encoding="utf-16" if raw[:2] in UTF16_MARKS else encoding)


def _unmarked_utf16(raw: bytes) -> str:
    """Return which UTF-16 the text looks like without a byte order mark, or "" for neither."""
    start = raw[:4096]
    for name, own, other in (("utf-16-le", 1, 0), ("utf-16-be", 0, 1)):
        if 5 * start[own::2].count(0) > 2 * len(start) and not start[other::2].count(0):
            return name
    return ""


def sniff(path: Path) -> Reject | None:
    """Return a reject for a file that cannot contain records: empty, an HTML page, UTF-16 lines."""
    try:
        with open(path, "rb") as file:
            start = file.read(4096)
    except OSError as error:
        return Reject(path.stem, str(path), 0, "unreadable", str(error))
    plain = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    reason, detail = "", ""
    if not plain and len(start) < 4096:
        reason, detail = "empty", "no text"
    elif plain[:14].lower().startswith((b"<!doctype html", b"<html")):
        reason, detail = "html", "an HTML page, not transcripts"
    elif start[:2] in UTF16_MARKS and path.suffix.lower() != ".txt":
        reason, detail = "bad_encoding", "UTF-16; write it as UTF-8"
    return Reject(path.stem, str(path), 0, reason, detail) if reason else None


def read_text_file(path: Path, *, encoding: str) -> str | Reject:
    """Return the text of one file, or a reject with the reason why it has none."""
    if bad := sniff(path):
        return bad
    size = path.stat().st_size
    if size > MAX_RECORD_BYTES:
        detail = f"{size} bytes in one record, at most {MAX_RECORD_BYTES}"
        return Reject(path.stem, str(path), 0, "too_large", detail)
    raw = path.read_bytes()
    text, reason, detail = decode_file(raw, encoding=encoding)
    if not reason and not text.strip():
        reason, detail = "empty", "no text"
    return Reject(path.stem, str(path), 0, reason, detail) if reason else text


def bounded_lines(path: Path) -> Iterator[tuple[int, bytes | None]]:
    """Yield numbered lines; None for one over ``MAX_RECORD_BYTES``, which is never loaded whole."""
    with open(path, "rb") as file:
        number = 0
        while line := file.readline(MAX_RECORD_BYTES + 1):
            number += 1
            if len(line) > MAX_RECORD_BYTES and not line.endswith(b"\n"):
                while line and not line.endswith(b"\n"):
                    line = file.readline(MAX_RECORD_BYTES)
                yield number, None
            else:
                yield number, line


def jsonl_rows(path: Path, *, encoding: str) -> Iterator[Row | Reject]:
    """Yield the objects of a JSON-lines file, line by line.

    This does not use ``datasets``: its reader stops at the first broken line, and gives a column
    one type for the whole file.
    """
    for number, raw in bounded_lines(path):
        if raw is None:
            detail = f"a line of more than {MAX_RECORD_BYTES} bytes"
            yield Reject("", str(path), number, "too_large", detail)
        elif raw.strip():
            yield _json_row(raw, path, number, encoding)


def _json_row(raw: bytes, path: Path, number: int, encoding: str) -> Row | Reject:
    text, reason, detail = decode(raw, encoding=encoding)
    if not reason:
        try:
            row = json.loads(text, strict=False)  # cleaning removes control characters
        except (ValueError, RecursionError) as error:
            reason, detail = "bad_json", str(error)
        else:
            if isinstance(row, dict):
                return row, path, number
            reason, detail = "bad_json", f"a {type(row).__name__}, must be an object"
    return Reject("", str(path), number, reason, detail)


def json_rows(path: Path, *, encoding: str, wanted: Sequence[str] = ()) -> Iterator[Row | Reject]:
    """Yield the objects of a JSON file: a list of objects, or one object that contains such a list.

    An object that itself has one of the fields ``wanted`` is one record, whatever lists it
    contains: several APIs give one file per call, with its turns as a list.

    A truncated file is read up to the break; the break is one reject.
    """
    size = path.stat().st_size
    if size > MAX_JSON_BYTES:
        detail = f"{size} bytes, at most {MAX_JSON_BYTES}: write JSON lines"
        yield Reject("", str(path), 0, "too_large", detail)
        return
    text, reason, detail = decode(path.read_bytes(), encoding=encoding)
    if wanted and text.lstrip()[:1] == "{" and (row := _whole_record(text, wanted)):
        yield row, path, 1
        return
    start = text.find("[")
    if not reason and start < 0:
        reason, detail = "bad_json", "no list of objects"
    if reason:
        yield Reject("", str(path), 0, reason, detail)
        return
    decoder = json.JSONDecoder(strict=False)
    position, line = start + 1, text.count("\n", 0, start) + 1
    while True:
        at = position
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
        line += text.count("\n", position, at)
        if text[at : at + 1] == "]":
            return
        try:
            row, position = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            yield Reject(
                "", str(path), line, "bad_json", f"{error}; the rest of the file was skipped"
            )
            return
        if isinstance(row, dict):
            yield row, path, line
        else:
            detail = f"a {type(row).__name__}, must be an object"
            yield Reject("", str(path), line, "bad_json", detail)
        line += text.count("\n", at, position)


def _whole_record(text: str, wanted: Sequence[str]) -> dict | None:
    """Return the object that a text is if it has one of these fields or field paths, else None."""
    try:
        row = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    for path in wanted:
        value = row
        for part in [path] if path in row else path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            return row
    return None


def csv_rows(path: Path, *, encoding: str, columns: set[str]) -> Iterator[Row | Reject]:
    """Yield the rows of a CSV file with a header line; ``columns`` are those the source maps."""
    csv.field_size_limit(MAX_RECORD_BYTES)
    feed = _CsvFeed(path, encoding)
    reader = csv.reader(feed.lines(), strict=True)
    header: list[str] | None = None
    while True:
        feed.trouble = ("", "")
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            detail = f"{error}; lines {line} to {reader.line_num} were skipped"
            yield Reject("", str(path), line, "bad_csv", detail)
            continue
        if cells is None:
            break
        reason, detail = feed.trouble
        if not reason and header is None:
            header = [cell.strip() for cell in cells]
            if missing := sorted(columns - set(header)):
                detail = f"missing column {', '.join(missing)}; available: {', '.join(header)}"
                yield Reject("", str(path), line, "missing_column", detail)
                return
            continue
        if not reason and cells and len(cells) != len(header):
            reason, detail = "bad_csv", f"{len(cells)} cells, the header has {len(header)}"
        if reason:
            yield Reject("", str(path), line, reason, detail)
        elif cells:
            yield dict(zip(header, cells, strict=True)), path, line


class _CsvFeed:
    """Decoded lines for ``csv.reader``; ``trouble`` says what was wrong with the last of them."""

    def __init__(self, path: Path, encoding: str) -> None:
        self.path, self.encoding, self.trouble = path, encoding, ("", "")

    def lines(self) -> Iterator[str]:
        for number, raw in bounded_lines(self.path):
            if raw is None:
                self.trouble = ("too_large", f"a line of more than {MAX_RECORD_BYTES} bytes")
                yield "\n"
            elif raw.strip():
                text, reason, detail = decode(raw, encoding=self.encoding)
                if reason:
                    self.trouble = (reason, f"line {number}: {detail}")
                    text = raw.decode("latin-1").replace("\0", "")
                yield text
            else:
                yield "\n"


def parquet_rows(path: Path) -> Iterator[Row | Reject]:
    """Yield the rows of a Parquet file, streamed by ``datasets``; damage ends it with a reject."""
    from datasets import load_dataset

    number = 0
    try:
        rows = load_dataset("parquet", data_files=str(path), split="train", streaming=True)
        for number, row in enumerate(rows, 1):
            yield row, path, number
    except Exception as error:  # whatever Arrow raises for a damaged file
        detail = f"{type(error).__name__}: {error}"[:400] + "; the rest of the file was skipped"
        yield Reject("", str(path), number + 1, "unreadable", detail)
    else:
        if not number:
            yield Reject("", str(path), 0, "empty", "no rows")


def hub_rows(dataset: str, *, revision: str | None, split: str) -> Iterator[Row]:
    """Stream the rows of one split of a Hub dataset or of a local dataset folder.

    ``datasets`` 5 does not run a dataset's code; it only reads data files.

    Raises
    ------
    ValueError
        If the dataset cannot be read to its end: a broken connection must not lead to a smaller
        corpus.
    """
    from datasets import load_dataset

    try:
        rows = load_dataset(dataset, revision=revision, split=split, streaming=True)
        for number, row in enumerate(rows, 1):
            yield row, Path(dataset), number
    except Exception as error:
        detail = f"{type(error).__name__}: {error}"[:400]
        raise ValueError(f"dataset {dataset!r}, split {split!r}: {detail}") from error
