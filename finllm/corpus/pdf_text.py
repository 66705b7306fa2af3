"""Print the text layer of a PDF as one JSON object: ``python -m finllm.corpus.pdf_text FILE``.

This runs as a separate process, since a crafted PDF can demand any amount of time and memory; it
opens the file and nothing else.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import resource
import sys
from collections import Counter
from collections.abc import Sequence

MAX_PAGES = 400
MAX_CHARACTERS = 16 * 2**20
MAX_MEMORY = 3 * 2**30  # bytes of address space
MIN_WORDS_A_PAGE = 5  # a page with fewer is a scan with a stamp
EDGE = 3  # lines at the top and bottom of a page that can be its running head and foot


def main() -> None:
    """Print ``{"text": ...}``, or ``{"reason": ..., "detail": ...}``."""
    with contextlib.suppress(ValueError, OSError):  # not supported on every system
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    logging.disable(logging.CRITICAL)
    sys.stdout.write(json.dumps(read(sys.argv[1])))


def read(path: str) -> dict[str, str]:
    """Return the text of a PDF without running heads and feet, or the reason why there is none."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            return _reason("encrypted", "a password is needed; save it without one")
        n_pages = len(reader.pages)
        if n_pages > MAX_PAGES:
            return _reason("too_large", f"{n_pages} pages, at most {MAX_PAGES}")
        pages: list[list[str]] = []
        n_characters = 0
        for page in reader.pages:
            text = page.extract_text()
            n_characters += len(text)
            if n_characters > MAX_CHARACTERS:
                return _reason("too_large", f"more than {MAX_CHARACTERS} characters of text")
            pages.append([line.strip() for line in text.split("\n") if line.strip()])
    except (PyPdfError, RecursionError, MemoryError) as error:
        return _reason("bad_pdf", f"{type(error).__name__}: {error}"[:300])
    except Exception as error:  # whatever a damaged file makes the parser raise
        return _reason("bad_pdf", f"damaged ({type(error).__name__}: {error})"[:300])
    n_words = sum(len(line.split()) for page in pages for line in page)
    if n_words < MIN_WORDS_A_PAGE * max(n_pages, 1):
        detail = (
            f"{n_words} words on {n_pages} pages: pictures without a text layer, as a scan has;"
        )
        return _reason("no_text_layer", f"{detail} run text recognition (OCR) over it first")
    return {"text": "\n".join(line for page in without_edges(pages) for line in page)}


def without_edges(pages: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the pages without running heads and feet.

    These are the lines that most pages have at the same place near an edge, ignoring digits.
    "Operator" alone is kept: a page may well begin with a speaker.
    """
    if len(pages) < 2:
        return [list(page) for page in pages]
    seen: Counter[tuple[int, str]] = Counter()
    for page in pages:
        seen.update(set(_edges(page)))
    common = {edge for edge, n in seen.items() if 2 * n > len(pages) and n > 1}
    kept = []
    for page in pages:
        gone = {place % len(page) for place, shape in _edges(page) if (place, shape) in common}
        kept.append([line for place, line in enumerate(page) if place not in gone])
    return kept


def _edges(page: Sequence[str]) -> list[tuple[int, str]]:
    """Return place (negative from the bottom) and shape of the lines at a page's edges."""
    n = min(EDGE, len(page) // 2)
    places = [*range(n), *range(-n, 0)]
    found = [(place, re.sub(r"\d+", "#", page[place])) for place in places]
    return [(place, shape) for place, shape in found if shape.lower().strip(":") != "operator"]


def _reason(reason: str, detail: str) -> dict[str, str]:
    return {"reason": reason, "detail": detail}


if __name__ == "__main__":
    main()
