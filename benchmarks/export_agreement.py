"""Why the merged model's answers differ from the adapter's: bfloat16 rounding or the merge.

The same decoder answers the same prompts greedily with the adapter on the frozen weights and with
the merged model, in bfloat16 and in float32. If the merge were wrong, the answers would also differ
in float32, and where the model is confident. The stage predict runs the merged model in bfloat16,
so that is the model that is exported (finllm/commands/export/export_model.py).

    python -m benchmarks.export_agreement --prompts 20
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
from pathlib import Path

import torch

from finllm.answering.generate import greedy_batch
from finllm.instruct import chat
from finllm.model.adapter import with_adapter
from finllm.model.export_formats import greedy_agreement, leads
from finllm.model.loading import load_base
from finllm.model.tokenizer import load_tokenizer
from finllm.model.weights import base_folder
from finllm.records import read_examples
from finllm.settings.params import load_params


def compare(dtype: str, n_prompts: int, adapter: Path, examples: Path) -> dict[str, object]:
    """Compare greedy answers of the adapter and the merged model in one compute type."""
    params = load_params(Path("params.yaml"))
    m, p = params.model, params.predict
    folder = base_folder(m)
    tokenizer = load_tokenizer(folder, revision=m.revision)
    prompts = [
        chat.encode_prompt(
            tokenizer, chat.render_example(tokenizer, row, params.templatize.system_prompt)
        )
        for row in read_examples(examples)[:n_prompts]
    ]
    stop_ids = chat.stop_ids(tokenizer)

    def model(merge: bool) -> torch.nn.Module:
        base = load_base(
            folder,
            revision=m.revision,
            quantization="none",
            double_quantization=False,
            compute_dtype=dtype,
            attention_kernel="matmul",
        ).eval()
        return with_adapter(base, adapter, merge=merge).eval()

    def answered(one: torch.nn.Module) -> list[list[int]]:
        with torch.no_grad():
            found = greedy_batch(
                one,
                prompts,
                max_new_tokens=p.max_new_tokens,
                stop_ids=stop_ids,
                pad_id=tokenizer.pad_token_id,
            )
            return [answer.ids for answer in sorted(found, key=lambda answer: answer.index)]

    beside, merged = model(False), model(True)
    ours, theirs = answered(merged), answered(beside)
    lead, usual = leads(merged, prompts, ours, theirs, stop_id=min(stop_ids))
    ids = torch.tensor([[*prompts[0], *ours[0]]])
    with torch.no_grad():
        difference = (merged(ids).logits - beside(ids).logits).float().abs()
    return {
        "compute_dtype": dtype,
        **dataclasses.asdict(greedy_agreement(ours, theirs)),
        "lead_at_differences": sorted(lead),
        "usual_lead": usual,
        "mean_difference_of_logits": float(difference.mean()),
        "largest_difference_of_logits": float(difference.max()),
    }


def main() -> None:
    """Compare in both types and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, default=20)
    parser.add_argument("--adapter", type=Path, default=Path("models/adapter"))
    parser.add_argument("--examples", type=Path, default=Path("data/split/test.jsonl"))
    flags = parser.parse_args()
    rows = [
        compare(dtype, flags.prompts, flags.adapter, flags.examples)
        for dtype in ("bfloat16", "float32")
    ]
    print(f"{'type':<10}{'same':>6}{'lead where they part':>22}{'usual':>7}{'|logits|':>10}")
    for row in rows:
        parted = row["lead_at_differences"]
        middle = f"{statistics.median(parted):.3f} (median)" if parted else "-"
        print(
            f"{row['compute_dtype']:<10}{row['exact_share']:>6.0%}{middle:>22}"
            f"{row['usual_lead']:>7.2f}{row['mean_difference_of_logits']:>10.5f}"
        )
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
