"""Scores of all models and of the trivial baselines, one row per example and model."""

import time
from dataclasses import asdict

from finllm import records
from finllm.comparing import summary
from finllm.comparing.parts_of_gain import parts_of_gain
from finllm.comparing.reference_loss import reference_perplexity
from finllm.comparing.robustness import robustness
from finllm.runtime.parallel import n_cores
from finllm.scoring import score
from finllm.scoring.example import SIGNATURES
from finllm.scoring.oracle import number_recall_ceiling
from finllm.scoring.semantic import encoder_folder, semantic_scores, signature
from stages import adapter

COMPARED = ("base", "tuned")


def main() -> str:
    """Pair, score, summarise."""
    at = adapter.paths(
        *("train", "val", "test", "transfer", "calls", "base", "tuned", "fewshot", "base_changed"),
        *(
            "tuned_changed",
            "base_references",
            "tuned_references",
            *("preferred", "preferred_changed", "preferred_references"),
            "scores",
            "changed",
            "metrics",
            "costs",
        ),
    )
    params, started = adapter.params(), time.perf_counter()
    p = params.evaluate
    sets = (at.train, at.val, at.test, at.transfer)
    train, val, test, transfer = map(records.read_examples, sets)
    said = {m: records.read_predictions(vars(at)[m]) for m in (*COMPARED, "fewshot", "preferred")}
    asked = (*COMPARED, *(["preferred"] if said["preferred"] else []))
    changed = {m: records.read_predictions(vars(at)[f"{m}_changed"]) for m in asked}
    losses = {m: records.read_losses(vars(at)[f"{m}_references"]) for m in asked}
    score.check_models(test, transfer, said)
    texts = summary.texts(said, test + transfer, train, seed=p.seed)
    own = summary.candidates({"test": test, "transfer": transfer}, texts, summary.cut_answers(said))
    trivial = summary.candidates({"val": val}, summary.trivial_texts(val, train, seed=p.seed))
    again = summary.changed_candidates(score.changed_examples(test, changed), changed)
    semantic = semantic_scores(
        [candidate.text for candidate in own + again + trivial],
        [candidate.example.answer for candidate in own + again + trivial],
        encoder=encoder_folder(p.encoder, package=p.encoder_package),
        layer=p.encoder_layer,
        batch_size=p.encoder_batch_size,
    )
    rows = score.score_candidates(
        own + again + trivial,
        semantic,
        lexicon=params.filter.lexicon,
        n_workers=n_cores(),
        engine=params.execution.engine,
    )
    scores, rest = rows[: len(own)], rows[len(own) :]
    changed_scores, val_scores = rest[: len(again)], rest[len(again) :]
    otherwise = [one for one in changed_scores if one.split != records.FREE]  # asked otherwise
    language = {call.id: call.language for call in records.read_transcripts(at.calls)}
    languages = {example.id: language[example.transcript_id] for example in transfer}
    draws = {"confidence": 1 - params.verdict.alpha, "n_bootstrap": p.n_bootstrap, "seed": p.seed}
    found = {
        **summary.tables(scores),
        **summary.lists(scores, languages=languages, **draws),
        "robustness": [asdict(one) for one in robustness(scores, otherwise, **draws)],
        "parts_of_gain": [asdict(one) for one in parts_of_gain(scores, changed_scores, **draws)],
        "reference_perplexity": reference_perplexity(test, losses, **draws),
        "number_recall_ceiling": number_recall_ceiling(test, records.read_transcripts(at.calls)),
        "memorisation": summary.memorised(test + transfer, texts, train),
        "signatures": {**SIGNATURES, "semantic": signature(p.encoder, layer=p.encoder_layer)},
        "counts": summary.counts(test, transfer, texts, again, semantic),
        "timing": {"seconds": time.perf_counter() - started},
    }
    records.write_jsonl(at.scores, scores + val_scores)
    records.write_jsonl(at.changed, changed_scores)
    records.write_metrics(at.metrics, at.costs, found)
    counts = found["counts"]
    return (
        f"{len(scores):,} scored answers, {counts['changed_answers']} to changed questions, "
        f"{counts['free_answers']} without the rules of decoding"
    )


if __name__ == "__main__":
    adapter.run(main)
