"""Scores of two models as paired arrays, in the same order of examples."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from finllm.records import METRICS, Score, finite
from finllm.stats.clusters import cluster_means
from finllm.stats.comparison import compare
from finllm.stats.inference import MeanInference, infer_mean


@dataclass(frozen=True)
class Pairs:
    """Scores of two models on the same examples; NaN if a metric is not defined."""

    example_ids: list[str]
    companies: list[str]
    templates: list[str]
    base: dict[str, np.ndarray]  # by metric; shape (n_examples,)
    tuned: dict[str, np.ndarray]

    def difference(self, metric: str) -> np.ndarray:
        """Return tuned minus base for each example, NaN if not defined."""
        return self.tuned[metric] - self.base[metric]

    def defined(self, metric: str) -> tuple[np.ndarray, list[str], list[str]]:
        """Return the defined differences with the companies and templates of their examples."""
        differences = self.difference(metric)
        kept = np.flatnonzero(np.isfinite(differences))
        return (
            differences[kept],
            [self.companies[i] for i in kept],
            [self.templates[i] for i in kept],
        )


def pair(scores: Sequence[Score], *, split: str, base: str = "base", tuned: str = "tuned") -> Pairs:
    """Pair the scores of the base and the tuned model on one split, by example.

    ``base`` and ``tuned`` name the two models; ``base`` may be a baseline, for instance.

    Raises
    ------
    ValueError
        If only one of the two models has an example, a model has an example twice, there are no
        examples, a metric is missing, or a score is infinite. NaN is allowed: it marks a score that
        is not defined.
    """
    seen: set[tuple[str, str]] = set()
    for score in (score for score in scores if score.split == split):
        if (score.model, score.example_id) in seen:
            raise ValueError(
                f"{score.example_id} was scored twice for {score.model}; run evaluate again"
            )
        seen.add((score.model, score.example_id))
    rows = {
        model: {s.example_id: s for s in scores if s.model == model and s.split == split}
        for model in (base, tuned)
    }
    if rows[base] and tuned == "preferred" and not rows[tuned]:
        raise ValueError(
            f"there are no {split} scores of the preferred model; set prefer.method and run `dvc "
            "repro evaluate`, or compare the tuned model"
        )
    if rows[base].keys() != rows[tuned].keys():
        odd = sorted(rows[base].keys() ^ rows[tuned].keys())[0]
        raise ValueError(f"{odd} was scored for one of {base} and {tuned} only; run evaluate again")
    ids = list(rows[base])
    if not ids:
        raise ValueError(f"there are no {split} scores of {base} and {tuned}; run evaluate again")
    return Pairs(
        example_ids=ids,
        companies=[rows[base][i].company for i in ids],
        templates=[rows[base][i].template for i in ids],
        base=_columns(rows[base], ids),
        tuned=_columns(rows[tuned], ids),
    )


def compare_pairs(
    pairs: Pairs,
    *,
    primary: str,
    alpha: float,
    n_permutations: int,
    n_bootstrap: int,
    seed: int,
    others_share: float = 1.0,
) -> dict[str, object]:
    """Compare tuned with base on every metric by ``compare``; return a dictionary for JSON.

    It has the results and the numbers of examples and companies. ``others_share`` is the share of
    the error rate for the metrics other than the primary one. Values that could not be computed are
    left out, since JSON has no NaN.
    """
    found = compare(
        pairs.base,
        pairs.tuned,
        pairs.companies,
        primary=primary,
        confidence=1 - alpha,
        n_permutations=n_permutations,
        n_bootstrap=n_bootstrap,
        seed=seed,
        others_share=others_share,
    )
    return {
        "primary_metric": primary,
        "n_examples": len(pairs.example_ids),
        "n_companies": len(set(pairs.companies)),
        "metrics": {name: finite(dataclasses.asdict(one)) for name, one in found.items()},
    }


def infer_pairs(
    pairs: Pairs, metric: str, *, confidence: float, n_bootstrap: int, rng: np.random.Generator
) -> tuple[float, float, MeanInference] | None:
    """Return the means of company means of base and tuned on one metric, and the mean difference.

    The difference is inferred by ``infer_mean``. Return None if fewer than two companies have
    scores.
    """
    differences, companies, _ = pairs.defined(metric)
    if len(set(companies)) < 2:
        return None
    kept = np.isfinite(pairs.difference(metric))
    base, tuned = (
        float(cluster_means(values[metric][kept], companies).means.mean())
        for values in (pairs.base, pairs.tuned)
    )
    found = infer_mean(
        differences, companies, confidence=confidence, n_bootstrap=n_bootstrap, rng=rng
    )
    return base, tuned, found


def _columns(rows: dict[str, Score], ids: list[str]) -> dict[str, np.ndarray]:
    columns = {}
    for name in METRICS:
        lacking = [i for i in ids if name not in rows[i].values]
        if lacking:
            raise ValueError(f"{lacking[0]} has no {name}; run evaluate again")
        column = np.array([rows[i].values[name] for i in ids], dtype=np.float64)  # None becomes NaN
        if np.isinf(column).any():
            at = ids[int(np.isinf(column).argmax())]
            raise ValueError(
                f"{at}: {name} is infinite; scores must be finite, or null if undefined"
            )
        columns[name] = column
    return columns
