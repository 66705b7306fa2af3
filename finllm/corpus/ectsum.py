"""Read ECTSum (Mukherjee et al., EMNLP 2022, arXiv 2210.12467): a sentence a line, no speakers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from finllm.corpus import readers
from finllm.records import Reject, Transcript, Turn

SPLITS = ("train", "val", "test")
_NAME = re.compile(r"(?P<ticker>.+)_q(?P<quarter>[1-4])_(?P<year>\d{4})")


def read(
    base: Path, *, source: str, encoding: str
) -> Iterator[tuple[Transcript, Path, int] | Reject]:
    """Yield the calls below ``<base>/{train,val,test}/ects`` or ``<base>/ects``, with summaries.

    A call without a file in ``gt_summaries`` has the summary None. The company is the ticker.
    """
    limit = os.path.realpath(base)
    folders = [base / split for split in SPLITS if (base / split / "ects").is_dir()]
    folders += [base] if (base / "ects").is_dir() else []
    for folder in folders:
        summaries = folder / "gt_summaries"
        for path in readers.list_files(folder / "ects", root=base, suffixes=(".txt",)):
            if isinstance(path, Reject):
                yield path
                continue
            summary = summaries / path.name
            record = readers.leads_out(summary, limit) or _transcript(
                path, summary, source=source, encoding=encoding
            )
            yield record if isinstance(record, Reject) else (record, path, 0)


def _transcript(path: Path, summary: Path, *, source: str, encoding: str) -> Transcript | Reject:
    name = _NAME.fullmatch(path.stem)
    if not name:
        detail = f"{path.name!r} is not TICKER_qN_YYYY.txt"
        return Reject(path.stem, str(path), 0, "bad_name", detail)
    text = readers.read_text_file(path, encoding=encoding)
    if isinstance(text, Reject):
        return text
    bullets = readers.read_text_file(summary, encoding=encoding) if summary.is_file() else None
    if isinstance(bullets, Reject):
        return bullets
    return Transcript(
        id=path.stem,
        company=name["ticker"],
        period=f"{name['year']}Q{name['quarter']}",
        sector="",
        source=source,
        turns=(Turn("", "unknown", "unknown", text),),
        summary=bullets.strip() if bullets else None,
    )
