"""Augment training examples with copies that have other names and consistently scaled amounts.

All amounts of money in an example are scaled by one factor, so that growth rates, margins and
ratios between them still hold; percentages, counts and periods stay. An augmented example is used
only if the figures of its answer and excerpt agree exactly where they did before.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np

from finllm.instruct.templates import wordings
from finllm.languages.detection import spoken_in
from finllm.numbers import Quantity, extract_quantities, is_stated, rules_for
from finllm.numbers.foreign import has_comma_decimals
from finllm.numbers.support import stated_figures, unstated_spans
from finllm.records import Example

N_TRIES = 8
LOW, HIGH = 0.55, 0.95  # below 1, so that no amount becomes longer
_OTHER_MARK = str.maketrans(",.", ".,")
_DIGITS = re.compile(r"\d[\d,]*(?:\.\d+)?")


def augment(
    examples: Sequence[Example],
    *,
    share: float,
    rng: np.random.Generator,
    texts: Callable[[set[str]], Iterable[Example]] | None = None,
) -> list[Example]:
    """Return perturbed copies of a share of training examples, with ids that end in ":augmented".

    A copy keeps its company, so that it stays in its cluster and split. It keeps the original's
    token counts, since it is not longer in characters. Examples for which no factor keeps the
    figures consistent are left out, so there may be fewer copies than ``share``.

    Parameters
    ----------
    texts
        Returns the examples with these ids and their texts, in the order of ``examples``, if those
        are only keys; None if they have their texts.
    """
    names = sorted({example.company for example in examples})
    n = round(share * len(examples))
    drawn = [examples[index] for index in sorted(rng.permutation(len(examples))[:n].tolist())]
    copies = []
    for example in texts({key.id for key in drawn}) if texts else drawn:
        copy = perturb(example, names, rng)
        if copy is not None:
            copies.append(copy)
    return copies


def perturb(example: Example, names: Sequence[str], rng: np.random.Generator) -> Example | None:
    """Rename the company, redraw the wording and scale the amounts; None if no factor fits."""
    shorter = [name for name in names if len(name) <= len(example.company)]
    name = shorter[int(rng.integers(len(shorter)))] if shorter else example.company
    asked = [w for w in wordings(example.template) if len(w) <= len(example.instruction)]
    instruction = asked[int(rng.integers(len(asked)))] if asked else example.instruction
    language = rules_for(spoken_in(example.excerpt))
    before = agreements(example.excerpt, example.answer, language)
    for _ in range(N_TRIES):
        factor = Decimal(str(round(float(rng.uniform(LOW, HIGH)), 3)))
        excerpt = scale_money(example.excerpt, factor, language)
        answer = scale_money(example.answer, factor)
        if agreements(excerpt, answer, language) != before:
            continue
        excerpt, answer = (_renamed(text, example.company, name) for text in (excerpt, answer))
        return dataclasses.replace(
            example,
            id=f"{example.id}:augmented",
            instruction=instruction,
            excerpt=excerpt,
            answer=answer,
            unstated=unstated_spans(answer, stated_figures(excerpt, language)),
        )
    return None


def scale_money(text: str, factor: Decimal, language: str = "") -> str:
    """Multiply every amount of money in a text by the factor, with as many decimals as before.

    ``language`` is as in ``extract_quantities``; the decimal mark stays that of the text.

    >>> scale_money("EPS of $0.80, sales up 5% to $1,200.5 million", Decimal("0.5"))
    'EPS of $0.40, sales up 5% to $600.2 million'
    """
    parts, reach = [], 0
    comma = has_comma_decimals(text, language)
    for quantity in extract_quantities(text, language):
        if quantity.kind == "money":
            mention = text[quantity.start : quantity.end]
            mention = mention.translate(_OTHER_MARK) if comma else mention
            scaled = _DIGITS.sub(lambda match: _scaled(match.group(), factor), mention)
            scaled = scaled.translate(_OTHER_MARK) if comma else scaled
            parts += [text[reach : quantity.start], scaled]
            reach = quantity.end
    return "".join(parts) + text[reach:]


def agreements(excerpt: str, answer: str, language: str = "") -> list[tuple[str, tuple[bool, ...]]]:
    """Return each answer figure's kind, and whether it agrees with each figure of the excerpt.

    The last entry has the kinds of the excerpt's figures and the signs of all figures. ``language``
    is the excerpt's, as ``extract_quantities`` takes it; answers are in English.
    """
    shown, stated = extract_quantities(excerpt, language), extract_quantities(answer)
    kinds = tuple(quantity.kind for quantity in shown)
    found: list[tuple[str, tuple[bool, ...]]] = [
        (quantity.kind, tuple(is_stated(quantity, [other]) for other in shown))
        for quantity in stated
    ]
    return [*found, (",".join(kinds), tuple(_negative(q) for q in shown + stated))]


def _negative(quantity: Quantity) -> bool:
    return quantity.value < 0


def _scaled(digits: str, factor: Decimal) -> str:
    decimals = len(digits.partition(".")[2])
    value = Decimal(digits.replace(",", "")) * factor
    rounded = value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)
    return f"{rounded:,f}" if "," in digits else f"{rounded:f}"


def _renamed(text: str, old: str, new: str) -> str:
    """Replace the company's full name and its first word by those of another company."""
    if not old or old == new:
        return text
    text = re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", lambda _: new, text)
    one, other = old.split()[0], new.split()[0]
    if len(one) < 4 or not one[0].isupper() or len(other) > len(one):
        return text
    return re.sub(rf"(?<!\w){re.escape(one)}(?!\w)", lambda _: other, text)
