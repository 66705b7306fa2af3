"""Answers of one model: test and transfer sets, changed examples, and without decoding rules."""

from finllm.model.weights import checkpoint_root
from finllm.records import FREE, read_examples, write_jsonl, write_metrics
from finllm.scoring.asking import (
    ask_plainly,
    ask_with_shots,
    reference_losses,
    summary,
)
from finllm.scoring.predicting import load_answerer
from stages import adapter


def main() -> str:
    """Load the model (with the adapter, where it is the tuned one), ask, write."""
    at = adapter.paths(
        *("test", "transfer", "reworded", "noise", "weights", "shots"),
        *("predictions", "changed", "references", "metrics", "costs"),
    )
    params = adapter.params()
    p, system, name = params.predict, params.templatize.system_prompt, at.predictions.stem
    few_shot = at.shots.is_file()  # a folder: this model is shown no example
    if few_shot and not p.few_shot:
        for path in (at.predictions, at.changed, at.references):
            write_jsonl(path, [])
        write_metrics(at.metrics, at.costs, {"answers": 0})
        return "off: predict.few_shot is 0"
    answerer = load_answerer(params, weights=at.weights)
    test, asking = read_examples(at.test), {"name": name, "root": checkpoint_root()}
    if few_shot:
        train, k = read_examples(at.shots), p.few_shot
        answers, shown = ask_with_shots(
            answerer, test, train, k=k, system_prompt=system, seed=p.seed, **asking
        )
        changed, losses = [], []
    else:
        asked = test + read_examples(at.transfer)
        answers, shown = ask_plainly(answerer, asked, system, **asking), {}
        reworded, noise = read_examples(at.reworded), read_examples(at.noise)
        changed = [
            ask_plainly(answerer, reworded, system, asked="reworded", **asking),
            ask_plainly(answerer, noise, system, asked="noise", **asking),
        ]
        if answerer.has_rules:
            drawn = {example.id for example in noise}
            same, free = [example for example in test if example.id in drawn], answerer.free()
            changed.append(ask_plainly(free, same, system, asked=FREE, **asking))
        losses = reference_losses(answerer, test, system, name=name)
    write_jsonl(at.predictions, answers.predictions)
    write_jsonl(at.changed, [row for answered in changed for row in answered.predictions])
    write_jsonl(at.references, losses)
    found = summary(answerer, answers, n_alone=p.latency_prompts) | shown
    write_metrics(at.metrics, at.costs, found)
    for answered in (answers, *changed):
        answered.journal.remove()
    return f"{found['answers']} answers in {answerer.compute_dtype}"


if __name__ == "__main__":
    adapter.run(main)
