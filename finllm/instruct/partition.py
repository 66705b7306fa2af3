"""Divide the examples into sets: leave some out, assign the others, and check for leaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from finllm.instruct import chronology, splits
from finllm.records import Example, ExampleFile, Reject
from finllm.settings.params import Split

Sets = dict[str, list[Example]]


@dataclass(frozen=True)
class Partition:
    """The sets by name, the examples that are in none, and the audit of what the sets share."""

    sets: Sets
    rejects: list[Reject]
    audit: splits.Audit


def parted(
    file: ExampleFile,
    groups: Mapping[str, str],
    p: Split,
    *,
    transfer_source: str,
    rng: np.random.Generator,
) -> Partition:
    """Divide a file of examples into sets by section ``split`` of params.yaml; no text is kept.

    Raises
    ------
    ValueError
        If a set would be too small for the statistics, or two sets leak into each other.
    """
    embargo = p.embargo_quarters if p.mode == "chronological" else None
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
    reasons = left_out(
        file.keys,
        groups,
        split_of,
        transfer_source=transfer_source,
        embargo_quarters=embargo,
        transfer_sectors=p.transfer_sectors,
        train_templates=p.train_templates,
    )
    limits = {
        "train": p.max_train_examples,
        "val": p.max_val_examples,
        "test": p.max_test_examples,
        "transfer": p.max_transfer_examples,
    }
    sets = capped_sets(file.keys, split_of, reasons, limits=limits, rng=rng)
    audit = gate(sets, groups, file.examples, embargo_quarters=embargo)
    splits.check_test_companies(
        sets,
        p.min_test_companies,
        val_share=p.val_share,
        test_share=p.test_share,
        n_folds=p.n_folds,
    )
    return Partition(sets, rejected(file.keys, sets, split_of, reasons), audit)


def left_out(
    examples: Sequence[Example],
    groups: Mapping[str, str],
    split_of: Mapping[str, str],
    *,
    transfer_source: str,
    embargo_quarters: int | None,
    transfer_sectors: Sequence[str] = (),
    train_templates: Sequence[str] = (),
) -> dict[str, str]:
    """Return the reasons, by example id, why examples can be in no set.

    Parameters
    ----------
    embargo_quarters
        None if the split is not by time.
    train_templates
        Templates of the training and validation sets; empty for all.
    """
    reasons = splits.shared_with_source(
        examples, groups, transfer_source=transfer_source, transfer_sectors=transfer_sectors
    )
    if train_templates:
        reasons |= held_out(examples, split_of, train_templates)
    if embargo_quarters is None:
        return reasons
    cutoff = chronology.choose_cutoff(examples, split_of, embargo_quarters=embargo_quarters)
    return reasons | chronology.out_of_time(
        examples, split_of, cutoff=cutoff, embargo_quarters=embargo_quarters
    )


def held_out(
    examples: Sequence[Example], split_of: Mapping[str, str], train_templates: Sequence[str]
) -> dict[str, str]:
    """Return the reason, by id, for training and validation examples of held-out templates."""
    return {
        example.id: "held_out_template"
        for example in examples
        if split_of[example.company] in ("train", "val") and example.template not in train_templates
    }


def capped_sets(
    examples: Sequence[Example],
    split_of: Mapping[str, str],
    reasons: Mapping[str, str],
    *,
    limits: Mapping[str, int],
    rng: np.random.Generator,
) -> Sets:
    """Return the sets by name, each with at most its limit of examples (0 is no limit)."""
    return {
        name: splits.cap(
            [e for e in examples if split_of[e.company] == name and e.id not in reasons], limit, rng
        )
        for name, limit in limits.items()
    }


def gate(
    sets: Sets,
    groups: Mapping[str, str],
    texts: Callable[[set[str]], Iterable[Example]],
    *,
    embargo_quarters: int | None,
) -> splits.Audit:
    """Return the audit of what the sets share; all counts are zero, except for contamination.

    Parameters
    ----------
    texts
        Returns the examples with these ids and their texts, as often as called.

    Raises
    ------
    ValueError
        If two sets share a company, a call or a near-duplicate, or a test call is not late enough.
    """
    audit = splits.audit(sets, groups, lambda name: texts({e.id for e in sets[name]}))
    n_early = 0
    if embargo_quarters is not None:
        n_early = chronology.n_too_early(sets, embargo_quarters=embargo_quarters)
    if audit.leaks or n_early:
        raise ValueError(
            f"the sets leak into each other: {audit}, {n_early} test examples are too early"
        )
    return audit


def rejected(
    examples: Sequence[Example],
    sets: Sets,
    split_of: Mapping[str, str],
    reasons: Mapping[str, str],
) -> list[Reject]:
    """Return the examples in no set, each with its reason."""
    kept = {e.id for rows in sets.values() for e in rows}
    return [
        Reject(e.id, "", 0, reasons.get(e.id, "over_cap"), split_of[e.company])
        for e in examples
        if e.id not in kept
    ]


def drawn(rows: Sequence[Example], limit: int, rng: np.random.Generator) -> set[str]:
    """Return the ids of up to ``limit`` examples of a set (0 is none), drawn by ``splits.cap``."""
    return {example.id for example in splits.cap(rows, limit, rng)} if limit else set()


def described(
    sets: Sets, rejects: Sequence[Reject], audit: splits.Audit, *, n_augmented: int, n_reworded: int
) -> dict[str, object]:
    """Return counts (read = kept + rejected), the sets with augmented copies, and the audit."""
    n_kept = sum(len(rows) for rows in sets.values()) - n_augmented
    return {
        "examples_read": n_kept + len(rejects),
        "kept": n_kept,
        "augmented": n_augmented,
        "reworded": n_reworded,
        "sets": {name: splits.describe(rows) for name, rows in sets.items()},
        "audit": asdict(audit),
        **counted(rejects),
    }


def counted(rejects: Sequence[Reject]) -> dict[str, object]:
    """Count the examples that are in no set, by reason."""
    return {
        "over_cap": sum(r.reason == "over_cap" for r in rejects),
        "out_of_time": sum(r.reason in chronology.REASONS for r in rejects),
        "rejected_by_reason": dict(Counter(r.reason for r in rejects)),
    }
