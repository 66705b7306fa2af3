"""Write one model's answers: test and transfer sets, changed examples, without decoding rules."""

from finllm.answering.asking import ask, ask_with_shots, own_questions, reference_losses, summary
from finllm.answering.backend import answerer_here
from finllm.answering.ray_answerer import ray_answerer
from finllm.model.weights import checkpoint_root
from finllm.records import FREE, read_examples, write_jsonl, write_metrics
from stages import adapter


def main() -> str:
    """Load the model (with its adapter, if any), generate the answers and write them."""
    at = adapter.paths(
        *("test", "transfer", "reworded", "noise", "weights", "shots"),
        *("predictions", "changed", "references", "metrics", "costs"),
    )
    params = adapter.params()
    p, system, name = params.predict, params.templatize.system_prompt, at.predictions.stem
    few_shot = at.shots.is_file()  # if it is a folder, this model gets no examples
    why_off = "predict.few_shot is 0" if few_shot and not p.few_shot else ""
    if (off := at.weights / adapter.OFF).is_file():  # written by the stage prefer
        why_off = off.read_text(encoding="utf-8").strip()
    if why_off:
        for path in (at.predictions, at.changed, at.references):
            write_jsonl(path, [])
        write_metrics(at.metrics, at.costs, {"answers": 0})
        return f"off: {why_off}"
    load = ray_answerer if params.execution.engine == "ray" else answerer_here
    answerer = load(params, weights=at.weights)
    test, asking = read_examples(at.test), {"name": name, "root": checkpoint_root()}
    if few_shot:
        train, k = read_examples(at.shots), p.few_shot
        answers, shown = ask_with_shots(
            answerer, test, train, k=k, system_prompt=system, seed=p.seed, **asking
        )
        losses = []
    else:
        noise = read_examples(at.noise)
        drawn = {example.id for example in noise} if answerer.has_rules else set()
        sets = {
            "": test + read_examples(at.transfer),
            "reworded": read_examples(at.reworded),
            "noise": noise,
            FREE: [example for example in test if example.id in drawn],
        }
        answers, shown = ask(answerer, own_questions(answerer, sets, system), **asking), {}
        losses = reference_losses(answerer, test, system, name=name)
    write_jsonl(at.predictions, answers.own)
    write_jsonl(at.changed, answers.changed)
    write_jsonl(at.references, losses)
    found = summary(answerer, answers, n_alone=p.latency_prompts) | shown
    write_metrics(at.metrics, at.costs, found)
    answers.journal.remove()
    return f"{found['answers']} answers in {answerer.compute_dtype}"


if __name__ == "__main__":
    adapter.run(main)
