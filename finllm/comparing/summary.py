"""Aggregates of the scores of all models, as stored in ``metrics/details/evaluate.json``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict

import numpy as np

from finllm.comparing.across_languages import by_language
from finllm.comparing.cross_domain import cross_domain
from finllm.comparing.meta_evaluation import correlations, rank_stability
from finllm.comparing.pairs import pair
from finllm.records import FREE, Example, Prediction, Score
from finllm.scoring.baselines import baseline_answers
from finllm.scoring.memorisation import memorisation
from finllm.scoring.oracle import ORACLES, oracle_answers
from finllm.scoring.score import Candidate, means
from finllm.scoring.semantic import SemanticScores

Texts = Mapping[str, Mapping[str, str]]  # text by model and example id
Table = dict[str, dict[str, float]]  # mean by model and metric


def texts(
    predictions: Mapping[str, Sequence[Prediction]],
    examples: Sequence[Example],
    train: Sequence[Example],
    *,
    seed: int,
) -> dict[str, dict[str, str]]:
    """Return the texts of each model, trivial baseline and oracle, in this order, by example id.

    A model without answers is left out.
    """
    said = {
        model: {row.example_id: row.text for row in rows}
        for model, rows in predictions.items()
        if rows
    }
    said |= baseline_answers(examples, train, rng=np.random.default_rng(seed))
    return said | oracle_answers(examples)


def trivial_texts(
    examples: Sequence[Example], train: Sequence[Example], *, seed: int
) -> dict[str, dict[str, str]]:
    """Return the texts of each trivial baseline, by example id."""
    return baseline_answers(examples, train, rng=np.random.default_rng(seed))


def cut_answers(predictions: Mapping[str, Sequence[Prediction]]) -> set[tuple[str, str]]:
    """Return (model, example id) of each answer that the length limit cut."""
    return {(m, row.example_id) for m, rows in predictions.items() for row in rows if row.hit_limit}


def candidates(
    sets: Mapping[str, Sequence[Example]], said: Texts, cut: Collection[tuple[str, str]] = ()
) -> list[Candidate]:
    """Return every text of every model, set by set; a model may have answered only some sets."""
    return [
        Candidate(model, split, example, own[example.id], (model, example.id) in cut)
        for model, own in said.items()
        for split, rows in sets.items()
        for example in rows
        if example.id in own
    ]


def changed_candidates(
    sets: Mapping[str, Sequence[Example]], changed: Mapping[str, Sequence[Prediction]]
) -> list[Candidate]:
    """Return the answers to changed questions or without rules, each for its original example."""
    said = {(m, r.asked, r.example_id): r for m, rows in changed.items() for r in rows}
    return [
        Candidate(model, name, example, row.text, row.hit_limit)
        for model in changed
        for name, rows in sets.items()
        for example in rows
        for row in [said[model, name, example.id]]
    ]


def tables(scores: Sequence[Score]) -> dict[str, object]:
    """Return mean scores by model on test and transfer, and on test by template and provenance."""
    test = [score for score in scores if score.split == "test"]
    return {
        "test": by_model(test),
        "transfer": by_model([score for score in scores if score.split == "transfer"]),
        "test_by_template": {
            name: by_model([score for score in test if score.template == name])
            for name in sorted({score.template for score in scores})
        },
        "test_by_provenance": {
            name: by_model([score for score in test if score.provenance == name])
            for name in sorted({score.provenance for score in scores})
        },
    }


def by_model(scores: Sequence[Score]) -> Table:
    """Return the mean of each metric, by model."""
    models = dict.fromkeys(score.model for score in scores)
    return {model: means([s for s in scores if s.model == model]) for model in models}


def lists(
    scores: Sequence[Score],
    *,
    confidence: float,
    n_bootstrap: int,
    seed: int,
    languages: Mapping[str, str] | None = None,
) -> dict[str, list[dict]]:
    """Return correlations of metrics, stability of rankings, and gains on the transfer set.

    The transfer gains are also given by language if not all calls are English. ``languages`` maps
    example ids to the language of the call; None means that all are English.
    """
    ranked = [score for score in scores if score.model not in ORACLES]
    stability = rank_stability(
        ranked, split="test", n_bootstrap=n_bootstrap, rng=np.random.default_rng(seed)
    )
    gains, spoken = {}, []
    if any(score.split == "transfer" for score in scores):
        gains = cross_domain(
            pair(scores, split="test"),
            pair(scores, split="transfer"),
            confidence=confidence,
            n_bootstrap=n_bootstrap,
            seed=seed,
        )
        spoken = by_language(
            pair(scores, split="transfer"),
            languages or {},
            confidence=confidence,
            n_bootstrap=n_bootstrap,
            seed=seed,
        )
    return {
        "by_language": [asdict(row) for row in spoken],
        "correlations": [
            {"pair": names, **found} for names, found in correlations(scores, split="test").items()
        ],
        "rank_stability": [
            {"metric": metric, **asdict(found)} for metric, found in stability.items()
        ],
        "cross_domain": [{"metric": name, **asdict(gain)} for name, gain in gains.items()],
    }


def memorised(
    examples: Sequence[Example], said: Texts, train: Sequence[Example]
) -> dict[str, dict[str, float]]:
    """Count the figures that base, tuned and preferred model may have from training answers."""
    return {
        model: asdict(memorisation(examples, said[model], train))
        for model in ("base", "tuned", "preferred")
        if model in said
    }


def counts(
    test: Sequence[Example],
    transfer: Sequence[Example],
    said: Texts,
    changed: Sequence[Candidate],
    semantic: SemanticScores,
) -> dict[str, object]:
    """Count the examples and answers, the empty texts, and those too long for the encoder."""
    return {
        "test_examples": len(test),
        "transfer_examples": len(transfer),
        "changed_answers": sum(candidate.split != FREE for candidate in changed),
        "free_answers": sum(candidate.split == FREE for candidate in changed),
        "empty_answers": {
            model: sum(not text.strip() for text in by_id.values()) for model, by_id in said.items()
        },
        "texts_longer_than_the_encoder_reads": semantic.n_truncated,
    }
