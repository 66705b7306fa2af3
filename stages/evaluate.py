"""Scores of both models and of the trivial baselines, one row per example and model."""

import time
from dataclasses import asdict

import numpy as np
from tqdm import tqdm

from finllm.corpus.lexicon import load_lexicon
from finllm.records import (
    Score,
    read_examples,
    read_predictions,
    read_transcripts,
    write_json,
    write_jsonl,
)
from finllm.scoring.agreement import correlations, rank_stability
from finllm.scoring.baselines import baseline_answers
from finllm.scoring.cross_domain import cross_domain
from finllm.scoring.example import SIGNATURES
from finllm.scoring.memorisation import memorisation
from finllm.scoring.oracle import ORACLES, number_recall_ceiling, oracle_answers
from finllm.scoring.pairs import pair
from finllm.scoring.score import check_paired, means, score_rows
from finllm.scoring.semantic import encoder_folder, semantic_scores, signature
from stages import adapter


def main() -> None:
    """Pair, score, summarise."""
    at = adapter.paths("train", "test", "transfer", "calls", "base", "tuned", "scores", "metrics")
    params = adapter.params()
    p = params.evaluate
    sets = {"test": read_examples(at.test), "transfer": read_examples(at.transfer)}
    examples = sets["test"] + sets["transfer"]
    predictions = {"base": read_predictions(at.base), "tuned": read_predictions(at.tuned)}
    check_paired(examples, predictions)
    texts = {
        model: {row.example_id: row.text for row in rows} for model, rows in predictions.items()
    }
    train = read_examples(at.train)
    texts |= baseline_answers(examples, train, rng=np.random.default_rng(p.seed))
    texts |= oracle_answers(examples)
    encoder = encoder_folder(p.encoder, package=p.encoder_package)
    lexicon = load_lexicon(params.filter.lexicon)
    started = time.perf_counter()
    semantic = semantic_scores(
        [texts[model][example.id] for model in texts for example in examples],
        [example.answer for _ in texts for example in examples],
        encoder=encoder,
        layer=p.encoder_layer,
        batch_size=p.encoder_batch_size,
    )
    scores: list[Score] = []
    for model in tqdm(texts, desc="evaluate", unit="model", disable=None):
        for split, rows in sets.items():
            answers = [texts[model][example.id] for example in rows]
            part = semantic.part(len(scores), len(rows))
            scores += score_rows(model, split, rows, answers, part, lexicon=lexicon)
    write_jsonl(at.scores, scores)

    def table(**where: str) -> dict[str, dict[str, float]]:
        chosen = [s for s in scores if all(vars(s)[key] == value for key, value in where.items())]
        return {model: means([s for s in chosen if s.model == model]) for model in texts}

    stability = rank_stability(
        [score for score in scores if score.model not in ORACLES],
        split="test",
        n_bootstrap=p.n_bootstrap,
        rng=np.random.default_rng(p.seed),
    )
    gains = {}
    if sets["transfer"]:
        gains = cross_domain(
            pair(scores, split="test"),
            pair(scores, split="transfer"),
            confidence=1 - params.verdict.alpha,
            n_bootstrap=p.n_bootstrap,
            seed=p.seed,
        )
    templates = sorted({example.template for example in examples})
    provenances = sorted({example.provenance for example in examples})
    write_json(
        at.metrics,
        {
            "test": table(split="test"),
            "transfer": table(split="transfer") if sets["transfer"] else {},
            "test_by_template": {t: table(split="test", template=t) for t in templates},
            "test_by_provenance": {v: table(split="test", provenance=v) for v in provenances},
            # as lists, which `dvc metrics diff` leaves out: they are to be read, not to be compared
            "correlations": [
                {"pair": pair, **found}
                for pair, found in correlations(scores, split="test").items()
            ],
            "rank_stability": [
                {"metric": metric, **asdict(found)} for metric, found in stability.items()
            ],
            "cross_domain": [{"metric": name, **asdict(gain)} for name, gain in gains.items()],
            "number_recall_ceiling": number_recall_ceiling(
                sets["test"], read_transcripts(at.calls)
            ),
            "memorisation": {
                model: asdict(memorisation(examples, texts[model], train)) for model in predictions
            },
            "signatures": {**SIGNATURES, "semantic": signature(p.encoder, layer=p.encoder_layer)},
            "counts": {
                "test_examples": len(sets["test"]),
                "transfer_examples": len(sets["transfer"]),
                "empty_answers": {
                    model: sum(not text.strip() for text in by_id.values())
                    for model, by_id in texts.items()
                },
                "texts_longer_than_the_encoder_reads": semantic.n_truncated,
            },
            "timing": {"seconds": time.perf_counter() - started},
        },
    )
    print(f"evaluate: {len(scores)} scored answers")


if __name__ == "__main__":
    adapter.run(main)
