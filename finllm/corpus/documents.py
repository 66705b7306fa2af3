"""Extract plain text from text files, HTML pages and PDFs with a text layer.

Nothing is fetched and nothing is run: scripts, styles, images, fonts and links are ignored.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from lxml import etree

from finllm.corpus import columns, readers
from finllm.records import Reject

SUFFIXES = (".txt", ".text", ".md", ".vtt", ".srt", ".html", ".htm", ".xhtml", ".pdf")
NOT_READ = {  # why, by suffix
    **dict.fromkeys(
        (".docx", ".doc", ".rtf", ".odt", ".pages", ".epub", ".mht", ".mhtml"),
        "; save it as text, HTML or PDF",
    ),
    **dict.fromkeys(
        (".json", ".jsonl", ".csv", ".tsv", ".parquet", ".xlsx", ".xls", ".xml", ".zip", ".gz"),
        " with `format: text`; keep them in another folder",
    ),
}
MAX_NAME_WORDS, MIN_SPEECH_WORDS = 8, 4
MIN_WORDS = 20  # a shorter text is not a call: a "404" page, a scan with a stamp on it
PDF_SECONDS = 60  # a call of 30 pages takes two seconds
_HTML = re.compile(rb"\s*(?:<!--.{0,2000}?-->\s*)*<(?:!doctype html|html|head|body)\b", re.I | re.S)
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset=[\"']?([\w-]+)", re.I)
_LEFT_OUT = frozenset(
    "script style noscript template svg math canvas iframe object embed audio video form button"
    " select textarea nav aside footer link meta head".split()
)
_BLOCKS = frozenset(
    "p br div li tr h1 h2 h3 h4 h5 h6 ul ol table tbody thead section article header main "
    "blockquote pre hr dl dt dd figure figcaption body title address td th".split()
)

_INLINE = frozenset("span b strong em i u font a".split())
_PAIRS = frozenset((("td", "td"), ("th", "td"), ("dt", "dd"), ("span", "span"), ("b", "span"),
                    ("strong", "span"), ("div", "div")))  # fmt: skip
_NAME = re.compile(r"[A-Z][^\d.!?]*(?:\b[A-Z][a-z]?\.[^\d.!?]*)*:?$")
_ENDS = re.compile(r"[A-Za-z]{2}$|[.?!:;)\"”’]$")
_CAPITAL = re.compile(r"[\"“‘(]?[A-Z]")


def read_document(path: Path, *, encoding: str) -> str | Reject:
    """Return the text of a file, or a reject.

    Files with a suffix in ``NOT_READ`` are rejected unread. The format of any other file is judged
    by its content first, and by its suffix only if that does not tell.
    """
    suffix = path.suffix.lower()
    if suffix in NOT_READ:
        detail = f"{suffix} files are not read{NOT_READ[suffix]}"
        return Reject(path.stem, str(path), 0, "unreadable", detail)
    try:
        with open(path, "rb") as file:
            start = file.read(4096)
    except OSError as error:
        return Reject(path.stem, str(path), 0, "unreadable", str(error))
    if b"%PDF-" in start[:1024]:
        return _pdf_text(path)
    if suffix == ".pdf":
        return Reject(path.stem, str(path), 0, "bad_pdf", "not a PDF: it does not begin with %PDF-")
    if _HTML.match(start.removeprefix(b"\xef\xbb\xbf")) or suffix in (".html", ".htm", ".xhtml"):
        return _html_file(path, encoding=encoding)
    text = readers.read_text_file(path, encoding=encoding)
    return text if isinstance(text, Reject) else columns.marked(text)


def _html_file(path: Path, *, encoding: str) -> str | Reject:
    size = path.stat().st_size
    if size > readers.MAX_RECORD_BYTES:
        detail = f"{size} bytes in one record, at most {readers.MAX_RECORD_BYTES}"
        return Reject(path.stem, str(path), 0, "too_large", detail)
    raw = path.read_bytes()
    page, reason, detail = readers.decode_file(raw, encoding=encoding)
    if reason and (named := _CHARSET.search(raw[:4096])):  # named by the page: no guessing
        try:
            page, reason = raw.decode(named[1].decode("ascii")), ""
        except (LookupError, UnicodeDecodeError):
            detail += f"; nor is it {named[1].decode('ascii', 'replace')}, which the page names"
    if reason:
        return Reject(path.stem, str(path), 0, reason, detail)
    try:
        text = html_text(page)
    except ValueError as error:
        return Reject(path.stem, str(path), 0, "bad_html", str(error))
    n_words = len(text.split())
    if n_words < MIN_WORDS:
        detail = (
            f"an HTML page with only {n_words} words outside menus and scripts; not a transcript"
        )
        return Reject(path.stem, str(path), 0, "html", detail)
    return text


def html_text(page: str) -> str:
    """Return the words of an HTML page, one block a line, title first; no scripts, styles or menus.

    Raises
    ------
    ValueError
        If the page is nested too deeply to be read to its end.
    """
    if not page.strip():
        return ""
    parser = etree.HTMLParser(
        no_network=True, remove_comments=True, remove_pis=True, huge_tree=True, encoding="utf-8"
    )
    root = etree.fromstring(page.encode("utf-8", "replace"), parser)
    if root is None:
        return ""
    if any(error.type_name == "ERR_INTERNAL_ERROR" or "epth" in error.message
           for error in parser.error_log):  # fmt: skip
        raise ValueError("elements nested too deeply")
    main = _main_part(root)
    title = " ".join((root.findtext(".//title") or "").split())
    body = _lines(main)
    return "\n".join([title, body]) if title and title not in body[: 4 * len(title)] else body


def _main_part(root: etree._Element) -> etree._Element:
    """Return the ``article`` or ``main`` with over half of a page's text, else the whole page."""
    whole = len("".join(root.itertext()))
    for tag in ("article", "main"):
        parts = root.findall(f".//{tag}")
        if parts:
            longest = max(parts, key=lambda part: len("".join(part.itertext())))
            if 2 * len("".join(longest.itertext())) > whole:
                return longest
    return root


def _lines(root: etree._Element) -> str:
    parts: list[str] = []
    hidden: etree._Element | None = None
    for event, element in etree.iterwalk(root, events=("start", "end")):
        tag = element.tag if isinstance(element.tag, str) else ""
        if event == "start":
            if hidden is None and tag in _LEFT_OUT:
                hidden = element
            if hidden is None:
                parts.append(_break_before(element, tag, parts))
                parts.append(_flowing(element.text, tag))
            continue
        if hidden is element:
            hidden = None
        if hidden is None:
            parts.append("\n" if tag in _BLOCKS else "")
            if element is not root:
                parts.append(_flowing(element.tail, ""))
    lines = (" ".join(line.split()) for line in "".join(parts).split("\n"))
    return "\n".join(line for line in lines if line)


def _break_before(element: etree._Element, tag: str, parts: list[str]) -> str:
    """Return what separates an element's words from those before: a line break, ": ", " " or "".

    A name in the first of two cells is followed by a colon, once. Inline elements that only a style
    separates ("Operator" "Good day") get a line break; pieces of one word ("Reve" "nue") do not.
    """
    before = element.getprevious()
    if before is None or (before.tail or "").strip():
        return "\n" if tag in _BLOCKS else ""
    if (before.tag, tag) in _PAIRS and _announces(before, element):
        while parts and not parts[-1].strip():
            parts.pop()
        return " " if parts and parts[-1].rstrip().endswith(":") else ": "
    if tag in _BLOCKS:
        return "\n"
    if tag not in _INLINE or before.tag not in _INLINE or before.tail:
        return ""
    if not _CAPITAL.match(element.text or ""):  # first, so that empty elements are cheap
        return ""
    last = next((part for part in reversed(parts) if part), "")
    return "\n" if _ENDS.search(last) else ""


def _announces(name: etree._Element, speech: etree._Element) -> bool:
    """Return whether the first of two elements is a speaker's name and the other what is said."""
    if len(name) or name.tag != "dt" and len(name.getparent()) != 2:
        return False
    words = (name.text or "").split()
    if not 0 < len(words) <= MAX_NAME_WORDS or not _NAME.match(" ".join(words)):
        return False
    n_words = 0
    for part in speech.itertext():
        n_words += len(part.split())
        if n_words >= MIN_SPEECH_WORDS:
            return True
    return False


def _flowing(text: str | None, tag: str) -> str:
    """Replace the line breaks of a page's source with spaces, except in ``pre``."""
    return (text or "") if tag == "pre" else re.sub(r"[\r\n]+", " ", text or "")


def _pdf_text(path: Path) -> str | Reject:
    """Read the text layer of a PDF in a separate process with a limit on time and memory."""
    size = path.stat().st_size
    if size > 4 * readers.MAX_RECORD_BYTES:
        detail = f"{size} bytes in one PDF, at most {4 * readers.MAX_RECORD_BYTES}"
        return Reject(path.stem, str(path), 0, "too_large", detail)
    command = [sys.executable, "-m", "finllm.corpus.pdf_text", str(path.resolve())]
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parents[2], capture_output=True, timeout=PDF_SECONDS,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        found = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        detail = f"not read within {PDF_SECONDS} seconds"
        return Reject(path.stem, str(path), 0, "bad_pdf", detail)
    except ValueError:
        detail = "damaged, or needs more memory than allowed"
        return Reject(path.stem, str(path), 0, "bad_pdf", detail)
    if "reason" in found:
        return Reject(path.stem, str(path), 0, found["reason"], found["detail"])
    return found["text"]
