"""Parse and validate ``source.yaml``, the description of a source folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML, YAMLError

from finllm.corpus.remote import is_url
from finllm.languages.files import check_language

FORMATS = ("calls", "ectsum", "revcom", "jsonl", "json", "csv", "parquet", "text", "hub")
KEYS = (
    "format", "path", "licence", "origin", "fields", "encoding", "name_pattern",
    "dataset", "revision", "split", "provenance", "language",
)  # fmt: skip
LOCAL_FORMATS = ("ectsum", "revcom", "hub")  # read from a local path or by a library, not a URL
WRITERS = ("human", "synthetic")
FIELDS = (
    "id", "text", "turns", "prepared", "questions", "company", "ticker", "period", "date", "sector",
    "summary", "language",
)  # fmt: skip
SPOKEN = ("text", "turns", "prepared", "questions")  # at least one of them must be mapped
MAPPED_FORMATS = ("jsonl", "json", "csv", "parquet", "hub")  # `fields` names their columns
READABLE = (  # the files that finllm.corpus.detection recognises in a folder
    "a source.yaml, ECTSum's ects/*.txt (also below train, val, test), Earnings-21's *.nlp, "
    "*.txt, *.html and *.pdf files, or *.jsonl files of calls with turns"
)


@dataclass(frozen=True)
class Description:
    """The checked content of a ``source.yaml``."""

    name: str
    format: str  # one of FORMATS
    base: Path  # the folder or file with the data; for a url, the folder its files are copied to
    licence: str
    origin: str
    fields: dict[str, str]  # our field -> column of the source, for MAPPED_FORMATS
    encoding: str
    name_pattern: str  # text: a regular expression with named groups, matched on the file's stem
    dataset: str  # hub: owner/name
    revision: str  # hub: the commit
    split: str  # hub
    provenance: str  # who wrote the words: one of WRITERS
    language: str  # of all its calls; empty if it must be detected for each call
    url: str = ""  # where the data is, if not in a folder


def describe_source(folder: Path) -> Description:
    """Read and check ``<folder>/source.yaml``.

    Raises
    ------
    ValueError
        Names the file, the key, the value and what is allowed.
    """
    file = folder / "source.yaml"
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such source folder{_others(folder)}")
    if not file.is_file():
        raise ValueError(f"{file}: missing; it must name a `format`, one of {', '.join(FORMATS)}")
    try:
        raw = YAML(typ="safe").load(file)
    except (YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: not valid YAML ({error})") from None
    if not isinstance(raw, dict):
        raise ValueError(f"{file}: must be a mapping with the keys {', '.join(KEYS)}")
    if unknown := sorted(set(map(str, raw)) - set(KEYS)):
        raise ValueError(f"{file}: unknown key {unknown[0]!r}; allowed: {', '.join(KEYS)}")
    form = raw.get("format")
    if form not in FORMATS:
        raise ValueError(f"{file}: format {form!r}; allowed: {', '.join(FORMATS)}")
    texts = {key: str(raw.get(key) or "") for key in KEYS if key != "fields"}
    _check_name_pattern(file, texts["name_pattern"])
    _check_encoding(file, texts["encoding"] or "utf-8")
    url = _url(file, form, texts["path"])
    return Description(
        name=folder.resolve().name if folder.name in ("", ".", "..") else folder.name,
        format=form,
        base=_base(
            file,
            folder,
            "" if url else texts["path"],
            needs_path=form != "hub" or not texts["dataset"],
        ),
        licence=texts["licence"],
        origin=texts["origin"],
        fields=_fields(file, form, raw.get("fields")),
        encoding=texts["encoding"] or "utf-8",
        name_pattern=texts["name_pattern"],
        dataset=texts["dataset"],
        revision=_revision(file, form, texts),
        split=texts["split"] or "train",
        provenance=_provenance(file, texts["provenance"] or "human"),
        language=texts["language"] and check_language(texts["language"], f"{file}: language"),
        url=url,
    )


def _others(folder: Path) -> str:
    found = sorted(path.parent.name for path in folder.parent.glob("*/source.yaml"))
    return f"; available: {', '.join(found)}" if found else ""


def _base(file: Path, folder: Path, path: str, *, needs_path: bool) -> Path:
    if ".." in Path(path).parts or Path(path).is_absolute():
        raise ValueError(
            f"{file}: path {path!r} leaves the folder; allowed is a path below it"
            " (to point at data elsewhere make that path a link)"
        )
    base = folder / path
    if needs_path and not base.exists():
        there = sorted(p.name for p in folder.iterdir() if p.name != file.name)[:10]
        raise ValueError(
            f"{file}: path {path!r}: {base} does not exist; {folder} holds: "
            f"{', '.join(there) or 'nothing else'}"
        )
    return base


def _url(file: Path, form: str, path: str) -> str:
    if not is_url(path):
        return ""
    if form in LOCAL_FORMATS:
        raise ValueError(f"{file}: path {path!r}: format {form} is read from a local folder only")
    return path.rstrip("/")


def _fields(file: Path, form: str, fields: object) -> dict[str, str]:
    if form not in MAPPED_FORMATS:
        if fields:
            raise ValueError(f"{file}: `fields` belongs to {', '.join(MAPPED_FORMATS)}, not {form}")
        return {}
    if not isinstance(fields, dict) or not set(SPOKEN) & set(fields):
        raise ValueError(
            f"{file}: fields {fields!r}; must map at least `text` to a column, or `turns` (a "
            "list of speaker and text), or `prepared` and `questions` if they are separate"
        )
    if unknown := sorted(set(map(str, fields)) - set(FIELDS)):
        raise ValueError(f"{file}: fields: {unknown[0]!r}; allowed: {', '.join(FIELDS)}")
    for ours, theirs in fields.items():
        if isinstance(theirs, list | dict) and not (ours == "period" and isinstance(theirs, list)):
            raise ValueError(
                f"{file}: fields: {ours}: {theirs!r}; must be one column (only `period` may be a "
                "list of columns, such as [year, quarter])"
            )
    return {
        ours: " + ".join(map(str, theirs)) if isinstance(theirs, list) else str(theirs)
        for ours, theirs in fields.items()
    }


def _revision(file: Path, form: str, texts: dict[str, str]) -> str:
    if form == "hub" and texts["dataset"] and not re.fullmatch(r"[0-9a-f]{40}", texts["revision"]):
        raise ValueError(
            f"{file}: revision {texts['revision']!r}; must be the 40 digits of a commit (quoted),"
            " so that every run reads the same data"
        )
    return texts["revision"]


def _provenance(file: Path, provenance: str) -> str:
    if provenance not in WRITERS:
        raise ValueError(f"{file}: provenance {provenance!r}; allowed: {', '.join(WRITERS)}")
    return provenance


def _check_encoding(file: Path, encoding: str) -> None:
    try:
        b"abcd".decode(encoding)
    except (LookupError, UnicodeDecodeError):
        raise ValueError(f"{file}: encoding {encoding!r}; must be one that Python knows") from None


def _check_name_pattern(file: Path, pattern: str) -> None:
    allowed = {"id", "company", "period", "sector"}
    try:
        groups = set(re.compile(pattern).groupindex)
    except re.error as error:
        raise ValueError(f"{file}: name_pattern {pattern!r}: {error}") from None
    if groups - allowed:
        raise ValueError(f"{file}: name_pattern groups {sorted(groups)}; allowed {sorted(allowed)}")
