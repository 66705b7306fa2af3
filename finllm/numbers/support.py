"""Check of the figures of references against the call; unsupported ones teach invention."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from finllm.numbers import Quantity, extract_quantities, is_stated, rules_for
from finllm.records import Reject, Transcript

STATED = ("money", "percent", "basis_points", "multiple", "count")  # kinds that carry a result


@dataclass(frozen=True)
class Support:
    """Counts of the figures that a reference states, and of those that a text supports."""

    n_figures: int
    n_supported: int


def stated_figures(text: str, language: str = "") -> list[Quantity]:
    """Return the quantities of a text that state a result, which excludes periods and years.

    Numbers are read by the rules of ``language``, the ISO 639 code of a call, or by English rules
    if it is empty or the language has no file of number words.
    """
    found = extract_quantities(text, rules_for(language))
    return [quantity for quantity in found if quantity.kind in STATED]


def support(reference: str, known: Sequence[Quantity]) -> Support:
    """Count the figures of a reference that are among the ``known`` ones, allowing for rounding.

    Either end of a known range counts as known, and so does a range of two known ends.
    One known figure may support several: a reference that repeats itself invents nothing. A figure
    that follows from two others by arithmetic counts as unsupported, so the share is a lower bound.

    >>> support("Sales rose 5% to $2 billion", stated_figures("sales of $2.03 billion"))
    Support(n_figures=2, n_supported=1)
    """
    found = stated_figures(reference)
    return Support(len(found), sum(is_stated(f, known) for f in found))


def unstated_spans(reference: str, known: Sequence[Quantity]) -> list[list[int]]:
    """Return the [start, end] of each figure of a reference that is not among the ``known`` ones.

    >>> unstated_spans("Sales rose 5% to $2 billion", stated_figures("sales of $2.03 billion"))
    [[11, 13]]
    """
    found = stated_figures(reference)
    return [[figure.start, figure.end] for figure in found if not is_stated(figure, known)]


def trim_summary(
    transcript: Transcript, *, min_support: float
) -> tuple[Transcript, list[Reject], Support]:
    """Remove the summary bullets whose figures the call does not support.

    Return the call without these bullets, the rejected bullets, and the support of the original
    summary. A bullet without figures is kept. A summary that loses all its bullets becomes None, so
    that no example is built on it.

    Parameters
    ----------
    min_support
        Share of a bullet's figures that the call must state; 0 keeps every bullet.
    """
    if not transcript.summary:
        return transcript, [], Support(0, 0)
    known = stated_figures(transcript.text, transcript.language)
    kept, trimmed, n_figures, n_supported = [], [], 0, 0
    for number, bullet in enumerate(transcript.summary.split("\n"), 1):
        found = support(bullet, known)
        n_figures += found.n_figures
        n_supported += found.n_supported
        if found.n_supported < min_support * found.n_figures:
            detail = f"{found.n_supported} of {found.n_figures} figures in the call: {bullet}"
            trimmed.append(Reject(transcript.id, "", number, "unsupported_figures", detail))
        else:
            kept.append(bullet)
    audit = Support(n_figures, n_supported)
    if not trimmed:
        return transcript, [], audit
    return dataclasses.replace(transcript, summary="\n".join(kept) or None), trimmed, audit
