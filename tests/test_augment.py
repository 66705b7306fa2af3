from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from conftest import make_example
from hypothesis import given, settings
from hypothesis import strategies as st

from finllm.corpus.notation import signature
from finllm.instruct import augment
from finllm.numbers import extract_quantities, match_quantities

NAMES = ["Norvale Industries", "Tarn Grid", "Oak Ltd"]
EXAMPLE = make_example(
    company="Norvale Industries",
    excerpt="Norvale Industries grew revenue 12% to $4.2 billion from $3.75 billion in 2021. "
    "Norvale paid a dividend of 56 cents and lost $1,310.5 million on 1,200 stores.",
    answer="Norvale: revenue up 12% to $4.2 billion.\nLoss $1.31 billion.",
)


def perturbed(example, seed=0):
    return augment.perturb(example, NAMES, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(12))
def test_the_answer_agrees_with_the_excerpt_exactly_where_it_did(seed):
    copy = perturbed(EXAMPLE, seed)
    if copy is None:
        return
    before, after = (
        match_quantities(extract_quantities(e.answer), extract_quantities(e.excerpt))
        for e in (EXAMPLE, copy)
    )
    assert before.pairs and after == before


def test_amounts_change_by_one_factor_and_nothing_else_does():
    copy = next(c for seed in range(12) if (c := perturbed(EXAMPLE, seed)))
    old, new = (
        [q for q in extract_quantities(e.excerpt) if q.kind == "money"] for e in (EXAMPLE, copy)
    )
    ratios = [b.value / a.value for a, b in zip(old, new, strict=True)]
    assert max(ratios) - min(ratios) < 0.02 and max(ratios) < 0.96
    others = [
        signature([q for q in extract_quantities(e.excerpt) if q.kind != "money"])
        for e in (EXAMPLE, copy)
    ]
    assert others[0] == others[1]


def test_the_company_is_renamed_in_excerpt_and_answer_alike_but_stays_in_its_cluster():
    copy = next(c for s in range(12) if (c := perturbed(EXAMPLE, s)) and "Norvale" not in c.excerpt)
    assert "Norvale" not in copy.answer and copy.company == EXAMPLE.company
    first = copy.answer.split(":")[0]
    assert copy.excerpt.startswith(first) and copy.excerpt.count(first) == 2
    assert copy.id == f"{EXAMPLE.id}:augmented"


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 10**6), st.integers(0, 3), st.integers(550, 950))
def test_a_scaled_amount_keeps_its_decimals_and_never_grows_longer(number, decimals, factor):
    text = f"revenue of ${number / 10**decimals:,.{decimals}f} million"
    new = augment.scale_money(text, Decimal(factor) / 1000)
    assert len(new) <= len(text)
    assert len(new.split(".")[-1]) == len(text.split(".")[-1]) or not decimals


def test_a_spelled_out_amount_that_cannot_be_scaled_with_the_others_leaves_no_copy():
    example = replace(EXAMPLE, excerpt="A dividend of fifty-six cents.", answer="Dividend $0.56.")
    assert perturbed(example) is None


def test_a_share_of_the_examples_is_copied_and_a_share_of_zero_none():
    rows = [replace(EXAMPLE, id=f"e{i}") for i in range(10)]
    copies = augment.augment(rows, share=0.5, rng=np.random.default_rng(0))
    assert 1 <= len(copies) <= 5 and len({c.id for c in copies}) == len(copies)
    assert augment.augment(rows, share=0.0, rng=np.random.default_rng(0)) == []


def test_examples_whose_texts_are_elsewhere_are_copied_alike():
    rows = [replace(EXAMPLE, id=f"e{i}") for i in range(10)]
    keys = [replace(row, excerpt="", answer="") for row in rows]
    found = augment.augment(
        keys,
        share=0.5,
        rng=np.random.default_rng(0),
        texts=lambda ids: (row for row in rows if row.id in ids),
    )
    assert found == augment.augment(rows, share=0.5, rng=np.random.default_rng(0))
