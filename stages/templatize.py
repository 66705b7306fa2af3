"""Turn transcripts into instruction examples within the token budget, in exact shares."""

from dataclasses import asdict
from functools import partial

import numpy as np

from finllm.instruct import choosing
from finllm.instruct.drafting import budget_maker, drafter
from finllm.instruct.examples import choose_by_source
from finllm.instruct.reference_audit import auditor
from finllm.records import read_lines, write_json, write_jsonl, write_lines
from finllm.runtime import screen
from finllm.runtime.parallel import map_batches, n_cores
from stages import adapter


def main() -> str:
    """Write all candidates to disk, choose by quota, keep the chosen, audit their references."""
    at = adapter.paths("kept", "examples", "rejects", "metrics")
    params = adapter.params()
    p, weights = params.templatize, asdict(params.templatize.weights)
    how = {"n_workers": n_cores(), "engine": params.execution.engine}
    draft = partial(
        drafter,
        budget=budget_maker(params.model, p),
        lexicon=params.filter.lexicon,
        paraphrases=p.paraphrases,
        seed=p.seed,
    )
    n_calls = sum(1 for _ in read_lines(at.kept))
    calls = screen.Bar(read_lines(at.kept), total=n_calls, desc="templatize", unit="call")
    drafts = at.examples.with_suffix(".tmp")
    found = choosing.Candidates()
    write_lines(drafts, found.lines(map_batches(draft, calls, **how)))
    try:
        chosen, quotas = choose_by_source(
            found.labels(),
            weights=weights,
            max_examples=p.max_examples,
            transfer_source=params.data.transfer_source,
            rng=np.random.default_rng((p.seed, 1)),  # a second source must not change the choice
        )
    except ValueError as error:
        write_jsonl(at.rejects, found.rejects)
        reasons = adapter.reasons(found.rejects)
        raise ValueError(f"{error}. Left out were{reasons}, see {at.rejects}") from None
    keys, lines = found.choose(chosen, read_lines(drafts))
    n_examples = write_lines(at.examples, lines)
    drafts.unlink()
    write_jsonl(at.rejects, found.rejects)
    pairs = choosing.with_examples(keys, read_lines(at.kept), read_lines(at.examples))
    audit = choosing.audited(map_batches(auditor, pairs, **how))
    write_json(at.metrics, choosing.described(keys, found.rejects, quotas) | {"references": audit})
    limit = choosing.limit(found.labels(), weights, p.max_examples)
    reasons = adapter.reasons(found.rejects).replace("over_quota", f"over_quota: {limit}")
    return f"{n_examples} examples, {len(found.rejects)} left out{reasons}"


if __name__ == "__main__":
    adapter.run(main)
