"""Score all models and the trivial baselines, one row per example and model."""

import time

from finllm import records
from finllm.comparing.evaluation import Run, details, scored, signatures
from finllm.runtime.parallel import n_cores
from finllm.scoring.semantic import encoder_folder
from stages import adapter


def main() -> str:
    """Read the answers, score them, summarise and write."""
    at = adapter.paths(
        *("train", "val", "test", "transfer", "calls", "base", "tuned", "fewshot", "preferred"),
        *("base_changed", "tuned_changed", "preferred_changed"),
        *("base_references", "tuned_references", "preferred_references"),
        *("scores", "changed", "metrics", "costs"),
    )
    params, started = adapter.params(), time.perf_counter()
    p = params.evaluate
    sets = {x: records.read_examples(vars(at)[x]) for x in ("train", "val", "test", "transfer")}
    tested = {example.transcript_id for example in sets["test"] + sets["transfer"]}
    models = ("base", "tuned", "fewshot", "preferred")  # in the order of their scores
    said = {x: records.read_predictions(vars(at)[x]) for x in models}
    asked = ("base", "tuned", *(["preferred"] if said["preferred"] else []))
    run = Run(
        **sets,
        calls=[call for call in records.read_transcripts(at.calls) if call.id in tested],
        said=said,
        changed={x: records.read_predictions(vars(at)[f"{x}_changed"]) for x in asked},
        losses={x: records.read_losses(vars(at)[f"{x}_references"]) for x in asked},
    )
    found = scored(
        run,
        encoder=encoder_folder(p.encoder, package=p.encoder_package),
        layer=p.encoder_layer,
        batch_size=p.encoder_batch_size,
        lexicon=params.filter.lexicon,
        seed=p.seed,
        n_workers=n_cores(),
        engine=params.execution.engine,
    )
    metrics = details(
        run, found, confidence=1 - params.verdict.alpha, n_bootstrap=p.n_bootstrap, seed=p.seed
    )
    metrics["signatures"] = signatures(p.encoder, layer=p.encoder_layer)
    metrics["timing"] = {"seconds": time.perf_counter() - started}
    records.write_jsonl(at.scores, found.scores + found.val)
    records.write_jsonl(at.changed, found.changed)
    records.write_metrics(at.metrics, at.costs, metrics)
    counts = metrics["counts"]
    return (
        f"{len(found.scores):,} scored answers, {counts['changed_answers']} to changed questions, "
        f"{counts['free_answers']} without the rules of decoding"
    )


if __name__ == "__main__":
    adapter.run(main)
