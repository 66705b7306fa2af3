"""Compare the verdict's candidate with the base by company, with frequentist tests."""

import math

from finllm.comparing.chain import chain
from finllm.comparing.copying import against_copying
from finllm.comparing.groups import differences_by_group
from finllm.comparing.pairs import compare_pairs, pair
from finllm.records import read_examples, read_scores, write_json
from finllm.stats.multiplicity import COPYING_SHARE
from stages import adapter


def main() -> str:
    """Pair the scores, test the differences, compare subgroups and write."""
    at = adapter.paths("scores", "examples", "metrics")
    params = adapter.params()
    p, v = params.significance, params.verdict
    scores = read_scores(at.scores)
    pairs = pair(scores, split="test", tuned=v.candidate)
    found = compare_pairs(
        pairs,
        primary=v.primary_metric,
        alpha=v.alpha,
        n_permutations=p.n_permutations,
        n_bootstrap=p.n_bootstrap,
        seed=p.seed,
        others_share=1 - COPYING_SHARE,
    )
    one = found["metrics"][v.primary_metric]
    copying = against_copying(
        scores,
        primary=v.primary_metric,
        alpha=v.alpha,
        primary_p=one.get("p_value", math.nan),
        n_bootstrap=p.n_bootstrap,
        seed=p.seed,
        candidate=v.candidate,
    )
    subgroups = differences_by_group(
        pairs,
        read_examples(at.examples),
        metric=v.primary_metric,
        alpha=v.alpha,
        n_bootstrap=p.n_bootstrap,
        seed=p.seed,
    )
    steps = chain(
        scores, primary=v.primary_metric, alpha=v.alpha, n_bootstrap=p.n_bootstrap, seed=p.seed
    )
    found |= {"copying": copying, "subgroups": subgroups, **({"chain": steps} if steps else {})}
    write_json(at.metrics, found)
    return f"{v.primary_metric} {one['difference']:+.3f}"


if __name__ == "__main__":
    adapter.run(main)
