"""Split the examples into training, validation, test and transfer sets; fail on any leak."""

from itertools import chain

import numpy as np

from finllm.instruct import partition
from finllm.instruct.augment import augment
from finllm.instruct.disturbance import reworded
from finllm.records import ExampleFile, read_json, to_json, write_json, write_jsonl, write_lines
from stages import adapter


def main() -> str:
    """Assign companies to sets, split by time if set, cap, audit and write; texts stay on disk."""
    at = adapter.paths("examples", "groups", "folder", "metrics")
    params = adapter.params()
    p = params.split
    file, rng = ExampleFile(at.examples), np.random.default_rng(p.seed)
    found = partition.parted(
        file, read_json(at.groups), p, transfer_source=params.data.transfer_source, rng=rng
    )
    sets, rejects = found.sets, found.rejects
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
        sets, rejects, found.audit, n_augmented=len(copies), n_reworded=len(asked_again)
    )
    write_json(at.metrics, metrics)
    sizes = ", ".join(f"{name} {len(rows)}" for name, rows in sets.items())
    return f"{sizes}, {len(rejects)} left out{adapter.reasons(rejects)}"


if __name__ == "__main__":
    adapter.run(main)
