"""Records for the vocabulary of a sector: what it sells, measures and talks about."""

from __future__ import annotations

from dataclasses import dataclass

from finllm.fiction.accounts import Economics, KpiModel


@dataclass(frozen=True)
class Kpi:
    """A key indicator: its model, and its wording in the call and in a reporter's bullet.

    Slots of ``said`` and ``bullet``: ``{v}`` and ``{p}`` (now, a year ago), ``{from}`` ("up from"),
    ``{moved}`` ("rose 3%"), and in the bullet ``{q}``.
    """

    label: str  # as an analyst asks for it
    model: KpiModel
    form: str  # format of the value; empty for money and growth
    said: tuple[str, ...]
    bullet: str


@dataclass(frozen=True)
class Sector:
    """The vocabulary of a sector; every bank has patterns for ``Voice.fill``."""

    name: str
    revenue: str  # as the chief financial officer calls it
    revenue_short: str  # as a reporter does
    suffixes: tuple[str, ...]  # of company names
    segments: tuple[str, ...]
    segment_noun: str  # follows the segment's name; empty if the name includes it
    economics: Economics
    kpis: tuple[Kpi, ...]
    products: tuple[str, ...]
    drivers: tuple[str, ...]  # what helped
    headwinds: tuple[str, ...]  # what hurt
    customers: tuple[str, ...]
    costs: tuple[str, ...]
    themes: tuple[str, ...]  # sentences of the chief executive
    questions: tuple[str, ...]  # of analysts; the answer with the same index belongs to it
    answers: tuple[str, ...]
    units: tuple[str, ...] = ()  # the businesses of the segments, if they have other names


def listed(text: str) -> tuple[str, ...]:
    """Split a list at its semicolons.

    >>> listed("snacks; frozen meals")
    ('snacks', 'frozen meals')
    """
    return tuple(" ".join(member.split()) for member in text.split(";"))
