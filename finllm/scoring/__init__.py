"""Scores of answers; what needs a neural model is imported only where it is used."""


def score_example(candidate: str, reference: str, source: str) -> dict[str, float]:
    """Every metric of one answer that needs no neural model, in 0 to 1, higher is better.

    See ``finllm.scoring.example.score_example``, and docs/metrics.md for the formulas.
    """
    from finllm.scoring import example

    return example.score_example(candidate, reference, source)
