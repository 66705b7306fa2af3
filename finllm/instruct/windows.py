"""Split text into sentences, and choose the excerpt within the token budget."""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from finllm.languages.detection import spoken_in
from finllm.languages.files import ENGLISH
from finllm.languages.wording import ends_no_sentence, expectations

_ABBREVIATIONS = "".join(rf"(?<!\b{word}\.)" for word in ("Mr", "Ms", "Dr", "Mrs", r"U\.S", "vs"))
# The pattern begins with a character, not with a look-behind: over ten times faster to search for.
_BOUNDARY = re.compile(r"[.!?]" + _ABBREVIATIONS + r"([\"')\]]*)\s+(?=[\"'(\[]*[A-Z0-9$])")
_FIGURE = re.compile(r"\d[\d,.]*")
_GUIDANCE = re.compile(
    r"\b(?:expect|guidance|outlook|anticipate|forecast|project|target|reaffirm|raising"
    r"|full[- ]year)",
    re.IGNORECASE,
)
_PER_SHARE = ("earnings per share", "loss per share", "per share", "dividend per share",
              "funds from operations")  # fmt: skip
_RESULTS = ("revenue", "sales", "service revenue", "net income", "net loss", "earnings", "loss",
            "gross margin", "continuing operations")  # fmt: skip
_FURTHER = ("free cash flow", "same-store sales", "organic growth", "adjusted EBITDA",
            "operating income", "fiscal year", "share repurchase", "backlog", "GAAP", "non-GAAP",
            "guidance")  # fmt: skip
HEADLINES = {  # canonical terms in which results are announced
    **dict.fromkeys(_PER_SHARE, 4.0),
    **dict.fromkeys(_RESULTS, 2.0),
    **dict.fromkeys(_FURTHER, 1.0),
}
GUIDANCE = 0.5
FIGURE = 0.5  # of each new figure, up to MAX_FIGURES of them
MAX_FIGURES = 4
FILLER = 0.1  # factor on the value of a sentence without a new figure
TOLD = 0.02  # the same factor in ``most_quoted``
UNQUOTED = 1e-6  # the odds of a sentence without a figure


@dataclass(frozen=True)
class Content:
    """Content of a sentence: its figures as written, and the worth of its terms and guidance."""

    figures: frozenset[str]
    worth: float


def sentences(text: str) -> list[str]:
    r"""Split a text into sentences; a line break always ends one.

    >>> sentences("Revenue was $1.2 billion. It rose 4.5%.\nThank you.")
    ['Revenue was $1.2 billion.', 'It rose 4.5%.', 'Thank you.']
    """
    found = []
    language = spoken_in(text)
    for line in text.split("\n"):
        start = 0
        for boundary in _BOUNDARY.finditer(line):
            if language != ENGLISH and not _ends(line, boundary, language):
                continue
            found.append(line[start : boundary.end(1)].strip())
            start = boundary.end()
        found.append(line[start:].strip())
    return [sentence for sentence in found if sentence]


def _ends(line: str, boundary: re.Match[str], language: str) -> bool:
    """Return whether a boundary ends a foreign sentence: the one in "3. Quartal" does not."""
    before = line[max(0, boundary.start() - 20) : boundary.start()].rpartition(" ")[2]
    behind = line[boundary.end() : boundary.end() + 20].partition(" ")[0]
    return boundary[0][0] != "." or not ends_no_sentence(before, behind, language=language)


def content(sentence: str, terms: Iterable[str]) -> Content:
    """Return the content of a sentence, given the canonical financial terms in it."""
    figures = frozenset(figure.rstrip(".,") for figure in _FIGURE.findall(sentence))
    worth = sum(HEADLINES.get(term, 0.0) for term in set(terms))
    return Content(figures, worth + GUIDANCE * is_guidance(sentence))


def most_telling(contents: Sequence[Content], costs: Sequence[int], budget: int) -> list[int]:
    """Choose the sentences with the most content per token; return their indexes in text order.

    Greedy by value over the square root of the cost, within ``budget`` tokens; of equal sentences
    the earlier comes first. The value of a sentence is that of its headline terms, its guidance and
    the figures not yet in a chosen sentence; at the end of the call it is half that at the start.
    A sentence without a new figure only fills the rest. Sentences of value 0 are left out; if
    there are no others, one of them is chosen. The reference is not used.

    The weights were chosen on training calls: docs/experiments.md reports what they gain.
    """

    def value(i: int, seen: AbstractSet[Hashable]) -> float:
        n_new = len(contents[i].figures - seen)
        told = contents[i].worth + FIGURE * min(n_new, MAX_FIGURES)
        if not n_new:
            told *= FILLER
        return told / (1 + i / len(contents))

    return _best_first(value, [content.figures for content in contents], costs, budget)


def most_quoted(
    log_odds: Sequence[float | None],
    figures: Sequence[AbstractSet[Hashable]],
    costs: Sequence[int],
    budget: int,
) -> list[int]:
    """Choose the sentences most likely to be quoted; return their indexes in text order.

    Works like ``most_telling``, but the value is the odds of being quoted
    (``finllm.instruct.quoted``) times the share of the sentence's figures that are not yet in a
    chosen sentence.
    """

    def value(i: int, seen: AbstractSet[Hashable]) -> float:
        odds = log_odds[i]
        if odds is None:
            return UNQUOTED
        n_new = len(figures[i] - seen)
        return math.exp(odds) * (n_new / len(figures[i]) if n_new else TOLD)

    return _best_first(value, figures, costs, budget)


def _best_first(
    value: Callable[[int, AbstractSet[Hashable]], float],
    figures: Sequence[AbstractSet[Hashable]],
    costs: Sequence[int],
    budget: int,
) -> list[int]:
    """Choose greedily by ``value``, given the figures chosen so far, over the root of the cost."""
    seen: set[Hashable] = set()

    def bid_of(i: int) -> float:
        return -value(i, seen) / math.sqrt(max(1, costs[i]))

    waiting = [(bid_of(i), i) for i in range(len(costs)) if costs[i] <= budget]
    heapq.heapify(waiting)
    chosen: list[int] = []
    left = budget
    while waiting:
        bid, i = heapq.heappop(waiting)
        if costs[i] > left or (bid == 0 and chosen):
            continue
        now = bid_of(i)
        if now > bid:  # some of its figures were chosen meanwhile; values never rise
            heapq.heappush(waiting, (now, i))
            continue
        chosen.append(i)
        left -= costs[i]
        seen |= figures[i]
    return sorted(chosen)


def contiguous(costs: Sequence[int], start: int, budget: int) -> int:
    """Return the end (exclusive) of the longest run from ``start`` whose costs fit the budget."""
    end, left = start, budget
    while end < len(costs) and costs[end] <= left:
        left -= costs[end]
        end += 1
    return end


def is_guidance(sentence: str) -> bool:
    """Return whether a sentence speaks of expectations."""
    if _GUIDANCE.search(sentence):
        return True
    language = spoken_in(sentence)
    return language != ENGLISH and expectations(language).search(sentence) is not None
