"""Answers that took no model: what any tuning has to beat."""

from __future__ import annotations

from collections.abc import Sequence

from finllm.corpus.lexicon import words
from finllm.instruct.windows import sentences
from finllm.records import Example

BASELINES = ("lead", "nearest")


def lead(example: Example) -> str:
    """The first three sentences of the excerpt (lead-3)."""
    return " ".join(sentences(example.excerpt)[:3])


def nearest_training_answers(
    examples: Sequence[Example], train: Sequence[Example]
) -> dict[str, str]:
    """For each example, the answer of the training example of its template that is most alike.

    Alike by the Jaccard similarity of the excerpts' lower-case words; the first among equals; empty
    where the template has no training example. On ECTSum's own split, where companies recur, such
    a copy ties published models on ROUGE.
    """
    bags = [(other, _bag(other)) for other in train]
    found = {}
    for example in examples:
        target = _bag(example)
        same = [
            (_overlap(target, bag), other)
            for other, bag in bags
            if other.template == example.template
        ]
        best = max(same, key=lambda pair: pair[0], default=None)
        found[example.id] = best[1].answer if best else ""
    return found


def _bag(example: Example) -> frozenset[str]:
    return frozenset(words(example.excerpt.lower()))


def _overlap(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a | b else 0.0
