"""Marking of the figures of a text as supported, contradicted or invented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from finllm.languages.quantities import quantities_in
from finllm.numbers import Quantity, ends, extract_quantities, is_stated

SUPPORTED, CONTRADICTED, INVENTED = "supported", "contradicted", "invented"
FACTORS = (1e-6, 1e-3, 0.01, 1.0, 100.0, 1e3, 1e6)  # mistaken units; 1 for a wrong sign


@dataclass(frozen=True)
class Piece:
    """Piece of a text; ``mark`` is empty if it is not a figure."""

    text: str
    mark: str


def marked(text: str, known: Sequence[str]) -> list[Piece]:
    """Split a text into pieces, with its figures marked by comparison with the ``known`` texts.

    - supported: a known text states it within rounding, alone or as the end of a range
      (``is_stated``);
    - contradicted: no known text states it, but one has it with another sign or magnitude;
    - invented: neither.

    The pieces joined give the text again. The marks are only visual aids: a figure that follows by
    arithmetic counts as invented, and a supported one may belong to another item of the accounts.

    >>> [(p.text, p.mark) for p in marked("$2 billion, up 7%", ["sales of $2 million"])]
    [('$2 billion', 'contradicted'), (', up ', ''), ('7%', 'invented')]
    """
    stated = [quantity for source in known for quantity in quantities_in(source)]
    pieces, at = [], 0
    for quantity in extract_quantities(text):
        if quantity.start < at:
            continue
        pieces.append(Piece(text[at : quantity.start], ""))
        pieces.append(Piece(text[quantity.start : quantity.end], _mark(quantity, stated)))
        at = quantity.end
    pieces.append(Piece(text[at:], ""))
    return [piece for piece in pieces if piece.text]


def _mark(quantity: Quantity, stated: Sequence[Quantity]) -> str:
    if is_stated(quantity, stated):
        return SUPPORTED
    known = [end for other in stated for end in ends(other)]
    slips = any(_slipped(end, other) for end in ends(quantity) for other in known)
    return CONTRADICTED if slips else INVENTED


def _slipped(a: Quantity, b: Quantity) -> bool:
    """Return whether two quantities have the same digits but differ in sign or magnitude."""
    if a.kind != b.kind or a.kind in ("year", "period") or not (a.value and b.value):
        return False
    ratio = abs(a.value / b.value)
    return any(abs(ratio / factor - 1) < 1e-9 for factor in FACTORS)
