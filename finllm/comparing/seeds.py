"""Comparison of several trainings, with different seeds, on the same test set."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from finllm.comparing.pairs import pair
from finllm.records import METRICS, Score, finite
from finllm.stats.inference import infer_mean
from finllm.stats.variance import in_words, pool_seeds, seed_components


@dataclass(frozen=True)
class SeedRuns:
    """Tuned minus base of each run, with the examples in the same order."""

    names: list[str]  # of the runs, such as their files
    companies: list[str]
    differences: dict[str, np.ndarray]  # by metric; (n_runs, n_examples), NaN if not defined

    def defined(self, metric: str) -> tuple[np.ndarray, list[str]]:
        """Return the columns in which every run has a score, and their companies."""
        rows = self.differences[metric]
        keep = np.isfinite(rows).all(axis=0)
        return rows[:, keep], [c for c, kept in zip(self.companies, keep, strict=True) if kept]


def side_by_side(runs: Mapping[str, Sequence[Score]], *, model: str = "tuned") -> SeedRuns:
    """Align the test scores of a model and the base over runs that differ only in ``train.seed``.

    Raises
    ------
    ValueError
        If there are fewer than two runs, the runs tested different examples, or a run is given
        twice (the same scores on every metric).
    """
    if len(runs) < 2:
        raise ValueError(f"{len(runs)} run(s): variation between seeds needs at least two")
    pairs = {name: pair(scores, split="test", tuned=model) for name, scores in runs.items()}
    first = next(iter(pairs))
    ids = sorted(pairs[first].example_ids)
    seen: dict[bytes, str] = {}
    rows = {}
    for name, one in pairs.items():
        if sorted(one.example_ids) != ids:
            raise ValueError(
                f"{name} tested different examples from {first}; the runs may differ only in "
                "train.seed (for the folds of a cross-validation: finllm pool)"
            )
        order = np.argsort(one.example_ids)
        rows[name] = np.array([one.difference(metric)[order] for metric in METRICS])
        twin = seen.setdefault(rows[name].tobytes(), name)
        if twin != name:
            raise ValueError(f"{name} has the scores of {twin}: the same run twice?")
    companies = dict(zip(pairs[first].example_ids, pairs[first].companies, strict=True))
    return SeedRuns(
        names=list(rows),
        companies=[companies[i] for i in ids],
        differences={
            metric: np.array([rows[name][position] for name in rows])
            for position, metric in enumerate(METRICS)
        },
    )


def compare_seeds(
    runs: SeedRuns, *, primary: str, alpha: float, n_bootstrap: int, seed: int
) -> dict[str, object]:
    """Return each metric over all runs, and say whether the primary's gain depends on the seed.

    Only the primary metric decides; the others are shown uncorrected. Values that could not be
    computed are left out, since JSON has no NaN.

    Raises
    ------
    ValueError
        If the primary metric is unknown or has scores in fewer than two companies.
    """
    if primary not in runs.differences:
        known = ", ".join(runs.differences)
        raise ValueError(f"the primary metric is {primary!r}; the metrics are {known}")
    metrics = {}
    for name in runs.differences:
        rows, companies = runs.defined(name)
        if len(set(companies)) < 2 and name != primary:
            continue
        pooled = pool_seeds(rows, companies, confidence=1 - alpha)
        variances = dataclasses.asdict(seed_components(rows, companies))
        metrics[name] = finite(dataclasses.asdict(pooled)) | {"variances": finite(variances)}
        if name == primary:
            alone = [
                infer_mean(
                    row,
                    companies,
                    confidence=1 - alpha,
                    n_bootstrap=n_bootstrap,
                    rng=np.random.default_rng([seed, position]),
                )
                for position, row in enumerate(rows)
            ]
            n_alone = sum(one.low > 0 for one in alone)
            words = in_words(pooled, n_alone, alpha=alpha)
    return {
        "primary_metric": primary,
        "runs": runs.names,
        "n_called_better_alone": n_alone,
        "in_words": words,
        "metrics": metrics,
    }
