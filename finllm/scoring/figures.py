"""Figures of a text with their context, and their comparison between two texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from finllm.numbers import Quantity, quantities_agree
from finllm.scoring.reading import Token, read, sentences
from finllm.scoring.statements import (
    between,
    direction_of,
    directions_conflict,
    of_one_range,
    periods_conflict,
)

ERRORS = ("wrong_magnitude", "wrong_sign", "wrong_period", "wrong_item", "invented")
MISATTACHED_WORTH = 0.5  # for a right figure with another item or period or a doubtful sign


@dataclass(frozen=True)
class Figure:
    """One number with the context that its sentence gives."""

    quantity: Quantity
    text: str  # canonical
    direction: str  # up, down, flat; empty if the text gives no direction
    items: frozenset[str]  # of its sentence
    periods: tuple[Token, ...]  # of its sentence
    basis: str = ""  # "adjusted", "gaap"


@dataclass(frozen=True)
class NumberReport:
    """Agreement of an answer's figures with those of the reference and the source."""

    n_candidate: int
    n_reference: int
    recall: float  # against the reference, weighted by ``worth``
    precision: float  # against the reference, weighted by ``worth``
    support: float  # share of the candidate's figures that source or reference state
    recall_by_kind: dict[str, float] = field(hash=False)
    errors: dict[str, int] = field(hash=False)  # counts of each kind in ERRORS


@lru_cache(maxsize=1024)
def figures(text: str) -> tuple[Figure, ...]:
    """Return the figures of a text in order: amounts, percentages, counts, years, other digits.

    A range counts as two figures, its ends. A quarter is not a figure, but the year of "q3 2021" is
    one, and so is the 30 of "june 30".

    >>> [f.text for f in figures("q3 2021 sales fell 5% to $2.1 billion")]
    ['year 2021', 'percent 5', 'money 2.1e+09 USD']
    """
    found = []
    for sentence in sentences(read(text)):
        items = frozenset(token.text for token in sentence if token.kind == "item")
        periods = tuple(token for token in sentence if token.kind == "period")
        last_figure = -1
        for at, token in enumerate(sentence):
            quantity = _quantity(token)
            if quantity is None:
                continue
            if token.kind != "figure":
                name = f"{quantity.kind} {quantity.value:.6g}"
                found.append(Figure(quantity, name, "", frozenset(), ()))
                continue
            way = direction_of(sentence, at)
            direction = "" if way is None else sentence[way].text
            basis = between(sentence, last_figure, at, "basis")
            found.append(Figure(quantity, token.text, direction, items, periods, basis))
            if not of_one_range(sentence, at, at + 1):
                last_figure = at
    return tuple(found)


def _quantity(token: Token) -> Quantity | None:
    """Return the number of a token, or None if it has no number."""
    if token.kind == "figure":
        return token.quantity
    if token.kind == "period" and token.quantity is not None and token.quantity.value:
        value, kind = token.quantity.value, "year"
    elif token.kind == "digits" and token.text.count(".") <= 1:
        value, kind = float(token.text), "count"
    else:
        return None
    return Quantity(kind, value, "", "", token.start, token.end, None, None, 0.0)


def figures_agree(a: Figure, b: Figure) -> bool:
    """Return whether two figures agree by ``quantities_agree`` and not in opposite directions."""
    if directions_conflict(a.direction, b.direction):
        return False
    return a.text == b.text or quantities_agree(a.quantity, b.quantity)


def worth(a: Figure, b: Figure) -> float:
    """Return 1 for the same figure, 0.5 for the same figure in a different context, 0 otherwise.

    The context differs if both sentences name items but none in common, both name periods but none
    in common, or only one of two negative figures has a written minus sign ("a loss of $-3").
    """
    if not figures_agree(a, b):
        return 0.0
    doubtful = a.text.endswith(" signed") != b.text.endswith(" signed")
    attached = doubtful or wrong_item(a, b) or wrong_period(a, b)
    return MISATTACHED_WORTH if attached else 1.0


def wrong_item(a: Figure, b: Figure) -> bool:
    """Return whether the sentences of two figures both name items, but none in common."""
    return bool(a.items and b.items) and not a.items & b.items


def wrong_period(a: Figure, b: Figure) -> bool:
    """Return whether the sentences of two figures both name periods, but none in common."""
    if not (a.periods and b.periods):
        return False
    return all(periods_conflict(p, q) for p in a.periods for q in b.periods)


def match_figures(said: Sequence[Figure], wanted: Sequence[Figure]) -> list[tuple[int, int, float]]:
    """Pair figures one to one, highest worth and most similar context first.

    Return (index in said, index in wanted, worth) of each pair.
    """
    options = []
    for i, a in enumerate(said):
        for j, b in enumerate(wanted):
            value = worth(a, b)
            if value:
                same = (a.text == b.text) + (a.items == b.items) + (a.basis == b.basis)
                same += (_named(a) == _named(b)) + (a.direction == b.direction)
                options.append((-value, -same, abs(i - j), i, j))
    pairs, used, taken = [], set(), set()
    for value, _, _, i, j in sorted(options):
        if i not in used and j not in taken:
            used.add(i)
            taken.add(j)
            pairs.append((i, j, -value))
    return sorted(pairs)


@lru_cache(maxsize=1024)
def number_report(candidate: str, reference: str, source: str) -> NumberReport:
    """Return recall, precision and support of a candidate's figures, and its errors by name.

    Candidate figures without a full match in the reference count as these errors:

    - wrong_sign: equals an unmatched figure of the reference except for sign or direction;
    - wrong_magnitude: differs from an unmatched figure by a factor of 1e2, 1e3, 1e6 or 1e9;
    - wrong_period, wrong_item: a right figure whose sentence names another period or item;
    - invented: none of these, and neither source nor reference states it.

    A figure that only the source states is not an error. Shares of an empty set are 0.
    """
    said, wanted, known = figures(candidate), figures(reference), figures(source)
    pairs = match_figures(said, wanted)
    total = sum(value for _, _, value in pairs)
    kinds = sorted({figure.quantity.kind for figure in wanted})
    by_kind = {}
    for kind in kinds:
        n = sum(figure.quantity.kind == kind for figure in wanted)
        by_kind[kind] = sum(v for _, j, v in pairs if wanted[j].quantity.kind == kind) / n
    supported = [
        any(figures_agree(figure, other) for others in (wanted, known) for other in others)
        for figure in said
    ]
    return NumberReport(
        len(said),
        len(wanted),
        total / len(wanted) if wanted else 0.0,
        total / len(said) if said else 0.0,
        sum(supported) / len(said) if said else 0.0,
        by_kind,
        _errors(said, wanted, pairs, supported),
    )


def _named(figure: Figure) -> list[str]:
    return [period.text for period in figure.periods]


def _errors(
    said: Sequence[Figure],
    wanted: Sequence[Figure],
    pairs: Sequence[tuple[int, int, float]],
    supported: Sequence[bool],
) -> dict[str, int]:
    counts = dict.fromkeys(ERRORS, 0)
    partner = {i: j for i, j, _ in pairs}
    taken = set(partner.values())
    left = [figure for j, figure in enumerate(wanted) if j not in taken]
    for i, figure in enumerate(said):
        if i in partner:
            match = wanted[partner[i]]
            counts["wrong_period"] += wrong_period(figure, match)
            counts["wrong_item"] += wrong_item(figure, match)
        elif any(_other_sign(figure, other) for other in left):
            counts["wrong_sign"] += 1
        elif any(_other_magnitude(figure, other) for other in left):
            counts["wrong_magnitude"] += 1
        elif not supported[i]:
            counts["invented"] += 1
    return counts


def _other_sign(a: Figure, b: Figure) -> bool:
    if a.quantity.kind != b.quantity.kind or a.quantity.unit != b.quantity.unit:
        return False
    if a.quantity.value == -b.quantity.value != 0:
        return True
    conflict = directions_conflict(a.direction, b.direction)
    return conflict and quantities_agree(a.quantity, b.quantity)


def _other_magnitude(a: Figure, b: Figure) -> bool:
    x, y = a.quantity, b.quantity
    if x.kind != y.kind or x.value == 0 or y.value == 0:
        return False
    ratio = max(x.value / y.value, y.value / x.value)
    return any(abs(ratio - scale) <= 1e-6 * scale for scale in (1e2, 1e3, 1e6, 1e9))
