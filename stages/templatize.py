"""Transcripts to instruction examples within the token budget, in exact shares."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import partial
from itertools import islice

import numpy as np
from tqdm import tqdm

from finllm.corpus.parallel import map_batches, n_cores
from finllm.instruct.drafting import Key, drafter, token_budget
from finllm.instruct.examples import choose_by_source
from finllm.instruct.reference_audit import auditor, shares
from finllm.model.weights import model_folder
from finllm.records import Line, Reject, read_lines, write_json, write_jsonl, write_lines
from stages import adapter


def main() -> None:
    """Draft every candidate to disk, choose by quota, keep the chosen, audit their references."""
    at = adapter.paths("kept", "examples", "rejects", "metrics")
    params = adapter.params()
    p, m = params.templatize, params.model
    budget = partial(
        token_budget,
        model_folder(m.name, gguf_package=m.gguf_package, gguf_file=m.gguf_file),
        revision=m.revision,
        system_prompt=p.system_prompt,
        max_tokens=p.max_tokens,
        max_answer_tokens=p.max_answer_tokens,
    )
    draft = partial(
        drafter,
        budget=budget,
        lexicon=params.filter.lexicon,
        paraphrases=p.paraphrases,
        seed=p.seed,
    )
    keys: list[Key] = []
    rejects: list[Reject] = []
    n_calls = sum(1 for _ in read_lines(at.kept))

    def drafted() -> Iterator[str]:
        calls = tqdm(
            read_lines(at.kept), total=n_calls, desc="templatize", unit="call", disable=None
        )
        for drafts in map_batches(draft, calls, n_workers=n_cores()):
            keys.extend(drafts.keys)
            rejects.extend(drafts.rejects)
            yield from drafts.lines

    drafts = at.examples.with_suffix(".tmp")
    write_lines(drafts, drafted())
    chosen, quotas = choose_by_source(
        [(key.template, key.id, key.source) for key in keys],
        weights=dataclasses.asdict(p.weights),
        max_examples=p.max_examples,
        transfer_source=params.data.transfer_source,
        rng=np.random.default_rng((p.seed, 1)),  # a second source must not change the choice
    )
    rejects += [Reject(key.id, "", 0, "over_quota", "") for key in keys if key.id not in chosen]
    lines = zip(keys, read_lines(drafts), strict=True)
    n_examples = write_lines(
        at.examples, (line.text.rstrip("\n") for key, line in lines if key.id in chosen)
    )
    drafts.unlink()
    write_jsonl(at.rejects, rejects)
    kept = [key for key in keys if key.id in chosen]
    n_of_call = Counter(key.call for key in kept)

    def with_examples() -> Iterator[tuple[Line, list[Line]]]:
        examples = read_lines(at.examples)
        for call in read_lines(at.kept):
            if n := n_of_call[call.number]:
                yield call, list(islice(examples, n))

    totals: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for found in map_batches(auditor, with_examples(), n_workers=n_cores()):
        for template, counts in found.items():
            totals[template].update(counts)
    write_json(
        at.metrics,
        {
            "candidates": len(kept) + len(rejects),
            "examples": n_examples,
            "examples_by_template": quotas,
            "share_by_template": {name: n / n_examples for name, n in quotas.items()},
            "examples_by_provenance": dict(Counter(key.provenance for key in kept)),
            "rejected_by_reason": dict(Counter(r.reason for r in rejects)),
            "mean_prompt_tokens": sum(key.n_prompt_tokens for key in kept) / n_examples,
            "mean_answer_tokens": sum(key.n_answer_tokens for key in kept) / n_examples,
            "max_tokens": max(key.n_prompt_tokens + key.n_answer_tokens for key in kept),
            "references": shares(totals),
        },
    )
    print(f"templatize: {n_examples} examples")


if __name__ == "__main__":
    adapter.run(main)
