"""One model's answer to every test and transfer example."""

import time

from tqdm import tqdm

from finllm.instruct import chat
from finllm.model.adapter import with_adapter
from finllm.model.full import is_full
from finllm.model.loading import load_base
from finllm.model.memory import peak_memory_gb
from finllm.model.tokenizer import load_tokenizer
from finllm.model.weights import model_folder
from finllm.records import Prediction, read_examples, write_json, write_jsonl
from finllm.scoring.generate import greedy_batch, plan_batches
from stages import adapter


def main() -> None:
    """Load the model (with the adapter, where it is the tuned one), decode, write."""
    at = adapter.paths("test", "transfer", "weights", "predictions", "metrics")
    params = adapter.params()
    m, p = params.model, params.predict
    folder = model_folder(m.name, gguf_package=m.gguf_package, gguf_file=m.gguf_file)
    tokenizer = load_tokenizer(folder, revision=m.revision)
    full = is_full(at.weights)
    model = load_base(
        str(at.weights) if full else folder,
        revision="" if full else m.revision,
        quantization=p.quantization,
        double_quantization=m.double_quantization,
        compute_dtype=m.compute_dtype,
        attention_kernel="matmul",
    ).eval()
    name = at.predictions.stem
    if at.weights.is_dir() and not full:
        model = with_adapter(model, at.weights, merge=p.quantization == "none")
    examples = read_examples(at.test) + read_examples(at.transfer)
    prompts = [
        chat.render_prompt(
            tokenizer,
            system_prompt=params.templatize.system_prompt,
            instruction=example.instruction,
            excerpt=example.excerpt,
        )
        for example in examples
    ]
    ids = [chat.encode_prompt(tokenizer, prompt) for prompt in prompts]
    predictions: list[Prediction] = []
    started = time.perf_counter()
    with tqdm(total=len(ids), desc=f"predict {name}", unit="answer") as bar:
        for batch in plan_batches([len(row) for row in ids], p.batch_size):
            answers = greedy_batch(
                model,
                [ids[i] for i in batch],
                max_new_tokens=p.max_new_tokens,
                stop_ids=chat.stop_ids(tokenizer),
                pad_id=tokenizer.pad_token_id,
            )
            for answer in answers:
                i = batch[answer.index]
                predictions.append(
                    Prediction(
                        example_id=examples[i].id,
                        model=name,
                        text=tokenizer.decode(answer.ids, skip_special_tokens=True).strip(),
                        prompt_sha256=chat.prompt_sha256(prompts[i]),
                        n_prompt_tokens=len(ids[i]),
                        n_new_tokens=len(answer.ids),
                        hit_limit=answer.hit_limit,
                    )
                )
                bar.update()
    seconds = time.perf_counter() - started
    position = {example.id: i for i, example in enumerate(examples)}
    predictions.sort(key=lambda prediction: position[prediction.example_id])
    write_jsonl(at.predictions, predictions)
    n_new = sum(prediction.n_new_tokens for prediction in predictions)
    write_json(
        at.metrics,
        {
            "answers": len(predictions),
            "empty": sum(not prediction.text for prediction in predictions),
            "hit_limit_share": sum(x.hit_limit for x in predictions) / len(predictions),
            "mean_new_tokens": n_new / len(predictions),
            "decoding": {"strategy": "greedy", "batch_size": p.batch_size},
            "cost": {
                "seconds": seconds,
                "new_tokens_per_second": n_new / seconds,
                "prompt_tokens_per_second": sum(map(len, ids)) / seconds,
                "peak_memory_gb": peak_memory_gb(),
            },
        },
    )
    print(f"predict {name}: {len(predictions)} answers, {n_new / seconds:.0f} new tokens/s")


if __name__ == "__main__":
    adapter.run(main)
