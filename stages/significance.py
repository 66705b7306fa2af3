"""Frequentist tests of tuned against base, by company."""

import dataclasses
import math

from finllm.records import read_scores, write_json
from finllm.scoring.pairs import pair
from finllm.stats.comparison import compare
from stages import adapter


def main() -> None:
    """Pair, test, write."""
    at = adapter.paths("scores", "metrics")
    params = adapter.params()
    p, v = params.significance, params.verdict
    pairs = pair(read_scores(at.scores), split="test")
    found = compare(
        pairs.base,
        pairs.tuned,
        pairs.companies,
        primary=v.primary_metric,
        confidence=1 - v.alpha,
        n_permutations=p.n_permutations,
        n_bootstrap=p.n_bootstrap,
        seed=p.seed,
    )
    write_json(
        at.metrics,
        {
            "primary_metric": v.primary_metric,
            "n_examples": len(pairs.example_ids),
            "n_companies": len(set(pairs.companies)),
            "metrics": {name: _without_nan(c) for name, c in found.items()},
        },
    )
    one = found[v.primary_metric]
    print(f"significance: {v.primary_metric} {one.difference:+.3f} [{one.low:.3f}, {one.high:.3f}]")


def _without_nan(record: object) -> dict[str, float]:
    """What could not be computed is left out: JSON has no NaN."""
    fields = dataclasses.asdict(record)
    return {key: value for key, value in fields.items() if math.isfinite(value)}


if __name__ == "__main__":
    adapter.run(main)
