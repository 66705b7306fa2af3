"""Detect the format of a transcript folder without a ``source.yaml``."""

from __future__ import annotations

from pathlib import Path

from finllm.corpus import ectsum, revcom
from finllm.corpus.description import READABLE, Description, describe_source

# TICKER_qN_YYYY, as ECTSum names its calls, gives company and period; any other name is only an id.
NAME_PATTERN = r"^(?:(?P<company>.+)_(?P<period>q[1-4]_\d{4})$)?"


def detect(folder: Path) -> Description:
    """Return the description of a folder: its ``source.yaml`` if present, else one from its files.

    The first match counts, in this order: ``source.yaml``; ``ects`` below ``train``, ``val`` or
    ``test``; ``ects/*.txt``; the folders or ``*.nlp`` files of Earnings-21; ``*.txt``, ``*.html``,
    ``*.htm`` or ``*.pdf``; ``*.jsonl`` of ``calls``.

    Raises
    ------
    ValueError
        If the folder is missing or has no readable files; the message lists the readable kinds.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    if (folder / "source.yaml").is_file():
        return describe_source(folder)
    if any((folder / split / "ects").is_dir() for split in ectsum.SPLITS):
        return _described(folder, "ectsum", folder)
    if (folder / "ects").is_dir():
        return _described(folder, "text", folder / "ects", suffix=".txt")
    if any((folder / name).is_dir() for name in revcom.FOLDERS) or any(folder.glob("*.nlp")):
        return _described(folder, "revcom", folder)
    if any(any(folder.glob(f"*{suffix}")) for suffix in (".txt", ".html", ".htm", ".pdf")):
        return _described(folder, "text", folder)
    if any(folder.glob("*.jsonl")):
        return _described(folder, "calls", folder)
    raise ValueError(f"{folder}: no transcripts; readable are {READABLE}")


def _described(folder: Path, form: str, base: Path, *, suffix: str = "") -> Description:
    if suffix and not any(base.glob(f"*{suffix}")):
        raise ValueError(f"{base}: no {suffix} file; readable are {READABLE}")
    return Description(
        name=folder.resolve().name,
        format=form,
        base=base,
        licence="",
        origin="",
        fields={},
        encoding="utf-8",
        name_pattern=NAME_PATTERN if form == "text" else "",
        dataset="",
        revision="",
        split="train",
        provenance="human",
        language="",
    )
