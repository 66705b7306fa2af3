"""Excerpts for display, with the figures that the answers state marked and never cut."""

from __future__ import annotations

from collections.abc import Sequence

from finllm.languages.quantities import quantities_in
from finllm.numbers import extract_quantities, quantities_agree
from finllm.report.marked import Piece

QUOTED = "quoted"
AROUND = 160  # characters to keep on either side of a figure in a text that is too long
GAP = " … "


def passages(text: str, answers: Sequence[str], *, n_characters: int) -> list[Piece]:
    """Split a text into pieces, with the figures that an answer states marked as ``quoted``.

    A text of at most ``n_characters`` is kept whole. Of a longer text, the beginning is kept (half
    of ``n_characters``), and each marked figure with ``AROUND`` characters on either side, cut at
    words; ellipses replace the rest. The result can be longer than ``n_characters`` if many figures
    are quoted.

    >>> [(p.text, p.mark) for p in passages("Up 7% to $2 million.", ["Rose 7%"], n_characters=99)]
    [('Up ', ''), ('7%', 'quoted'), (' to $2 million.', '')]
    """
    stated = [quantity for answer in answers for quantity in extract_quantities(answer)]
    spans: list[tuple[int, int]] = []
    for found in quantities_in(text):
        overlaps = bool(spans) and found.start < spans[-1][1]
        if not overlaps and any(quantities_agree(found, other) for other in stated):
            spans.append((found.start, found.end))
    pieces = []
    for start, end in _windows(text, spans, n_characters):
        if start:
            pieces.append(Piece(GAP, ""))
        pieces += _cut(text, start, end, [span for span in spans if start <= span[0] < end])
    if pieces and end < len(text):
        pieces.append(Piece(GAP.rstrip(), ""))
    return pieces


def _windows(
    text: str, spans: Sequence[tuple[int, int]], n_characters: int
) -> list[tuple[int, int]]:
    """Return the spans of the text to keep, in order and without overlap."""
    if len(text) <= n_characters:
        return [(0, len(text))] if text else []
    wanted = [(0, n_characters // 2)] + [(a - AROUND, b + AROUND) for a, b in spans]
    kept: list[tuple[int, int]] = []
    for start, end in wanted:
        start, end = _word_start(text, max(0, start)), _word_end(text, min(len(text), end))
        if kept and start <= kept[-1][1]:
            kept[-1] = (kept[-1][0], max(end, kept[-1][1]))
        else:
            kept.append((start, end))
    return kept


def _word_start(text: str, at: int) -> int:
    while at and not text[at - 1].isspace():
        at -= 1
    return at


def _word_end(text: str, at: int) -> int:
    while at < len(text) and not text[at].isspace():
        at += 1
    return at


def _cut(text: str, start: int, end: int, spans: Sequence[tuple[int, int]]) -> list[Piece]:
    pieces = []
    for a, b in spans:
        pieces += [Piece(text[start:a], ""), Piece(text[a:b], QUOTED)]
        start = b
    pieces.append(Piece(text[start:end], ""))
    return [piece for piece in pieces if piece.text]
