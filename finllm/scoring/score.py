"""Predictions to scores: paired, nothing dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from finllm.corpus.lexicon import Lexicon
from finllm.records import METRICS, Example, Prediction, Score
from finllm.scoring.example import light_scores
from finllm.scoring.semantic import SemanticScores


def check_paired(
    examples: Sequence[Example], predictions: Mapping[str, Sequence[Prediction]]
) -> None:
    """Every model must have answered the same examples: the very same prompts, decoded alike.

    Raises
    ------
    ValueError
        Names the model and the example where it did not.
    """
    ids = [example.id for example in examples]
    prompts: dict[str, str] = {}
    decodings = {row.decoding for rows in predictions.values() for row in rows}
    if len(decodings) > 1:
        raise ValueError(
            f"the predictions were decoded in {len(decodings)} ways "
            f"({'; '.join(sorted(decodings))}); a comparison would not be fair. Run predict again "
            "for all models"
        )
    for model, rows in predictions.items():
        answered = [row.example_id for row in rows]
        if sorted(answered) != sorted(ids):
            odd = sorted(set(answered) ^ set(ids)) or ["an example answered twice"]
            raise ValueError(
                f"the predictions of {model} do not pair with the test examples: {odd[0]} "
                f"({len(answered)} answers, {len(ids)} examples); run predict again"
            )
        for row in rows:
            if prompts.setdefault(row.example_id, row.prompt_sha256) != row.prompt_sha256:
                raise ValueError(
                    f"{row.example_id}: {model} was given another prompt than the models before "
                    "it; a comparison would not be fair. Run predict again for all models"
                )


def score_texts(candidate: str, example: Example, *, lexicon: Lexicon) -> dict[str, float | None]:
    """All metrics of one answer that need no neural model."""
    return light_scores(candidate, example.answer, example.excerpt, lexicon)


def score_rows(
    model: str,
    split: str,
    examples: Sequence[Example],
    texts: Sequence[str],
    semantic: SemanticScores,
    *,
    lexicon: Lexicon,
) -> list[Score]:
    """One Score per example; ``texts`` and ``semantic`` are in the order of ``examples``."""
    rows = []
    for i, (example, text) in enumerate(zip(examples, texts, strict=True)):
        values = score_texts(text, example, lexicon=lexicon)
        values["bertscore"] = semantic.bertscore[i]
        values["similarity"] = semantic.similarity[i]
        rows.append(
            Score(
                example.id,
                model,
                split,
                example.company,
                example.sector,
                example.period,
                example.template,
                example.provenance,
                {name: values[name] for name in METRICS},
            )
        )
    return rows


def means(rows: Sequence[Score]) -> dict[str, float]:
    """The mean of each metric over the examples for which it is defined."""
    found = {}
    for name in METRICS:
        values = [row.values[name] for row in rows if row.values[name] is not None]
        if values:
            found[name] = sum(values) / len(values)
    return found
