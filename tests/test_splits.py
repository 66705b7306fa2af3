from collections import Counter
from dataclasses import asdict, replace

import numpy as np
import pytest
from conftest import make_example
from hypothesis import given
from hypothesis import strategies as st

from finllm.instruct import splits
from finllm.instruct.templates import apportion
from finllm.records import ExampleFile, to_json, write_jsonl

TEMPLATES = ("understanding", "completion", "summarization", "questions")


def corpus(n_companies=20, n_calls=2, sectors=("Energy", "Health", "Retail")):
    """Four examples of every call."""
    return [
        make_example(
            f"c{i:02}-{j}:{template}",
            transcript_id=f"c{i:02}-{j}",
            company=f"c{i:02}",
            sector=sectors[i % len(sectors)],
            template=template,
            answer=f"answer {i} {j} {template}",
        )
        for i in range(n_companies)
        for j in range(n_calls)
        for template in TEMPLATES
    ]


def assign(examples, *, groups=None, sectors=(), seed=0, val=0.1, test=0.4):
    return splits.assign_companies(
        examples,
        groups=groups or {},
        val_share=val,
        test_share=test,
        transfer_sectors=sectors,
        rng=np.random.default_rng(seed),
    )


def sets_of(examples, split_of):
    return {name: [e for e in examples if split_of[e.company] == name] for name in splits.SPLITS}


@given(st.integers(4, 40), st.integers(0, 999))
def test_no_company_call_or_duplicate_is_in_two_sets(n_companies, seed):
    examples = corpus(n_companies, n_calls=1)
    groups = {"c00-0": "g", f"c{n_companies // 2:02}-0": "g"}
    sets = sets_of(examples, assign(examples, groups=groups, seed=seed))
    audit = splits.audit(sets, groups)
    assert audit.leaks == 0
    assert sum(map(len, sets.values())) == len(examples)
    assert all(sets[name] for name in ("train", "val", "test"))


def test_shares_are_of_the_companies():
    found = Counter(assign(corpus(20)).values())
    assert found == {"train": 10, "val": 2, "test": 8}


def test_near_duplicates_join_their_companies_also_by_way_of_a_third():
    # c00 and c05 share group g; c05 and c09 share group h
    groups = {"c00-0": "g", "c05-0": "g", "c05-1": "h", "c09-1": "h"}
    units = splits.company_units(corpus(), groups)
    assert ["c00", "c05", "c09"] in units and len(units) == 18
    for seed in range(20):
        split_of = assign(corpus(), groups=groups, seed=seed)
        assert split_of["c00"] == split_of["c05"] == split_of["c09"]


def test_the_units_do_not_depend_on_the_order_of_the_examples():
    groups = {"c03-0": "g", "c11-0": "g"}
    assert splits.company_units(corpus(), groups) == splits.company_units(corpus()[::-1], groups)


def test_a_sector_held_out_is_in_the_transfer_set_and_nowhere_else():
    examples = corpus()
    split_of = assign(examples, sectors=("Health",))
    for example in examples:
        assert (split_of[example.company] == "transfer") == (example.sector == "Health")


def test_a_near_duplicate_of_a_held_out_company_is_held_out_too():
    groups = {"c00-0": "g", "c01-0": "g"}  # Energy and Health
    split_of = assign(corpus(), groups=groups, sectors=("Health",))
    assert split_of["c00"] == split_of["c01"] == "transfer"


def test_a_sector_that_does_not_occur_is_named_with_those_that_do():
    with pytest.raises(ValueError, match="'Helth'.*Energy, Health, Retail"):
        assign(corpus(), sectors=("Helth",))


def with_second_source():
    """The corpus, and of a second source the companies c00 and new, and a near-duplicate of c05."""
    second = [
        replace(example, id=f"x-{example.id}", transcript_id=f"x-{i}", company=company, source="b")
        for i, (company, example) in enumerate(
            zip(("c00", "new", "other"), corpus(3, 1)[::4], strict=True)
        )
    ]
    return corpus() + second, {"x-2": "g", "c05-0": "g"}


@pytest.mark.parametrize("seed", range(5))
def test_a_source_held_out_is_in_the_transfer_set_alone_and_what_it_shares_in_no_set(seed):
    examples, groups = with_second_source()
    split_of = splits.assign_companies(
        examples, groups=groups, val_share=0.1, test_share=0.4, transfer_sectors=(),
        transfer_source="b", rng=np.random.default_rng(seed),
    )  # fmt: skip
    out = splits.shared_with_source(examples, groups, transfer_source="b")
    assert {e.company for e in examples if e.id in out} == {"c00", "c05"}
    assert set(out.values()) == {"shared_with_transfer_source"} and len(out) == 16
    sets = sets_of([e for e in examples if e.id not in out], split_of)
    assert {e.source for e in sets.pop("transfer")} == {"b"}
    assert all(e.source != "b" for rows in sets.values() for e in rows)
    kept = sets | {"transfer": [e for e in examples if e.source == "b"]}
    assert splits.audit(kept, groups).leaks == 0
    assert sum(map(len, kept.values())) + len(out) == len(examples)


def test_companies_of_a_held_out_sector_stay_in_the_transfer_set_in_both_sources():
    examples, groups = with_second_source()
    sector = next(e.sector for e in examples if e.company == "c00" and e.source != "b")
    out = splits.shared_with_source(
        examples, groups, transfer_source="b", transfer_sectors=(sector,)
    )
    kept = {e.company for e in examples if e.source != "b" and e.id not in out}
    assert "c00" in kept
    assert all(e.sector != sector for e in examples if e.id in out)


def test_without_a_transfer_source_nothing_is_left_out():
    examples, groups = with_second_source()
    assert splits.shared_with_source(examples, groups, transfer_source="none") == {}


def test_a_transfer_source_without_examples_is_named():
    with pytest.raises(ValueError, match="data.transfer_source is 'c'"):
        splits.shared_with_source(corpus(), {}, transfer_source="c")


def test_one_seed_gives_one_split_and_another_seed_another():
    assert assign(corpus(), seed=1) == assign(corpus(), seed=1) != assign(corpus(), seed=2)


@pytest.mark.parametrize("n_companies", [1, 2])
def test_too_few_companies_are_an_error_that_names_the_shares(n_companies):
    with pytest.raises(ValueError, match="split.val_share 0.1 and split.test_share 0.4"):
        assign(corpus(n_companies))


def test_no_cap_keeps_everything():
    examples = corpus(4)
    assert splits.cap(examples, 0, np.random.default_rng(0)) == examples
    assert splits.cap(examples, 999, np.random.default_rng(0)) == examples


def test_a_cap_keeps_the_shares_of_the_templates_and_the_order():
    examples = [e for e in corpus(20) if e.template != "questions" or e.company < "c10"]
    kept = splits.cap(examples, 35, np.random.default_rng(0))
    assert Counter(e.template for e in kept) == dict(zip(TEMPLATES, (10, 10, 10, 5), strict=True))
    assert kept == [e for e in examples if e in kept]


@given(st.integers(1, 160), st.integers(0, 99))
def test_a_cap_spreads_over_as_many_companies_as_it_can(limit, seed):
    kept = splits.cap(corpus(20), limit, np.random.default_rng(seed))
    loads = Counter(e.company for e in kept)
    assert len(kept) == limit
    assert len(loads) == min(limit, 20)
    assert max(loads.values()) - min(loads.values()) <= len(TEMPLATES)


def clean_sets():
    rows = [
        make_example(f"{name}:x", transcript_id=name, company=name, answer=f"answer of {name}")
        for name in ("train", "val", "test", "transfer")
    ]
    return {row.company: [row] for row in rows}


def test_an_audit_of_clean_sets_finds_nothing():
    assert set(asdict(splits.audit(clean_sets(), {})).values()) == {0}


@pytest.mark.parametrize("pair", [("train", "test"), ("val", "test"), ("train", "transfer")])
@pytest.mark.parametrize("kind", ["company", "transcript", "group"])
def test_an_audit_finds_a_planted_leak_of_each_kind_between_any_two_sets(pair, kind):
    sets, groups = clean_sets(), {}
    one, other = pair
    if kind == "company":
        sets[other].append(make_example("new", transcript_id="new", company=one))
    elif kind == "transcript":
        sets[other].append(make_example("new", transcript_id=one, company="new"))
    else:
        groups = {one: "g", other: "g"}
    found = splits.audit(sets, groups)
    counts = {
        "company": found.shared_companies,
        "transcript": found.shared_transcripts,
        "group": found.shared_duplicate_groups,
    }
    assert found.leaks == 1 and counts[kind] == 1


def test_an_audit_measures_how_much_of_the_test_answers_training_has_seen():
    sets = clean_sets()
    said = " ".join(f"w{i}" for i in range(14))  # two 13-grams
    sets["train"] = [make_example("a", company="train", excerpt=f"So {said}", transcript_id="a")]
    sets["test"] = [make_example("b", company="test", answer=f"{said} x", transcript_id="b")]
    assert splits.audit(sets, {}).test_answer_contamination == pytest.approx(2 / 3)


def test_an_audit_measures_how_much_of_the_test_excerpts_training_has_seen():
    sets = clean_sets()
    said = " ".join(f"w{i}" for i in range(14))
    sets["train"] = [make_example("a", company="train", excerpt=said, transcript_id="a")]
    sets["test"] = [make_example("b", company="test", excerpt=f"{said} x", transcript_id="b")]
    assert splits.audit(sets, {}).test_excerpt_contamination == pytest.approx(2 / 3)


def first_of_the_least_served(examples, limit, rng):
    """``cap`` as one would write it first: quadratic, but plain."""
    by_template = {}
    for example in examples:
        by_template.setdefault(example.template, []).append(example)
    quotas = apportion(limit, {name: len(rows) for name, rows in by_template.items()})
    kept, load = set(), Counter()
    for name, rows in by_template.items():
        waiting = [rows[i] for i in rng.permutation(len(rows))]
        for _ in range(quotas[name]):
            example = min(waiting, key=lambda row: load[row.company])
            waiting.remove(example)
            load[example.company] += 1
            kept.add(example.id)
    return [example for example in examples if example.id in kept]


@given(st.integers(1, 100), st.integers(0, 99), st.integers(0, 3))
def test_a_cap_serves_the_least_served_company_first(limit, seed, gap):
    examples = [e for i, e in enumerate(corpus(13)) if i % 4 > gap or i % 3]
    limit = min(limit, len(examples) - 1)
    rng, other = np.random.default_rng(seed), np.random.default_rng(seed)
    expected = first_of_the_least_served(examples, limit, other)
    assert splits.cap(examples, limit, rng) == expected


@given(st.lists(st.lists(st.integers(0, 2), max_size=30), max_size=6), st.integers(1, 5))
def test_contamination_is_the_share_of_the_runs_that_training_has(texts, n_train):
    rows = [make_example(str(i), excerpt=" ".join(map(str, t))) for i, t in enumerate(texts)]
    sets = {"train": rows[:n_train], "test": rows[n_train:]}

    def runs(row):
        words = row.excerpt.split()
        return [tuple(words[i : i + 13]) for i in range(len(words) - 12)]

    seen = {run for row in sets["train"] for run in runs(row)}
    tested = [run for row in sets["test"] for run in runs(row)]
    expected = sum(run in seen for run in tested) / max(1, len(tested))
    found = splits.contamination(sets.__getitem__)["test_excerpt_contamination"]
    assert found == pytest.approx(expected)


def test_the_examples_on_disk_are_audited_as_those_in_memory(tmp_path):
    said = " ".join(f"w{i}" for i in range(20))
    rows = [replace(e, excerpt=f"{said} {e.company}") for e in corpus(6)]
    write_jsonl(tmp_path / "examples.jsonl", rows)
    file = ExampleFile(tmp_path / "examples.jsonl")
    assert file.keys == [replace(e, excerpt="", answer="") for e in rows]
    split_of = assign(rows)
    sets, keys = sets_of(rows, split_of), sets_of(file.keys, split_of)
    ids = {name: {e.id for e in found} for name, found in keys.items()}
    audit = splits.audit(keys, {}, lambda name: file.examples(ids[name]))
    assert audit == splits.audit(sets, {}) and audit.test_excerpt_contamination == 8 / 9
    assert list(file.lines(ids["test"])) == [to_json(e) for e in sets["test"]]
