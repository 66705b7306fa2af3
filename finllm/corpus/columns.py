"""Keep what the gaps between columns of a text file say, before cleaning closes them."""

from __future__ import annotations

import re

from finllm.corpus.layouts import names
from finllm.corpus.layouts.speakers import parted

MIN_ROWS = 3  # fewer rows with a name in the first column are chance
_ROW = re.compile(r"^(?P<first>\S+(?: \S+){0,7})(?P<gap>\t+| {2,})(?P<rest>\S.*)$", re.M)


def marked(text: str) -> str:
    r"""Put a colon between a name and the words beside it, and a dash between a name and a title.

    >>> row = "Jane Roe\tSales rose 5%.\n"
    >>> marked(row * 3).splitlines()[0], marked("Jane Roe  Acme Corp - CFO\n" * 3).splitlines()[0]
    ('Jane Roe: Sales rose 5%.', 'Jane Roe - Acme Corp - CFO')
    """
    if "\t" not in text and "  " not in text:
        return text
    n_rows = sum(_mark(match) != match[0] for match in _ROW.finditer(text))
    return _ROW.sub(_mark, text) if n_rows >= MIN_ROWS else text


def _mark(row: re.Match[str]) -> str:
    first, rest = row["first"], row["rest"]
    if first[-1] in ",:" or not names.is_name(parted(first)[0]):
        return row[0]
    if " - " in rest and names.is_title(rest) and _tells(rest):
        return f"{first} - {rest}"
    is_speech = "\t" in row["gap"] and not re.match(r"[-+$(]?\d", rest)
    return f"{first}: {rest}" if is_speech else row[0]


def _tells(detail: str) -> bool:
    return bool(names.TITLE.search(detail) or names.ANALYST.search(detail))
