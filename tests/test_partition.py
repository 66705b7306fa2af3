from dataclasses import replace

import numpy as np
import pytest
from test_chronology import dated
from test_splits import assign, corpus

from finllm.instruct import partition

LIMITS = {"train": 0, "val": 8, "test": 12, "transfer": 0}


def cut(examples, embargo=None):
    split_of = assign(examples, sectors=("Health",))
    reasons = partition.left_out(
        examples, {}, split_of, transfer_source="none", embargo_quarters=embargo
    )
    rng = np.random.default_rng(3)
    sets = partition.capped_sets(examples, split_of, reasons, limits=LIMITS, rng=rng)
    return sets, partition.rejected(examples, sets, split_of, reasons)


@pytest.mark.parametrize("embargo", [None, 1])
def test_every_example_is_in_one_set_or_a_reject_with_its_reason(embargo):
    examples = dated()
    sets, rejects = cut(examples, embargo)
    ids = [e.id for rows in sets.values() for e in rows] + [r.id for r in rejects]
    assert sorted(ids) == sorted(e.id for e in examples)
    counts = partition.counted(rejects)
    assert counts["over_cap"] + counts["out_of_time"] == len(rejects) > 0
    assert (counts["out_of_time"] > 0) == (embargo is not None)


def test_what_was_read_is_kept_or_rejected_and_copies_are_no_examples_read():
    examples = corpus()
    sets, rejects = cut(examples)
    audit = gate(sets)
    sets["train"] += [replace(e, id=f"{e.id}:augmented") for e in sets["train"][:3]]
    found = partition.described(sets, rejects, audit, n_augmented=3, n_reworded=2)
    assert found["examples_read"] == len(examples) == found["kept"] + len(rejects)
    assert (found["augmented"], found["reworded"]) == (3, 2)
    assert found["sets"]["train"]["examples"] == len(sets["train"])
    assert found["audit"]["shared_companies"] == 0


def test_a_template_that_is_not_trained_on_stays_in_the_test_set():
    examples = corpus()
    split_of = assign(examples, sectors=("Health",))
    templates = sorted({e.template for e in examples})
    assert len(templates) > 1
    reasons = partition.left_out(
        examples, {}, split_of, transfer_source="none", embargo_quarters=None,
        train_templates=templates[:1],
    )  # fmt: skip
    no_limits = dict.fromkeys(LIMITS, 0)
    rng = np.random.default_rng(3)
    sets = partition.capped_sets(examples, split_of, reasons, limits=no_limits, rng=rng)
    for name, rows in sets.items():
        expected = templates[:1] if name in ("train", "val") else templates
        assert sorted({e.template for e in rows}) == expected
    rejects = partition.rejected(examples, sets, split_of, reasons)
    assert {(r.reason, r.detail) for r in rejects} == {
        ("held_out_template", "train"), ("held_out_template", "val"),
    }  # fmt: skip
    assert sum(map(len, sets.values())) + len(rejects) == len(examples)


def test_drawn_ids_are_within_the_limit_and_none_for_no_limit():
    examples, rng = corpus(), np.random.default_rng(3)
    assert len(partition.drawn(examples, 5, rng) & {e.id for e in examples}) == 5
    assert partition.drawn(examples, 0, rng) == set()


def test_a_limit_is_kept_and_none_keeps_all():
    sets, rejects = cut(corpus())
    assert len(sets["val"]) == 8 and len(sets["test"]) == 12
    assert {r.reason for r in rejects} == {"over_cap"}
    assert {r.detail for r in rejects} <= {"val", "test"}


def gate(sets, embargo=None):
    rows = [e for rows in sets.values() for e in rows]
    return partition.gate(
        sets, {}, lambda ids: (e for e in rows if e.id in ids), embargo_quarters=embargo
    )


def test_the_gate_lets_disjoint_sets_pass_and_stops_a_shared_company():
    sets, _ = cut(corpus())
    assert gate(sets).leaks == 0
    planted = replace(sets["test"][0], company=sets["train"][0].company)
    with pytest.raises(ValueError, match="leak into each other: Audit.shared_companies=1"):
        gate(sets | {"test": [planted, *sets["test"][1:]]})


def test_the_gate_stops_a_test_that_is_not_later_than_training():
    sets, _ = cut(dated(), embargo=1)
    assert gate(sets, embargo=1).leaks == 0
    early = replace(sets["test"][0], period="2020Q1")
    with pytest.raises(ValueError, match="1 test examples are too early"):
        gate(sets | {"test": [early, *sets["test"][1:]]}, embargo=1)
