"""Statements of a text: item, direction, value, period, comparison.

"q3 revenue rose 12 percent to $5 million" states (revenue, up, 12 %, Q3) and (revenue, up,
$5 million, Q3). Rules over the tokens of ``finllm.scoring.reading``, sentence by sentence:

- every figure is a statement. Its item is the last one named before it in the sentence, or else the
  first behind it; its period the nearest one; its direction the nearest direction word that no
  comma or comparison separates from it, before it or up to two tokens behind it;
- a direction, item or period that no figure took is a statement of its own, so that a claim
  without a figure ("raises its outlook") can be checked as well.

It is a reader of telegrams and plain sentences. Do not trust it on a clause inside another one, on
"respectively", or on an item that is named in the sentence before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from finllm.numbers import quantities_agree
from finllm.scoring.reading import Token, read, sentences

OPPOSITE = {"up": "down", "down": "up"}
_BEHIND = 2  # tokens behind a figure in which "increase" still speaks of it


@dataclass(frozen=True)
class Statement:
    """One claim; a field is empty if the text does not say."""

    item: str  # canonical
    direction: str  # up, down, flat
    value: Token | None  # a figure
    period: Token | None
    basis: str  # "adjusted", "gaap", joined by a blank where several
    comparison: str  # "vs", "estimate", "yoy", joined by a blank where several
    outlook: bool  # said of the future: guidance, "expects"
    negated: bool  # the sentence holds a "not"


@lru_cache(maxsize=1024)
def statements(text: str) -> tuple[Statement, ...]:
    """The statements of a text, those of each sentence together.

    >>> found = statements("q3 revenue rose 12 percent")[0]
    >>> found.item, found.direction, found.value.text, found.period.text
    ('revenue', 'up', 'percent 12', 'Q3')
    """
    return tuple(s for sentence in sentences(read(text)) for s in _of_sentence(sentence))


def directions_conflict(a: str, b: str) -> bool:
    """Whether one goes up where the other goes down."""
    return bool(a) and OPPOSITE.get(a) == b


def periods_conflict(a: Token | None, b: Token | None) -> bool:
    """Whether both are named and not the same; a period without a year fits any year.

    A month conflicts with another month, and with nothing else.
    """
    if a is None or b is None or (a.quantity is None) != (b.quantity is None):
        return False
    if a.quantity is None or b.quantity is None:
        return a.text != b.text
    return not quantities_agree(a.quantity, b.quantity)


def values_agree(a: Token, b: Token) -> bool:
    """Whether two figures are equal within rounding."""
    if a.text == b.text:
        return True
    if a.quantity is None or b.quantity is None:
        return False
    return quantities_agree(a.quantity, b.quantity)


def direction_of(sentence: Sequence[Token], at: int) -> int | None:
    """The index of the direction word that speaks of a figure."""
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
    """Whether two tokens of a sentence are the ends of one range."""
    if second >= len(sentence) or sentence[second].kind != "figure":
        return False
    return sentence[first].start == sentence[second].start


def item_of(sentence: Sequence[Token], at: int) -> int | None:
    """The index of the item that a figure is of: the last before it, else the first behind it."""
    before = [i for i in range(at) if sentence[i].kind == "item"]
    behind = [i for i in range(at, len(sentence)) if sentence[i].kind == "item"]
    return before[-1] if before else behind[0] if behind else None


def nearest(sentence: Sequence[Token], at: int, kind: str) -> int | None:
    """The index of the nearest token of a kind, the earlier one of two.

    One that a comparison separates ("rose 5% from q2") only where there is no other.
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
    """The tokens of a kind since the figure before a figure; of no figure, of the sentence."""
    span = sentence[last_figure + 1 : at] if sentence[at].kind == "figure" else sentence
    return " ".join(sorted({token.text for token in span if token.kind == kind}))


def _comparison(sentence: list[Token], last_figure: int, at: int) -> str:
    """What a figure is compared with: words since the figure before it, and yoy or qoq behind."""
    said = set(between(sentence, last_figure, at, "compare").split())
    for token in sentence[at + 1 + of_one_range(sentence, at, at + 1) :]:
        if token.kind == "figure" or sentence[at].kind != "figure":
            break
        if token.kind == "compare" and token.text in ("yoy", "qoq"):
            said.add(token.text)
    return " ".join(sorted(said))
