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


def nearest_training_answer(example: Example, train: Sequence[Example]) -> str:
    """The answer of the training example of the same template whose excerpt shares most words.

    Jaccard similarity of lower-case words; the first among equals; empty where there is none. On
    ECTSum's own split, where companies recur, such a copy ties published models on ROUGE.
    """
    target = set(words(example.excerpt.lower()))
    best, best_overlap = "", -1.0
    for other in train:
        if other.template != example.template:
            continue
        bag = set(words(other.excerpt.lower()))
        overlap = len(target & bag) / max(1, len(target | bag))
        if overlap > best_overlap:
            best, best_overlap = other.answer, overlap
    return best
