"""Examples to train, validation, test and transfer sets; fails on any leak."""

import dataclasses
import json
from collections import Counter

import numpy as np

from finllm.instruct import chronology, splits
from finllm.instruct.augment import augment
from finllm.instruct.robustness import reworded
from finllm.records import Reject, read_examples, write_json, write_jsonl
from stages import adapter


def main() -> None:
    """Assign companies, cut in time where asked for, cap, audit, write."""
    at = adapter.paths("examples", "groups", "folder", "metrics")
    params = adapter.params()
    p, transfer_source = params.split, params.data.transfer_source
    examples = read_examples(at.examples)
    groups = json.loads(at.groups.read_text(encoding="utf-8"))
    rng = np.random.default_rng(p.seed)
    split_of = splits.assign_companies(
        examples,
        groups=groups,
        val_share=p.val_share,
        test_share=p.test_share,
        transfer_sectors=p.transfer_sectors,
        rng=rng,
        transfer_source=transfer_source,
        fold=p.fold,
        n_folds=p.n_folds,
    )
    reasons = splits.shared_with_source(examples, groups, transfer_source=transfer_source)
    if p.mode == "chronological":
        embargo = p.embargo_quarters
        cutoff = chronology.choose_cutoff(examples, split_of, embargo_quarters=embargo)
        reasons |= chronology.out_of_time(
            examples, split_of, cutoff=cutoff, embargo_quarters=embargo
        )
    caps = {
        "train": p.max_train_examples,
        "val": p.max_val_examples,
        "test": p.max_test_examples,
        "transfer": p.max_transfer_examples,
    }
    sets = {
        name: splits.cap(
            [e for e in examples if split_of[e.company] == name and e.id not in reasons], limit, rng
        )
        for name, limit in caps.items()
    }
    audit = splits.audit(sets, groups)
    n_early = (
        chronology.n_too_early(sets, embargo_quarters=p.embargo_quarters)
        if p.mode == "chronological"
        else 0
    )
    if audit.leaks or n_early:
        raise ValueError(f"the sets leak into each other: {audit}, {n_early} tested too early")
    splits.check_test_companies(sets, p.min_test_companies)
    kept = {e.id for rows in sets.values() for e in rows}
    rejects = [
        Reject(e.id, "", 0, reasons.get(e.id, "over_cap"), split_of[e.company])
        for e in examples
        if e.id not in kept
    ]
    copies = augment(sets["train"], share=p.augment_share, rng=rng)
    sets["train"] += copies
    for name, rows in sets.items():
        write_jsonl(at.folder / f"{name}.jsonl", rows)
    n_asked = p.max_reworded_examples
    asked_again = reworded(splits.cap(sets["test"], n_asked, rng) if n_asked else [])
    write_jsonl(at.folder / "test_reworded.jsonl", asked_again)
    write_jsonl(at.folder / "rejects.jsonl", rejects)
    write_json(
        at.metrics,
        {
            "examples_read": len(examples),
            "kept": len(kept),
            "augmented": len(copies),
            "reworded": len(asked_again),
            "over_cap": sum(r.reason == "over_cap" for r in rejects),
            "out_of_time": sum(r.reason in chronology.REASONS for r in rejects),
            "rejected_by_reason": dict(Counter(r.reason for r in rejects)),
            "sets": {name: splits.describe(rows) for name, rows in sets.items()},
            "audit": dataclasses.asdict(audit),
        },
    )
    print("split: " + ", ".join(f"{name} {len(rows)}" for name, rows in sets.items()))


if __name__ == "__main__":
    adapter.run(main)
