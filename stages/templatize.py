"""Transcripts to instruction examples within the token budget, in exact shares."""

import dataclasses
from collections import Counter
from collections.abc import Iterator

import numpy as np
from tqdm import tqdm

from finllm.corpus.lexicon import load_lexicon
from finllm.instruct import chat
from finllm.instruct.examples import Budget, candidates, choose
from finllm.model.tokenizer import load_tokenizer
from finllm.model.weights import model_folder
from finllm.records import Example, Reject, read_examples, read_transcripts, write_json, write_jsonl
from stages import adapter


def main() -> None:
    """Draft every candidate to disk, choose by quota, keep the chosen."""
    at = adapter.paths("kept", "examples", "rejects", "metrics")
    params = adapter.params()
    p, m = params.templatize, params.model
    folder = model_folder(m.name, gguf_package=m.gguf_package, gguf_file=m.gguf_file)
    tokenizer = load_tokenizer(folder, revision=m.revision)

    def count_tokens(texts: list[str]) -> list[int]:
        rows = tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
        return [len(row) for row in rows]

    def count_prompt(instruction: str, excerpt: str) -> int:
        prompt = chat.render_prompt(
            tokenizer, system_prompt=p.system_prompt, instruction=instruction, excerpt=excerpt
        )
        return len(chat.encode_prompt(tokenizer, prompt))

    budget = Budget(count_tokens, count_prompt, p.max_tokens, p.max_answer_tokens)
    lexicon = load_lexicon(params.filter.lexicon)
    rng = np.random.default_rng(p.seed)
    rejects: list[Reject] = []

    def drafted() -> Iterator[Example]:
        for call in tqdm(list(read_transcripts(at.kept)), desc="templatize", unit="call"):
            for draft in candidates(call, lexicon=lexicon, budget=budget, rng=rng):
                if isinstance(draft, Reject):
                    rejects.append(draft)
                else:
                    yield draft

    write_jsonl(at.examples, drafted())
    keys = [(example.template, example.id) for example in read_examples(at.examples)]
    chosen, quotas = choose(
        keys, weights=dataclasses.asdict(p.weights), max_examples=p.max_examples, rng=rng
    )
    rejects += [Reject(key, "", 0, "over_quota", "") for _, key in keys if key not in chosen]
    examples = [example for example in read_examples(at.examples) if example.id in chosen]
    write_jsonl(at.examples, examples)
    write_jsonl(at.rejects, rejects)
    write_json(
        at.metrics,
        {
            "candidates": len(keys) + sum(r.reason != "over_quota" for r in rejects),
            "examples": len(examples),
            "examples_by_template": quotas,
            "share_by_template": {name: n / len(examples) for name, n in quotas.items()},
            "examples_by_provenance": dict(Counter(e.provenance for e in examples)),
            "rejected_by_reason": dict(Counter(r.reason for r in rejects)),
            "mean_prompt_tokens": sum(e.n_prompt_tokens for e in examples) / len(examples),
            "mean_answer_tokens": sum(e.n_answer_tokens for e in examples) / len(examples),
            "max_tokens": max(e.n_prompt_tokens + e.n_answer_tokens for e in examples),
        },
    )
    print(f"templatize: {len(examples)} examples")


if __name__ == "__main__":
    adapter.run(main)
