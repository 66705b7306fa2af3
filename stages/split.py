"""Examples to train, validation, test and transfer sets; fails on any leak."""

import dataclasses
import json
from collections import Counter

import numpy as np

from finllm.instruct import splits
from finllm.records import Reject, read_examples, write_json, write_jsonl
from stages import adapter


def main() -> None:
    """Assign companies, cap, audit, write."""
    at = adapter.paths("examples", "groups", "folder", "metrics")
    p = adapter.params().split
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
    )
    caps = {
        "train": p.max_train_examples,
        "val": p.max_val_examples,
        "test": p.max_test_examples,
        "transfer": p.max_transfer_examples,
    }
    sets = {
        name: splits.cap([e for e in examples if split_of[e.company] == name], caps[name], rng)
        for name in splits.SPLITS
    }
    audit = splits.audit(sets, groups)
    if audit.leaks:
        raise ValueError(f"the sets leak into each other: {audit}")
    n_companies = {name: len({e.company for e in rows}) for name, rows in sets.items()}
    if n_companies["test"] < p.min_test_companies:
        raise ValueError(
            f"the test set has {n_companies['test']} companies and split.min_test_companies is "
            f"{p.min_test_companies}: too few for statistics. Raise split.test_share, use a source "
            "with more companies, or lower split.min_test_companies (at least 2)"
        )
    kept = {e.id for rows in sets.values() for e in rows}
    capped = [e for e in examples if e.id not in kept]
    for name, rows in sets.items():
        write_jsonl(at.folder / f"{name}.jsonl", rows)
    write_jsonl(
        at.folder / "rejects.jsonl",
        (
            Reject(e.id, "", 0, "over_cap", split_of[e.company])
            for e in examples
            if e.id not in kept
        ),
    )
    counts = {
        name: {
            "examples": len(rows),
            "companies": n_companies[name],
            "transcripts": len({e.transcript_id for e in rows}),
            "examples_by_template": dict(Counter(e.template for e in rows)),
        }
        for name, rows in sets.items()
    }
    write_json(
        at.metrics,
        {
            "examples_read": len(examples),
            "kept": len(kept),
            "over_cap": len(capped),
            "sets": counts,
            "audit": dataclasses.asdict(audit),
        },
    )
    print("split: " + ", ".join(f"{name} {len(rows)}" for name, rows in sets.items()))


if __name__ == "__main__":
    adapter.run(main)
