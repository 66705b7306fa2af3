"""Transcripts to instruction examples within the token budget, in exact shares."""

import dataclasses
from collections import Counter
from collections.abc import Iterator

import numpy as np
from tqdm import tqdm

from finllm.corpus.lexicon import load_lexicon
from finllm.instruct import chat
from finllm.instruct.examples import Budget, candidates, choose_by_source
from finllm.instruct.reference_audit import audit_references
from finllm.model.tokenizer import load_tokenizer
from finllm.model.weights import model_folder
from finllm.records import Example, Reject, read_jsonl, read_transcripts, write_json, write_jsonl
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
    n_calls = sum(1 for _ in read_jsonl(at.kept))

    def drafted() -> Iterator[Example]:
        calls = tqdm(read_transcripts(at.kept), total=n_calls, desc="templatize", unit="call")
        for call in calls:
            for draft in candidates(
                call, lexicon=lexicon, budget=budget, paraphrases=p.paraphrases, rng=rng
            ):
                if isinstance(draft, Reject):
                    rejects.append(draft)
                else:
                    yield draft

    drafts = at.examples.with_suffix(".tmp")
    write_jsonl(drafts, drafted())
    rows = [(row["template"], row["id"], row["source"]) for row in read_jsonl(drafts)]
    chosen, quotas = choose_by_source(
        rows,
        weights=dataclasses.asdict(p.weights),
        max_examples=p.max_examples,
        transfer_source=params.data.transfer_source,
        rng=np.random.default_rng((p.seed, 1)),  # a second source must not change the choice
    )
    rejects += [Reject(key, "", 0, "over_quota", "") for _, key, _ in rows if key not in chosen]
    shape: Counter[str] = Counter()
    provenances: Counter[str] = Counter()

    def kept() -> Iterator[Example]:
        for row in read_jsonl(drafts):
            if row["id"] in chosen:
                example = Example(**row)
                provenances[example.provenance] += 1
                shape.update(prompt=example.n_prompt_tokens, answer=example.n_answer_tokens)
                n_tokens = example.n_prompt_tokens + example.n_answer_tokens
                shape["longest"] = max(shape["longest"], n_tokens)
                yield example

    n_examples = write_jsonl(at.examples, kept())
    drafts.unlink()
    write_jsonl(at.rejects, rejects)
    examples = (Example(**row) for row in read_jsonl(at.examples))
    write_json(
        at.metrics,
        {
            "candidates": len(rows) + sum(r.reason != "over_quota" for r in rejects),
            "examples": n_examples,
            "examples_by_template": quotas,
            "share_by_template": {name: n / n_examples for name, n in quotas.items()},
            "examples_by_provenance": dict(provenances),
            "rejected_by_reason": dict(Counter(r.reason for r in rejects)),
            "mean_prompt_tokens": shape["prompt"] / n_examples,
            "mean_answer_tokens": shape["answer"] / n_examples,
            "max_tokens": shape["longest"],
            "references": audit_references(examples, read_transcripts(at.kept)),
        },
    )
    print(f"templatize: {n_examples} examples")


if __name__ == "__main__":
    adapter.run(main)
