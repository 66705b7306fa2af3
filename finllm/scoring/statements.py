"""Statements of a text: item, direction, value, period, comparison.

"q3 revenue rose 12 percent to $5 million" states (revenue, up, 12 %, Q3) and (revenue, up,
$5 million, Q3). Rules over the tokens of ``finllm.scoring.reading``, sentence by sentence:

- Each figure is a statement. Its item is the last one named before it in the sentence, or else the
  first one after it. Its period is the nearest one. Its direction is the nearest direction word
  before it, or up to two tokens after it, without a comma or comparison in between.
- Each direction, item or period that belongs to no figure is a statement of its own, so that a
  claim without a figure ("raises its outlook") can be checked as well.

The rules suit telegraphic style and plain sentences. Do not trust them on nested clauses, on
"respectively", or on an item that is named in the sentence before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from finllm.numbers import quantities_agree
from finllm.scoring.reading import Token, read, sentences

OPPOSITE = {"up": "down", "down": "up"}
_BEHIND = 2  # tokens after a figure within which "increase" still belongs to it


@dataclass(frozen=True)
class Statement:
    """One claim of a text; a field is empty if the text does not give it."""

    item: str  # canonical
    direction: str  # up, down, flat
    value: Token | None  # a figure
    period: Token | None
    basis: str  # "adjusted", "gaap", or several joined by blanks
    comparison: str  # "vs", "estimate", "yoy", or several joined by blanks
    outlook: bool  # about the future: guidance, "expects"
    negated: bool  # the sentence contains a negation


@lru_cache(maxsize=1024)
def statements(text: str) -> tuple[Statement, ...]:
    """Return the statements of a text, sentence by sentence.

    >>> found = statements("q3 revenue rose 12 percent")[0]
    >>> found.item, found.direction, found.value.text, found.period.text
    ('revenue', 'up', 'percent 12', 'Q3')
    """
    return tuple(s for sentence in sentences(read(text)) for s in _of_sentence(sentence))


def directions_conflict(a: str, b: str) -> bool:
    """Return whether one direction is up and the other down."""
    return bool(a) and OPPOSITE.get(a) == b


def periods_conflict(a: Token | None, b: Token | None) -> bool:
    """Return whether both periods are named and differ; a period without a year fits any year.

    A month conflicts only with another month.
    """
    if a is None or b is None or (a.quantity is None) != (b.quantity is None):
        return False
    if a.quantity is None or b.quantity is None:
        return a.text != b.text
    return not quantities_agree(a.quantity, b.quantity)


def values_agree(a: Token, b: Token) -> bool:
    """Return whether two figures are equal within rounding."""
    if a.text == b.text:
        return True
    if a.quantity is None or b.quantity is None:
        return False
    return quantities_agree(a.quantity, b.quantity)


def direction_of(sentence: Sequence[Token], at: int) -> int | None:
    """Return the index of the direction word that belongs to a figure, or None."""
    before = behind = None
    for i in range(at - 1, -1, -1):
        if sentence[i].kind in ("comma", "compare"):
            break
        if sentence[i].kind == "direction":
            before = i
            break
    behind_range = at + of_one_range(sentence, at, at + 1)
    for i in range(behind_range + 1, min(behind_range + 1 + _BEHIND, len(sentence))):
        if sentence[i].kind in ("comma", "compare", "figure"):
            break
        if sentence[i].kind == "direction":
            behind = i
            break
    if before is None or behind is None:
        return behind if before is None else before
    first = at - (at > 0 and of_one_range(sentence, at - 1, at))
    return before if first - before <= behind - behind_range else behind


def of_one_range(sentence: Sequence[Token], first: int, second: int) -> bool:
    """Return whether two tokens of a sentence are the ends of one range."""
    if second >= len(sentence) or sentence[second].kind != "figure":
        return False
    return sentence[first].start == sentence[second].start


def item_of(sentence: Sequence[Token], at: int) -> int | None:
    """Return the index of a figure's item: the last one before it, else the first after it."""
    before = [i for i in range(at) if sentence[i].kind == "item"]
    behind = [i for i in range(at, len(sentence)) if sentence[i].kind == "item"]
    return before[-1] if before else behind[0] if behind else None


def nearest(sentence: Sequence[Token], at: int, kind: str) -> int | None:
    """Return the index of the nearest token of a kind; ties go to the earlier one.

    A token beyond a comparison ("rose 5% from q2") is chosen only if there is no other.
    """

    def distance(i: int) -> tuple[int, int]:
        between = sentence[min(i, at) : max(i, at)]
        return sum(token.text == "vs" for token in between), abs(i - at)

    found = [i for i, token in enumerate(sentence) if token.kind == kind and i != at]
    return min(found, key=distance, default=None)


def _of_sentence(sentence: list[Token]) -> list[Statement]:
    outlook = any(token.kind == "outlook" for token in sentence)
    negated = any(token.kind == "negation" for token in sentence)
    found, used = [], set()
    last_figure = -1

    def state(at: int, item: int | None, direction: int | None, period: int | None) -> None:
        used.update(i for i in (item, direction, period) if i is not None)
        found.append(
            Statement(
                "" if item is None else sentence[item].text,
                "" if direction is None else sentence[direction].text,
                sentence[at] if sentence[at].kind == "figure" else None,
                None if period is None else sentence[period],
                between(sentence, last_figure, at, "basis"),
                _comparison(sentence, last_figure, at),
                outlook,
                negated,
            )
        )

    for at, token in enumerate(sentence):
        if token.kind == "figure":
            period = nearest(sentence, at, "period")
            state(at, item_of(sentence, at), direction_of(sentence, at), period)
            if not of_one_range(sentence, at, at + 1):
                last_figure = at
    last_figure = -1
    for kind in ("direction", "item", "period"):  # a direction may take an item, not the reverse
        for at, token in enumerate(sentence):
            if token.kind != kind or at in used:
                continue
            item = at if kind == "item" else nearest(sentence, at, "item")
            period = at if kind == "period" else nearest(sentence, at, "period")
            if kind == "direction":
                state(at, item, at, period)
            else:
                state(at, item if kind == "item" else None, None, period)
    return found


def between(sentence: list[Token], last_figure: int, at: int, kind: str) -> str:
    """Return the tokens of a kind between a figure and the previous one, sorted and joined.

    For a token that is not a figure, return those of the whole sentence.
    """
    span = sentence[last_figure + 1 : at] if sentence[at].kind == "figure" else sentence
    return " ".join(sorted({token.text for token in span if token.kind == kind}))


def _comparison(sentence: list[Token], last_figure: int, at: int) -> str:
    """Return the comparisons of a figure: those since the previous figure, and yoy or qoq after."""
    said = set(between(sentence, last_figure, at, "compare").split())
    for token in sentence[at + 1 + of_one_range(sentence, at, at + 1) :]:
        if token.kind == "figure" or sentence[at].kind != "figure":
            break
        if token.kind == "compare" and token.text in ("yoy", "qoq"):
            said.add(token.text)
    return " ".join(sorted(said))
