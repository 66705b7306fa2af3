"""Scores of a run and their summary, for the stage ``evaluate``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from finllm.comparing import summary
from finllm.comparing.parts_of_gain import parts_of_gain
from finllm.comparing.reference_loss import reference_perplexity
from finllm.comparing.robustness import robustness
from finllm.records import FREE, Example, Prediction, ReferenceLoss, Score, Transcript
from finllm.scoring import score
from finllm.scoring.example import SIGNATURES
from finllm.scoring.oracle import number_recall_ceiling
from finllm.scoring.score import Candidate
from finllm.scoring.semantic import SemanticScores, semantic_scores, signature


@dataclass(frozen=True)
class Run:
    """Outputs of the earlier stages: the sets of examples and the answers of each model."""

    train: list[Example]
    val: list[Example]
    test: list[Example]
    transfer: list[Example]
    calls: list[Transcript]  # at least those of the test and transfer examples
    said: Mapping[str, Sequence[Prediction]]  # by model; empty for a model that was not asked
    changed: Mapping[str, Sequence[Prediction]]  # by model; to changed questions, or without rules
    losses: Mapping[str, Sequence[ReferenceLoss]]  # of the test references, by model

    @property
    def tested(self) -> list[Example]:
        """Examples that every model answered."""
        return self.test + self.transfer


@dataclass(frozen=True)
class Scored:
    """Scores of a run with the scored texts."""

    scores: list[Score]  # of models, baselines and oracles on test and transfer
    changed: list[Score]  # of answers to changed questions and answers without decoding rules
    val: list[Score]  # of the baselines on the validation set, to choose among them
    texts: summary.Texts
    again: list[Candidate]  # the answers scored in ``changed``
    semantic: SemanticScores


def scored(
    run: Run,
    *,
    encoder: str,
    layer: int,
    batch_size: int,
    lexicon: str,
    seed: int,
    n_workers: int,
    engine: str,
) -> Scored:
    """Score all answers of the models and all texts of baselines and oracles.

    Parameters
    ----------
    encoder, layer, batch_size
        Passed to ``semantic_scores``.
    lexicon
        File of additional terms, or empty to use only the built-in terms.
    seed
        Random seed of the baselines.
    n_workers, engine
        Passed to ``finllm.runtime.parallel.map_batches``.

    Raises
    ------
    ValueError
        If the models were not asked the same questions, or were decoded differently.
    """
    score.check_models(run.test, run.transfer, run.said)
    texts = summary.texts(run.said, run.tested, run.train, seed=seed)
    cut = summary.cut_answers(run.said)
    own = summary.candidates({"test": run.test, "transfer": run.transfer}, texts, cut)
    trivial = summary.candidates(
        {"val": run.val}, summary.trivial_texts(run.val, run.train, seed=seed)
    )
    again = summary.changed_candidates(score.changed_examples(run.test, run.changed), run.changed)
    every = own + again + trivial
    semantic = semantic_scores(
        [candidate.text for candidate in every],
        [candidate.example.answer for candidate in every],
        encoder=encoder,
        layer=layer,
        batch_size=batch_size,
    )
    rows = score.score_candidates(
        every, semantic, lexicon=lexicon, n_workers=n_workers, engine=engine
    )
    scores, rest = rows[: len(own)], rows[len(own) :]
    return Scored(scores, rest[: len(again)], rest[len(again) :], texts, again, semantic)


def signatures(encoder: str, *, layer: int) -> dict[str, str]:
    """Return the library and options of each group of metrics."""
    return {**SIGNATURES, "semantic": signature(encoder, layer=layer)}


def details(
    run: Run, found: Scored, *, confidence: float, n_bootstrap: int, seed: int
) -> dict[str, object]:
    """Return means, correlations, gains and counts for ``metrics/details/evaluate.json``."""
    draws = {"confidence": confidence, "n_bootstrap": n_bootstrap, "seed": seed}
    otherwise = [one for one in found.changed if one.split != FREE]  # reworded or noisy
    language = {call.id: call.language for call in run.calls}
    languages = {example.id: language[example.transcript_id] for example in run.transfer}
    parts = parts_of_gain(found.scores, found.changed, **draws)
    return {
        **summary.tables(found.scores),
        **summary.lists(found.scores, languages=languages, **draws),
        "robustness": [asdict(one) for one in robustness(found.scores, otherwise, **draws)],
        "parts_of_gain": [asdict(one) for one in parts],
        "reference_perplexity": reference_perplexity(run.test, run.losses, **draws),
        "number_recall_ceiling": number_recall_ceiling(run.test, run.calls),
        "memorisation": summary.memorised(run.tested, found.texts, run.train),
        "counts": summary.counts(run.test, run.transfer, found.texts, found.again, found.semantic),
    }
