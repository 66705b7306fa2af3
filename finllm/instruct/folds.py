"""Cross-validate by company in K folds: each company is in the test set of exactly one fold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from finllm.instruct.templates import TEMPLATES
from finllm.records import Example


def deal(
    units: Sequence[Sequence[str]], examples: Sequence[Example], n_folds: int
) -> list[list[Sequence[str]]]:
    """Divide the units of companies into ``n_folds`` parts with similar counts by template.

    The algorithm is greedy, the largest unit first (ties in the order given): each unit goes to the
    part in which the sum of squared counts by template, relative to the template's total, grows
    least; empty parts are filled first.

    Raises
    ------
    ValueError
        If there are fewer than ``n_folds`` + 1 units.
    """
    if len(units) < n_folds + 1:
        raise ValueError(
            f"{len(units)} companies for split.n_folds {n_folds}; need more companies than folds"
        )
    counts = Counter((example.company, example.template) for example in examples)
    totals = np.array([max(1, sum(counts[c, t] for u in units for c in u)) for t in TEMPLATES])
    rows = [
        np.array([sum(counts[company, t] for company in unit) for t in TEMPLATES]) / totals
        for unit in units
    ]
    parts: list[list[Sequence[str]]] = [[] for _ in range(n_folds)]
    loads = np.zeros((n_folds, len(TEMPLATES)))
    for index in sorted(range(len(units)), key=lambda i: (-rows[i].sum(), i)):
        growth = ((loads + rows[index]) ** 2 - loads**2).sum(axis=1)
        fold = min(range(n_folds), key=lambda f: (bool(parts[f]), growth[f], f))
        parts[fold].append(units[index])
        loads[fold] += rows[index]
    return parts


def assign_fold(
    units: Sequence[Sequence[str]],
    examples: Sequence[Example],
    *,
    fold: int,
    n_folds: int,
    val_share: float,
) -> dict[str, str]:
    """Return the split of every company in one fold.

    The fold's part is the test set; of the other units, the first in the order given are for
    validation. For the same units in the same order, the test sets of all folds contain each
    company once.

    Raises
    ------
    ValueError
        If the fold is not below ``n_folds``, or there are too few companies.
    """
    if not 0 <= fold < n_folds:
        raise ValueError(f"split.fold {fold}: must be in 0 to {n_folds - 1} (split.n_folds - 1)")
    tested = {company for unit in deal(units, examples, n_folds)[fold] for company in unit}
    others = [unit for unit in units if unit[0] not in tested]
    n_val = max(1, round(val_share * len(units)))
    if n_val >= len(others):
        raise ValueError(
            f"{len(units)} companies leave none for training with split.n_folds {n_folds} and "
            f"split.val_share {val_share}"
        )
    split_of = dict.fromkeys(tested, "test")
    for i, unit in enumerate(others):
        split_of.update(dict.fromkeys(unit, "val" if i < n_val else "train"))
    return split_of
