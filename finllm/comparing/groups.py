"""Differences between base and tuned model by groups of examples."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from finllm.comparing.pairs import Pairs
from finllm.records import Example, finite
from finllm.stats.subgroups import compare_subgroups

UNKNOWN = "unknown"
LENGTHS = ("short", "middle", "long")  # thirds of the examples by words in the excerpt


def groupings(examples: Sequence[Example]) -> dict[str, list[str]]:
    """Return each example's template, provenance, sector, quarter and third by length.

    A grouping that puts all examples into one group is left out.
    """
    n_words = np.array([len(example.excerpt.split()) for example in examples])
    thirds = np.searchsorted(np.quantile(n_words, [1 / 3, 2 / 3]), n_words) if len(n_words) else []
    found = {
        "template": [example.template for example in examples],
        "provenance": [example.provenance for example in examples],
        "sector": [example.sector or UNKNOWN for example in examples],
        "quarter": [example.period or UNKNOWN for example in examples],
        "length": [LENGTHS[third] for third in thirds],
    }
    return {name: levels for name, levels in found.items() if len(set(levels)) > 1}


def differences_by_group(
    pairs: Pairs,
    examples: Sequence[Example],
    *,
    metric: str,
    alpha: float,
    n_bootstrap: int,
    seed: int,
) -> dict[str, dict[str, dict[str, float]]]:
    """Return the fields of ``Subgroup`` by grouping and level, leaving out those that are NaN.

    Raises
    ------
    ValueError
        If a scored example is not among ``examples``.
    """
    by_id = {example.id: example for example in examples}
    lost = [i for i in pairs.example_ids if i not in by_id]
    if lost:
        raise ValueError(f"{lost[0]} was scored, and is not among the examples; run `dvc repro`")
    differences = pairs.difference(metric)
    defined = np.isfinite(differences)
    kept = [by_id[i] for i, keep in zip(pairs.example_ids, defined, strict=True) if keep]
    found = compare_subgroups(
        differences[defined],
        [example.company for example in kept],
        groupings(kept),
        confidence=1 - alpha,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )
    return {
        grouping: {level: finite(dataclasses.asdict(one)) for level, one in levels.items()}
        for grouping, levels in found.items()
    }
