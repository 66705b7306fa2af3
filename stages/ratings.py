"""Analyse human ratings and compare them with the metrics; empty without ratings."""

from finllm.comparing.pairs import pair
from finllm.rating.analysis import collect, rating_metrics
from finllm.rating.clicks import read_folder
from finllm.records import read_predictions, read_scores, write_json
from stages import adapter


def main() -> str:
    """Read the ratings, keep those about the current answers, summarise and write."""
    at = adapter.paths("ratings", "base", "tuned", "scores", "metrics")
    params = adapter.params()
    ratings = collect(
        read_folder(at.ratings), read_predictions(at.base), read_predictions(at.tuned)
    )
    found = rating_metrics(
        ratings,
        pair(read_scores(at.scores), split="test"),
        confidence=1 - params.verdict.alpha,
        n_bootstrap=params.significance.n_bootstrap,
        seed=params.significance.seed,
    )
    write_json(at.metrics, found)
    return f"{found['n_raters']} raters, {found['n_examples']} examples"


if __name__ == "__main__":
    adapter.run(main)
