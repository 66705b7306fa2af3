"""Scores of answers; neural models and their libraries are imported only on use."""


def score_example(candidate: str, reference: str, source: str) -> dict[str, float]:
    """Return all metrics of one answer that need no neural model, in 0 to 1, higher is better.

    See ``finllm.scoring.example.score_example`` for details and docs/metrics.md for the formulas.
    """
    from finllm.scoring import example

    return example.score_example(candidate, reference, source)
