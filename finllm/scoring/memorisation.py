"""Figures in answers that may come from training answers instead of the excerpt."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from finllm.languages.detection import spoken_in
from finllm.numbers import Quantity, is_stated
from finllm.numbers.support import stated_figures
from finllm.records import Example

Key = tuple[str, float, str]  # kind, value, unit


@dataclass(frozen=True)
class Memorisation:
    """Counts of the figures in one model's answers, by possible source."""

    n_figures: int
    n_not_in_source: int
    n_of_template: int  # of those not in the source: in a training answer of the same template
    chance: float  # expected hits in equally many figures of other templates' answers
    n_of_company: int | None  # as n_of_template, for the company; None without common companies


def memorisation(
    examples: Sequence[Example], texts: Mapping[str, str], train: Sequence[Example]
) -> Memorisation:
    """Count the figures of ``texts`` (by example id) that are in training answers, not the source.

    A figure is in the source if the excerpt states it, allowing for rounding. It is in the training
    answers only if one of them has the same kind, value and unit, since a rounder figure is weaker
    evidence of memory.

    ``chance`` is the expected number of hits in a random set of the same size, drawn from the
    distinct figures in the training answers of the *other* templates. With m distinct figures of
    the template itself and M of the others, each figure among the M adds min(m, M) / M. Round
    figures ("5 %") are in every list, so only an excess over chance and over the base model's count
    is evidence of memory. If the other templates have fewer figures (M < m), chance is too low.
    Templates of the same calls share figures, which makes chance too high.
    """
    by_template = _keys(train, lambda other: other.template)
    by_company = _keys(train, lambda other: other.company)
    others = {
        template: set().union(*(keys for name, keys in by_template.items() if name != template))
        for template in {example.template for example in examples}
    }
    n_figures = n_odd = n_template = n_company = 0
    chance = 0.0
    for example in examples:
        known = stated_figures(example.excerpt, spoken_in(example.excerpt))
        said = stated_figures(texts[example.id])
        odd = [_key(f) for f in said if not is_stated(f, known)]
        own, pool = by_template.get(example.template, set()), others[example.template]
        n_figures += len(said)
        n_odd += len(odd)
        n_template += sum(key in own for key in odd)
        n_company += sum(key in by_company.get(example.company, ()) for key in odd)
        if pool:
            chance += sum(key in pool for key in odd) * min(len(own), len(pool)) / len(pool)
    shared = any(example.company in by_company for example in examples)
    return Memorisation(n_figures, n_odd, n_template, chance, n_company if shared else None)


def _keys(
    train: Iterable[Example], group: Callable[[Example], Hashable]
) -> dict[Hashable, set[Key]]:
    """Return the distinct figures of the training answers, by group."""
    found: dict[Hashable, set[Key]] = {}
    for other in train:
        found.setdefault(group(other), set()).update(map(_key, stated_figures(other.answer)))
    return found


def _key(figure: Quantity) -> Key:
    return figure.kind, figure.value, figure.unit
