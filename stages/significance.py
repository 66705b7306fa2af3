"""Frequentist tests of tuned against base, by company."""

from finllm.records import read_scores, write_json
from finllm.scoring.pairs import compare_pairs, pair
from stages import adapter


def main() -> None:
    """Pair, test, write."""
    at = adapter.paths("scores", "metrics")
    params = adapter.params()
    p, v = params.significance, params.verdict
    found = compare_pairs(
        pair(read_scores(at.scores), split="test"),
        primary=v.primary_metric,
        alpha=v.alpha,
        n_permutations=p.n_permutations,
        n_bootstrap=p.n_bootstrap,
        seed=p.seed,
    )
    write_json(at.metrics, found)
    one = found["metrics"][v.primary_metric]
    print(f"significance: {v.primary_metric} {one['difference']:+.3f}")


if __name__ == "__main__":
    adapter.run(main)
