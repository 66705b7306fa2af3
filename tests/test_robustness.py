import re
from dataclasses import replace

import numpy as np
import pytest
from conftest import make_example
from hypothesis import given
from hypothesis import strategies as st

from finllm.instruct import disturbance as robustness
from finllm.instruct import templates
from finllm.numbers import extract_quantities

TEXT = (
    "Operator, thank you. Third-quarter revenue rose 12% to $4.2 billion, against USD 3.75 billion "
    "in Q3 2020; the loss was ($0.15) per share. We're opening 1,200 stores (up from 900), and "
    "operating margin expanded 50 basis points."
)
texts = st.text(alphabet="aBcdefg é1270$%.,;:()'\"-\n", max_size=120)


def digits(text):
    return re.findall(r"\d", text)


def test_a_reworded_example_differs_in_the_instruction_alone():
    rows = [make_example(f"t1:{name}", template=name) for name in templates.TEMPLATES]
    for row, other in zip(rows, robustness.reworded(rows), strict=True):
        assert other.instruction == templates.held_out_wording(row.template)
        back = replace(other, instruction=row.instruction, n_prompt_tokens=row.n_prompt_tokens)
        assert back == row and other.n_prompt_tokens == 0


def typos(text, share=1.0, seed=0):
    return robustness.with_typos(text, share, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(8))
def test_typos_leave_every_quantity_and_change_the_words(seed):
    noisy = typos(TEXT, seed=seed)
    before, after = (
        [(quantity.kind, abs(quantity.value)) for quantity in extract_quantities(text)]
        for text in (TEXT, noisy)
    )
    assert after == before
    assert "$4.2 billion" in noisy and "50 basis points" in noisy
    kept = set(TEXT.split()) & set(noisy.split())
    assert {"thank", "Operator,", "revenue", "opening"} - kept


@given(texts, st.floats(0, 1), st.integers(0, 99))
def test_typos_never_touch_a_digit_or_the_number_of_words(text, share, seed):
    noisy = typos(text, share, seed)
    assert digits(noisy) == digits(text)
    assert len(noisy.split()) == len(text.split())


def test_the_share_of_misspelt_words_is_as_asked_where_a_slip_shows():
    text = " ".join(["abcdefgh"] * 100)  # no doubled letter, so every slip shows
    changed = sum(word != "abcdefgh" for word in typos(text, 0.3).split())
    assert changed == 30
    assert typos(text, 0) == text


def test_typos_are_drawn_by_the_seed():
    assert typos(TEXT, 0.5, 1) == typos(TEXT, 0.5, 1) != typos(TEXT, 0.5, 2)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match="must be in 0 to 1"):
        typos(TEXT, share)


def test_recognised_text_is_small_without_punctuation_and_keeps_its_figures():
    assert robustness.as_recognised(TEXT) == (
        "operator thank you third quarter revenue rose 12% to $4.2 billion against usd 3.75 "
        "billion in q3 2020 the loss was ($0.15) per share we're opening 1,200 stores up from 900 "
        "and operating margin expanded 50 basis points"
    )


def test_a_figure_keeps_the_point_that_it_begins_with_and_loses_a_full_stop():
    assert robustness.as_recognised('It rose .5%. "(Down 3.)"') == "it rose .5% down 3"


@given(texts)
def test_recognised_text_has_the_same_digits_no_capital_and_one_line(text):
    heard = robustness.as_recognised(text)
    assert digits(heard) == digits(text)
    assert heard == heard.lower() and "\n" not in heard
    assert robustness.as_recognised(heard) == heard
