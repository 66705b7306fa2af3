"""Frequentist tests of tuned against base, by company."""

from finllm.records import read_examples, read_scores, write_json
from finllm.scoring.groups import differences_by_group
from finllm.scoring.pairs import compare_pairs, pair
from stages import adapter


def main() -> str:
    """Pair, test, look into the groups, write."""
    at = adapter.paths("scores", "examples", "metrics")
    params = adapter.params()
    p, v = params.significance, params.verdict
    pairs = pair(read_scores(at.scores), split="test")
    found = compare_pairs(
        pairs,
        primary=v.primary_metric,
        alpha=v.alpha,
        n_permutations=p.n_permutations,
        n_bootstrap=p.n_bootstrap,
        seed=p.seed,
    )
    subgroups = differences_by_group(
        pairs,
        read_examples(at.examples),
        metric=v.primary_metric,
        alpha=v.alpha,
        n_bootstrap=p.n_bootstrap,
        seed=p.seed,
    )
    write_json(at.metrics, {**found, "subgroups": subgroups})
    one = found["metrics"][v.primary_metric]
    return f"{v.primary_metric} {one['difference']:+.3f}"


if __name__ == "__main__":
    adapter.run(main)
