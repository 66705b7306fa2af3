"""One model's answer to every test and transfer example."""

import time

from tqdm import tqdm

from finllm.instruct import chat
from finllm.model.memory import peak_memory_gb
from finllm.model.weights import checkpoint_root
from finllm.records import Prediction, read_examples, write_json, write_jsonl
from finllm.scoring.predicting import load_answerer
from stages import adapter


def main() -> None:
    """Load the model (with the adapter, where it is the tuned one), decode, write."""
    at = adapter.paths("test", "transfer", "weights", "predictions", "metrics")
    params = adapter.params()
    p, name = params.predict, at.predictions.stem
    answerer = load_answerer(
        params.model,
        weights=at.weights,
        quantization=p.quantization,
        max_new_tokens=p.max_new_tokens,
        batch_size=p.batch_size,
    )
    examples = read_examples(at.test) + read_examples(at.transfer)
    system, tokenizer = params.templatize.system_prompt, answerer.tokenizer
    prompts = [chat.render_example(tokenizer, example, system) for example in examples]
    ids = [chat.encode_prompt(tokenizer, prompt) for prompt in prompts]
    journal = answerer.journal(checkpoint_root(), prompts)
    n_before = len(journal.read())
    started = time.perf_counter()
    answers = answerer.answer(ids, journal)
    bar = tqdm(answers, total=len(ids), desc=f"predict {name}", unit="answer", disable=None)
    predictions = [
        Prediction(
            example_id=examples[answer.index].id,
            model=name,
            text=answerer.text(answer),
            prompt_sha256=chat.prompt_sha256(prompts[answer.index]),
            n_prompt_tokens=len(ids[answer.index]),
            n_new_tokens=len(answer.ids),
            hit_limit=answer.hit_limit,
            decoding=answerer.decoding,
            weights_sha256=answerer.weights_sha256,
        )
        for answer in sorted(bar, key=lambda answer: answer.index)
    ]
    seconds = time.perf_counter() - started
    write_jsonl(at.predictions, predictions)
    n_new = sum(prediction.n_new_tokens for prediction in predictions)
    write_json(
        at.metrics,
        {
            "answers": len(predictions),
            "empty": sum(not prediction.text for prediction in predictions),
            "hit_limit_share": sum(x.hit_limit for x in predictions) / len(predictions),
            "mean_new_tokens": n_new / len(predictions),
            "weights_sha256": answerer.weights_sha256,
            "decoding": {"strategy": "greedy", "batch_size": p.batch_size},
            "cost": {
                "answers_before_a_kill": n_before,
                "seconds": seconds,
                "new_tokens_per_second": n_new / seconds,
                "prompt_tokens_per_second": sum(map(len, ids)) / seconds,
                "peak_memory_gb": peak_memory_gb(),
            },
        },
    )
    journal.remove()
    print(f"predict {name}: {len(predictions)} answers, {n_new / seconds:.0f} new tokens/s")


if __name__ == "__main__":
    adapter.run(main)
