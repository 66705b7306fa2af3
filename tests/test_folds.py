from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_splits import TEMPLATES, assign, corpus, sets_of

from finllm.instruct import folds, splits


def assign_fold(examples, fold, n_folds, *, seed=0, groups=None, sectors=()):
    return splits.assign_companies(
        examples,
        groups=groups or {},
        val_share=0.1,
        test_share=0.4,
        transfer_sectors=sectors,
        rng=np.random.default_rng(seed),
        fold=fold,
        n_folds=n_folds,
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(7, 30), st.integers(2, 5), st.integers(0, 99))  # two companies are one unit
def test_every_company_is_tested_in_exactly_one_fold(n_companies, n_folds, seed):
    examples = corpus(n_companies, n_calls=1)
    groups = {"c00-0": "g", "c03-0": "g"}
    tested = Counter()
    for fold in range(n_folds):
        split_of = assign_fold(examples, fold, n_folds, seed=seed, groups=groups)
        assert splits.audit(sets_of(examples, split_of), groups).leaks == 0
        assert set(split_of.values()) == {"train", "val", "test"}
        tested.update(company for company, name in split_of.items() if name == "test")
    assert tested == dict.fromkeys({e.company for e in examples}, 1)


def test_the_parts_are_alike_in_every_template_though_companies_are_not():
    examples = [  # a quarter of the companies has all of one template
        e
        for i, e in enumerate(corpus(40, n_calls=3))
        if e.template != "questions" or int(e.company[1:]) % 4 == 0
    ]
    units = splits.company_units(examples, {})
    for part in folds.deal(units, examples, 5):
        chosen = {company for unit in part for company in unit}
        share = Counter(e.template for e in examples if e.company in chosen)
        assert share["questions"] == 6 and share["completion"] == 24
    assert len(TEMPLATES) == 4


def test_a_sector_held_out_is_held_out_in_every_fold():
    for fold in range(3):
        split_of = assign_fold(corpus(), fold, 3, sectors=("Health",))
        assert sum(name == "transfer" for name in split_of.values()) == 7


def test_no_folds_is_the_split_as_it_always_was():
    assert assign_fold(corpus(), 0, 0) == assign(corpus())


def test_too_many_folds_and_a_fold_beyond_them_are_errors():
    with pytest.raises(ValueError, match="split.n_folds 5; need more companies"):
        assign_fold(corpus(4), 0, 5)
    with pytest.raises(ValueError, match="split.fold 5: must be in 0 to 4"):
        assign_fold(corpus(), 5, 5)
