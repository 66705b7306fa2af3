"""The pairs shown to raters: a source and two answers without model names."""

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
    sha256: str  # of id and texts, in the models' order


def pairs(
    examples: Sequence[Example], base: Sequence[Prediction], tuned: Sequence[Prediction]
) -> list[Pair]:
    """The pairs to rate of two models' predictions, see ``pairs_of``.

    Raises
    ------
    ValueError
        If a model has no answer, or two, to one of the examples.
    """
    answers = {"base": _by_id("base", base), "tuned": _by_id("tuned", tuned)}
    for example in examples:
        for model, texts in answers.items():
            if example.id not in texts:
                raise ValueError(f"{example.id}: {model} has no answer to it; run predict again")
    both = {row.id: (answers["base"][row.id], answers["tuned"][row.id]) for row in examples}
    return pairs_of(examples, both)


def pairs_of(examples: Sequence[Example], answers: Mapping[str, tuple[str, str]]) -> list[Pair]:
    """The pairs to rate, in one shuffled order for all raters.

    One order, so that raters who stop early have rated the same pairs and their agreement can be
    measured. Pairs whose answers are equal are left out: there is nothing to prefer.

    ``answers`` are those of base and tuned model, by example.
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
    """What names a pair of answers; another text is another pair."""
    return hashlib.sha256("\0".join((example_id, base, tuned)).encode()).hexdigest()


def a_model(rater: str, example_id: str) -> str:
    """Which model stands behind A: a fair coin, the same whenever this rater comes back."""
    digest = hashlib.sha256(f"{rater}\0{example_id}".encode()).digest()
    return "tuned" if digest[0] & 1 else "base"


def _by_id(model: str, rows: Sequence[Prediction]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for row in rows:
        if row.example_id in texts:
            raise ValueError(f"{row.example_id}: {model} answered twice; run predict again")
        texts[row.example_id] = row.text
    return texts
