"""Pairs of answers for raters: a source and two answers without model names."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finllm.records import Example, Prediction


@dataclass(frozen=True)
class Pair:
    """One example with the answers of both models."""

    example: Example
    base: str
    tuned: str
    sha256: str  # hash of id and texts, in the order base, tuned


def pairs(
    examples: Sequence[Example], base: Sequence[Prediction], tuned: Sequence[Prediction]
) -> list[Pair]:
    """Return the pairs to rate from two models' predictions, see ``pairs_of``.

    Raises
    ------
    ValueError
        If a model has no answer, or two answers, to one of the examples.
    """
    answers = {"base": _by_id("base", base), "tuned": _by_id("tuned", tuned)}
    for example in examples:
        for model, texts in answers.items():
            if example.id not in texts:
                raise ValueError(f"{example.id}: {model} has no answer to it; run predict again")
    both = {row.id: (answers["base"][row.id], answers["tuned"][row.id]) for row in examples}
    return pairs_of(examples, both)


def pairs_of(examples: Sequence[Example], answers: Mapping[str, tuple[str, str]]) -> list[Pair]:
    """Return the pairs to rate, in the same shuffled order for all raters.

    With the same order, raters who stop early have rated the same pairs, so that their agreement
    can be measured. Pairs with equal answers are left out, as there is nothing to prefer.

    ``answers`` holds the answers of base and tuned model by example id.
    """
    found = []
    for example in examples:
        texts = answers[example.id]
        if texts[0].strip() != texts[1].strip():
            found.append(Pair(example, *texts, pair_hash(example.id, *texts)))
    found.sort(key=lambda pair: pair.example.id)
    random.Random(0).shuffle(found)
    return found


def pair_hash(example_id: str, base: str, tuned: str) -> str:
    """Return the hash that identifies a pair of answers by its example and texts."""
    return hashlib.sha256("\0".join((example_id, base, tuned)).encode()).hexdigest()


def a_model(rater: str, example_id: str) -> str:
    """Return the model shown as A: a fair coin toss, fixed for each rater and example."""
    digest = hashlib.sha256(f"{rater}\0{example_id}".encode()).digest()
    return "tuned" if digest[0] & 1 else "base"


def _by_id(model: str, rows: Sequence[Prediction]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for row in rows:
        if row.example_id in texts:
            raise ValueError(f"{row.example_id}: {model} answered twice; run predict again")
        texts[row.example_id] = row.text
    return texts
