"""Baseline answers without a model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from finllm.instruct.windows import sentences
from finllm.languages.detection import spoken_in
from finllm.languages.lexicon import words
from finllm.numbers.support import stated_figures
from finllm.records import Example

BASELINES = ("lead", "dense", "random", "nearest", "nearest_company")
N_SENTENCES = 3  # of lead and of dense


def baseline_answers(
    examples: Sequence[Example], train: Sequence[Example], *, rng: np.random.Generator
) -> dict[str, dict[str, str]]:
    """Return the answers of each baseline, by name (``BASELINES``) and example id.

    ``nearest_company`` is left out if no example's company is in the training set, as after a split
    by company: the baseline would equal ``nearest``.
    """
    nearest = nearest_training_answers(examples, train)
    found = {
        "lead": {example.id: lead(example) for example in examples},
        "dense": {example.id: number_dense_lead(example) for example in examples},
        "random": random_training_answers(examples, train, rng=rng),
        "nearest": nearest,
    }
    own = nearest_company_answers(examples, train)
    if own:
        found["nearest_company"] = {**nearest, **own}
    return found


def lead(example: Example) -> str:
    """Return the first three sentences of the excerpt (lead-3)."""
    return " ".join(sentences(example.excerpt)[:N_SENTENCES])


def number_dense_lead(example: Example) -> str:
    """Return the three sentences of the excerpt that state the most figures, in excerpt order.

    Ties go to the earlier sentence, so that an excerpt without figures gives its lead. Periods and
    years do not count as figures.
    """
    told, language = sentences(example.excerpt), spoken_in(example.excerpt)
    by_figures = sorted(range(len(told)), key=lambda i: -len(stated_figures(told[i], language)))
    return " ".join(told[i] for i in sorted(by_figures[:N_SENTENCES]))


def random_training_answers(
    examples: Sequence[Example], train: Sequence[Example], *, rng: np.random.Generator
) -> dict[str, str]:
    """Draw for each example the answer of a random training example of the same template.

    Its score is that of a model that knows the form of an answer but not the call. The answer is
    empty if the template has no training example.
    """
    by_template: dict[str, list[str]] = {}
    for other in train:
        by_template.setdefault(other.template, []).append(other.answer)
    found = {}
    for example in examples:
        answers = by_template.get(example.template, [])
        found[example.id] = answers[int(rng.integers(len(answers)))] if answers else ""
    return found


def nearest_training_answers(
    examples: Sequence[Example], train: Sequence[Example]
) -> dict[str, str]:
    """Return for each example the answer of the most similar training example of its template.

    Similarity is the Jaccard similarity of the excerpts' lower-case words; ties go to the first.
    The answer is empty if the template has no training example. On ECTSum's own split, where
    companies recur, this baseline equals published models in ROUGE.
    """
    bags: dict[str, list[tuple[frozenset[str], str]]] = {}
    for other in train:
        bags.setdefault(other.template, []).append((_bag(other), other.answer))
    return {example.id: _nearest(example, bags.get(example.template, [])) for example in examples}


def nearest_company_answers(
    examples: Sequence[Example], train: Sequence[Example]
) -> dict[str, str]:
    """Return ``nearest_training_answers`` within each example's own company.

    Examples without a training example of their company and template are left out.
    """
    bags: dict[tuple[str, str], list[tuple[frozenset[str], str]]] = {}
    asked = {(example.company, example.template) for example in examples}
    for other in train:
        if (other.company, other.template) in asked:
            own = bags.setdefault((other.company, other.template), [])
            own.append((_bag(other), other.answer))
    return {
        example.id: _nearest(example, bags[example.company, example.template])
        for example in examples
        if (example.company, example.template) in bags
    }


def _nearest(example: Example, bags: Sequence[tuple[frozenset[str], str]]) -> str:
    target = _bag(example)
    best = max(((_overlap(target, bag), answer) for bag, answer in bags), key=_first, default=None)
    return best[1] if best else ""


def _first(pair: tuple[float, str]) -> float:
    return pair[0]


def _bag(example: Example) -> frozenset[str]:
    return frozenset(words(example.excerpt.lower()))


def _overlap(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a | b else 0.0
