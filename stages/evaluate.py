"""Scores of all models and of the trivial baselines, one row per example and model."""

import time
from dataclasses import asdict

import numpy as np

from finllm import records
from finllm.corpus.parallel import n_cores
from finllm.scoring import score, summary
from finllm.scoring.baselines import baseline_answers
from finllm.scoring.example import SIGNATURES
from finllm.scoring.oracle import number_recall_ceiling, oracle_answers
from finllm.scoring.reference_loss import reference_perplexity
from finllm.scoring.robustness import robustness
from finllm.scoring.semantic import encoder_folder, semantic_scores, signature
from stages import adapter


def main() -> None:
    """Pair, score, summarise."""
    at = adapter.paths(
        *("train", "test", "transfer", "calls", "base", "tuned", "fewshot", "base_changed"),
        *("tuned_changed", "base_references", "tuned_references", "scores", "changed", "metrics"),
    )
    params, started = adapter.params(), time.perf_counter()
    p = params.evaluate
    train, test, transfer = map(records.read_examples, (at.train, at.test, at.transfer))
    files = {"base": at.base, "tuned": at.tuned, "fewshot": at.fewshot}
    said = {model: records.read_predictions(path) for model, path in files.items()}
    score.check_models(test, transfer, said)
    texts = summary.texts(said)
    texts |= baseline_answers(test + transfer, train, rng=np.random.default_rng(p.seed))
    texts |= oracle_answers(test + transfer)
    files = {"base": at.base_changed, "tuned": at.tuned_changed}
    changed = {model: records.read_predictions(path) for model, path in files.items()}
    files = {"base": at.base_references, "tuned": at.tuned_references}
    losses = {model: records.read_losses(path) for model, path in files.items()}
    own = summary.candidates({"test": test, "transfer": transfer}, texts)
    again = summary.changed_candidates(score.changed_examples(test, changed), changed)
    semantic = semantic_scores(
        [candidate.text for candidate in own + again],
        [candidate.example.answer for candidate in own + again],
        encoder=encoder_folder(p.encoder, package=p.encoder_package),
        layer=p.encoder_layer,
        batch_size=p.encoder_batch_size,
    )
    rows = score.score_candidates(
        own + again, semantic, lexicon=params.filter.lexicon, n_workers=n_cores()
    )
    scores, changed_scores = rows[: len(own)], rows[len(own) :]
    draws = {"confidence": 1 - params.verdict.alpha, "n_bootstrap": p.n_bootstrap, "seed": p.seed}
    found = {
        **summary.tables(scores),
        **summary.lists(scores, **draws),
        "robustness": [asdict(one) for one in robustness(scores, changed_scores, **draws)],
        "reference_perplexity": reference_perplexity(test, losses, **draws),
        "number_recall_ceiling": number_recall_ceiling(test, records.read_transcripts(at.calls)),
        "memorisation": summary.memorised(test + transfer, texts, train),
        "signatures": {**SIGNATURES, "semantic": signature(p.encoder, layer=p.encoder_layer)},
        "counts": summary.counts(test, transfer, texts, again, semantic),
        "timing": {"seconds": time.perf_counter() - started},
    }
    records.write_jsonl(at.scores, scores)
    records.write_jsonl(at.changed, changed_scores)
    records.write_json(at.metrics, found)
    print(f"evaluate: {len(scores)} scored answers, {len(again)} to changed questions")


if __name__ == "__main__":
    adapter.run(main)
