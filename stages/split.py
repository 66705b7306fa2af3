"""Examples to train, validation, test and transfer sets; fails on any leak."""

from itertools import chain

import numpy as np

from finllm.instruct import partition, splits
from finllm.instruct.augment import augment
from finllm.instruct.robustness import reworded
from finllm.records import ExampleFile, read_json, to_json, write_json, write_jsonl, write_lines
from stages import adapter


def main() -> str:
    """Assign companies, cut in time where asked for, cap, audit, write; the texts stay on disk."""
    at = adapter.paths("examples", "groups", "folder", "metrics")
    params = adapter.params()
    p, transfer_source = params.split, params.data.transfer_source
    embargo = p.embargo_quarters if p.mode == "chronological" else None
    file = ExampleFile(at.examples)
    groups = read_json(at.groups)
    rng = np.random.default_rng(p.seed)
    split_of = splits.assign_companies(
        file.keys,
        groups=groups,
        val_share=p.val_share,
        test_share=p.test_share,
        transfer_sectors=p.transfer_sectors,
        rng=rng,
        transfer_source=transfer_source,
        fold=p.fold,
        n_folds=p.n_folds,
    )
    reasons = partition.left_out(
        file.keys,
        groups,
        split_of,
        transfer_source=transfer_source,
        embargo_quarters=embargo,
        transfer_sectors=p.transfer_sectors,
    )
    limits = {
        "train": p.max_train_examples,
        "val": p.max_val_examples,
        "test": p.max_test_examples,
        "transfer": p.max_transfer_examples,
    }
    sets = partition.capped_sets(file.keys, split_of, reasons, limits=limits, rng=rng)
    audit = partition.gate(sets, groups, file.examples, embargo_quarters=embargo)
    splits.check_test_companies(
        sets,
        p.min_test_companies,
        val_share=p.val_share,
        test_share=p.test_share,
        n_folds=p.n_folds,
    )
    rejects = partition.rejected(file.keys, sets, split_of, reasons)
    ids = {name: {e.id for e in rows} for name, rows in sets.items()}
    copies = augment(sets["train"], share=p.augment_share, rng=rng, texts=file.examples)
    sets["train"] += copies
    for name in sets:
        added = map(to_json, copies if name == "train" else ())
        write_lines(at.folder / f"{name}.jsonl", chain(file.lines(ids[name]), added))
    asked_again = reworded(
        file.examples(partition.drawn(sets["test"], p.max_reworded_examples, rng))
    )
    write_jsonl(at.folder / "test_reworded.jsonl", asked_again)
    write_jsonl(at.folder / "rejects.jsonl", rejects)
    metrics = partition.described(
        sets, rejects, audit, n_augmented=len(copies), n_reworded=len(asked_again)
    )
    write_json(at.metrics, metrics)
    found = ", ".join(f"{name} {len(rows)}" for name, rows in sets.items())
    return f"{found}, {len(rejects)} left out{adapter.reasons(rejects)}"


if __name__ == "__main__":
    adapter.run(main)
