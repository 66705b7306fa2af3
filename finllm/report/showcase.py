"""The examples shown side by side: the largest regressions first, then the largest gains."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from finllm.records import Example, Prediction, Score

EXCERPT_CHARACTERS = 700
ANSWER_CHARACTERS = 1500


@dataclass(frozen=True)
class Pair:
    """Both models' scores on the primary metric, for one test example; NaN for no score."""

    example_id: str
    company: str
    template: str
    provenance: str
    base: float
    tuned: float

    @property
    def difference(self) -> float:
        """Tuned minus base."""
        return self.tuned - self.base


@dataclass(frozen=True)
class Shown:
    """A pair with its texts; None where the report must not hold any text."""

    pair: Pair
    example: Example | None
    base: Prediction | None
    tuned: Prediction | None


def paired_scores(scores: Sequence[Score], metric: str) -> list[Pair]:
    """The test examples for which the metric is defined, in the order of the base's scores."""
    return [p for p in all_pairs(scores, metric) if math.isfinite(p.difference)]


def all_pairs(scores: Sequence[Score], metric: str) -> list[Pair]:
    """Every test example that both models answered, in the order of the base's scores."""
    values: dict[str, dict[str, float | None]] = {"base": {}, "tuned": {}}
    for row in scores:
        if row.split == "test" and row.model in values:
            values[row.model][row.example_id] = row.values[metric]
    rows = [s for s in scores if s.split == "test" and s.model == "base"]
    pairs = []
    for row in rows:
        if row.example_id not in values["tuned"]:
            continue
        found = [values[model][row.example_id] for model in ("base", "tuned")]
        base, tuned = (math.nan if value is None else value for value in found)
        pairs.append(Pair(row.example_id, row.company, row.template, row.provenance, base, tuned))
    return pairs


def extremes(pairs: Sequence[Pair], n: int) -> list[Pair]:
    """At most ``n`` pairs: regressions from the largest, then gains from the largest.

    Half of ``n`` each, and more of one where the other has too few; where all of them fit, the
    examples on which nothing changed come last, and then those without a score.
    """
    down = [pair for pair in pairs if pair.difference < 0]
    up = [pair for pair in pairs if pair.difference > 0]
    down.sort(key=lambda pair: (pair.difference, pair.example_id))
    up.sort(key=lambda pair: (-pair.difference, pair.example_id))
    n_down = min(len(down), max((n + 1) // 2, n - len(up)))
    rest = [p for p in pairs if p.difference == 0 or math.isnan(p.difference)]
    rest.sort(key=lambda pair: (math.isnan(pair.difference), pair.example_id))
    return [*down[:n_down], *up[: n - n_down], *rest][:n]


def showcase(
    pairs: Sequence[Pair],
    examples: Sequence[Example],
    base: Sequence[Prediction],
    tuned: Sequence[Prediction],
    *,
    n: int,
    include_text: bool,
) -> list[Shown]:
    """The chosen pairs with what was asked, what should have been answered, and both answers.

    Raises
    ------
    ValueError
        Where a scored example is not among the examples or the answers.
    """
    chosen = extremes(pairs, n)
    if not include_text:
        return [Shown(pair, None, None, None) for pair in chosen]
    asked = {example.id: example for example in examples}
    by_base = {p.example_id: p for p in base}
    by_tuned = {p.example_id: p for p in tuned}
    for i in (pair.example_id for pair in chosen):
        if not (i in asked and i in by_base and i in by_tuned):
            raise ValueError(f"{i} was scored, and its text is not there; run `dvc repro`")
    return [
        Shown(p, asked[p.example_id], by_base[p.example_id], by_tuned[p.example_id]) for p in chosen
    ]
