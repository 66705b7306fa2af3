"""Build the reference answers of the examples."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from finllm.instruct.windows import is_guidance
from finllm.instruct.windows import sentences as sentences_of
from finllm.languages.lexicon import Lexicon
from finllm.numbers import Quantity, extract_quantities
from finllm.records import Transcript

UP = re.compile(
    r"\b(?:rose|risen|grew|grown|increas\w+|improv\w+|up|higher|expand\w+|gain\w*|climb\w*)\b", re.I
)
DOWN = re.compile(
    r"\b(?:fell|fallen|declin\w+|decreas\w+|down|lower|drop\w*|contract\w+|shrank|loss(?:es)?)\b",
    re.I,
)
FIGURE_KINDS = ("money", "percent", "basis_points")
NOT_AN_ITEM = ("growth", "guidance", "reporting")  # categories without a figure of their own
_UNITS = ("per share", "share count")  # units in which a figure is counted
NOT_A_THEME = ("reporting",)
_REACH = 80  # most characters between a term and its figure


@dataclass(frozen=True)
class KeyFigure:
    """A financial term and the figure stated for it."""

    term: str
    figure: str  # as it is written in the call
    direction: str  # "up", "down" or ""


def key_figure(sentence: str, lexicon: Lexicon) -> KeyFigure | None:
    """Return the first figure with a financial term shortly before it, and that term, or None."""
    terms = [
        term
        for term in lexicon.find(sentence)
        if lexicon.categories[term[0]] not in NOT_AN_ITEM and term[0] not in _UNITS
    ]
    for quantity in extract_quantities(sentence):
        if quantity.kind not in FIGURE_KINDS:
            continue
        before = [
            term
            for term in terms
            if term[2] <= quantity.start and quantity.start - term[2] <= _REACH
        ]
        if before:
            figure = as_written(sentence, quantity)
            return KeyFigure(before[-1][0], figure, direction(sentence, quantity))
    return None


def as_written(sentence: str, quantity: Quantity) -> str:
    """Return a figure in the words of its sentence; a range as "$3 million to $5 million".

    "Between $3 million and $5 million" without its "between" would be two amounts.
    """
    figure = " ".join(sentence[quantity.start : quantity.end].split())
    if quantity.low is None:
        return figure
    as_range = " to ".join(figure.rsplit(" and ", 1))
    found = extract_quantities(as_range)
    whole = len(found) == 1 and (found[0].low, found[0].high) == (quantity.low, quantity.high)
    return as_range if whole else f"between {figure}"


def direction(sentence: str, quantity: Quantity) -> str:
    """Return "up" or "down" by the words around a figure; "" for neither or both."""
    near = sentence[max(0, quantity.start - _REACH) : quantity.end + _REACH]
    up, down = UP.search(near) is not None, DOWN.search(near) is not None
    if up == down:
        return ""
    return "up" if up else "down"


def analysis(sentences: Sequence[str], lexicon: Lexicon) -> str:
    """Derive an analysis of an excerpt by rule: key figures, themes, outlook and tone.

    It repeats the excerpt and adds nothing; to learn it is to learn a rule. Empty if the excerpt
    has no key figure outside its guidance.
    """
    results: dict[tuple[str, str], str] = {}
    outlook: dict[tuple[str, str], str] = {}
    for sentence in sentences:
        found = key_figure(sentence, lexicon)
        if found is None:
            continue
        target = outlook if is_guidance(sentence) else results
        text = " ".join(filter(None, (found.term, found.direction, found.figure)))
        target.setdefault((found.term, found.figure), text)
    if not results:
        return ""
    excerpt = " ".join(sentences)
    themes = Counter(
        term
        for term, *_ in lexicon.find(excerpt)
        if lexicon.categories[term] not in NOT_A_THEME and term not in _UNITS
    )
    n_up, n_down = len(UP.findall(excerpt)), len(DOWN.findall(excerpt))
    tone = "positive" if n_up > 2 * n_down else "negative" if n_down > 2 * n_up else "mixed"
    lines = [
        f"Key figures: {'; '.join(list(results.values())[:4])}.",
        f"Themes: {', '.join(term for term, _ in themes.most_common(4))}.",
        f"Outlook: {'; '.join(list(outlook.values())[:2]) or 'no figures given'}.",
        f"Tone: {tone}.",
    ]
    return "\n".join(lines)


def analyst_questions(transcript: Transcript) -> list[str]:
    """Return the questions that analysts asked: their sentences that end in a question mark.

    Those of a turn are one text; turns of the prepared remarks, and texts of fewer than eight
    words, are left out.
    """
    found = []
    for turn in transcript.turns:
        if turn.role == "analyst" and turn.section != "prepared":
            asked = [s[: s.rfind("?") + 1] for s in sentences_of(turn.text) if "?" in s]
            question = " ".join(" ".join(asked).split())
            if len(question.split()) >= 8:
                found.append(question)
    return found
