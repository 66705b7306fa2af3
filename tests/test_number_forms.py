"""Quantities in odd clothes: capitals, spaced marks, wide digits, bullets in lower case, names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finllm.numbers import extract_quantities, match_quantities, quantities_agree
from finllm.numbers.quantity import Quantity


def said(text: str, kind: str) -> list[Quantity]:
    return [q for q in extract_quantities(text) if q.kind == kind]


def ends(text: str, kind: str = "money") -> tuple[float | None, float | None]:
    (quantity,) = said(text, kind)
    return quantity.low, quantity.high


@pytest.mark.parametrize(
    ("text", "kind", "low", "high"),
    [
        ("growth of 24 TO 25%", "percent", 24, 25),
        ("SALES FELL 24 TO 25% IN Q3", "percent", 24, 25),
        ("We saw SALES FALL 24 TO 25% then", "percent", 24, 25),
        ("SEES FY REVENUE $1.2 BILLION TO $1.3 BILLION", "money", 1.2e9, 1.3e9),
        ("sees fy revenue $920m to $935m", "money", 920e6, 935e6),
        ("revenue of $920 m to $935 m, up", "money", 920e6, 935e6),
        ("$920M-$935M", "money", 920e6, 935e6),
        ("sees fy eps 50 cents to $0.70", "money", 0.5, 0.7),
        ("between 50 cents and $0.70", "money", 0.5, 0.7),
        ("$40 to $0.050 billion", "money", 40e6, 50e6),
        ("two to three hundred basis points", "basis_points", 200, 300),
        ("two to three hundred million dollars", "money", 200e6, 300e6),
        ("between a loss of $5 million and a profit of $3 million", "money", -5e6, 3e6),
        ("between $3 per share and $3.20 per share", "money", 3, 3.2),
        ("down 2% to up 3%", "percent", -2, 3),
        ("-2% to +3%", "percent", -2, 3),
        ("negative 2% to positive 3%", "percent", -2, 3),
        ("\u22122% to 3%", "percent", -2, 3),
        ("5\u201310%", "percent", 5, 10),
        ("5\u201110%", "percent", 5, 10),
        ("$1.8\u2009\u2013\u2009$1.9\u00a0billion", "money", 1.8e9, 1.9e9),
        ("15 - 20 stores", "count", 15, 20),
    ],
)
def test_a_range_is_read_whole_in_any_writing(text, kind, low, high):
    assert ends(text, kind) == pytest.approx((low, high))


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("$ 1 . 2 billion", "money", 1.2e9),
        ("$ 0 . 56 per share", "money", 0.56),
        ("sales rose 12 . 5 %", "percent", 12.5),
        ("qtrly revenue $ 1,175.1 million versus", "money", 1175.1e6),
        ("eps $0.56", "money", 0.56),
        ("q2 loss per share $-0.14", "money", -0.14),
        ("q2 loss per share $0.14", "money", -0.14),
        ("a loss of \u2212$3 million", "money", -3e6),
        ("EUR \u221212.4 million", "money", -12.4e6),
        ("we are losing $3 million a year", "money", -3e6),
        ("a deficit of $3 million", "money", -3e6),
        ("margins moved +-9%", "percent", 9),
        ("zero point five percent", "percent", 0.5),
        ("a dollar and a half", "money", 1.5),
        ("a buck and a half", "money", 1.5),
        ("5 million pounds sterling", "money", 5e6),
        ("４.５％", "percent", 4.5),
        ("\uff041.2 billion", "money", 1.2e9),
        ("1\u202f541 million euros", "money", 1541e6),
    ],
)
def test_an_amount_has_its_value_and_sign_in_any_writing(text, kind, value):
    (quantity,) = said(text, kind)
    assert quantity.low is None
    assert quantity.value == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    ["q2 of fiscal year'21", "q2 of fiscal'21", "second quarter of fiscal year'21", "Q2’21",
     "the second quarter of '21"],
)  # fmt: skip
def test_an_apostrophe_does_not_part_a_quarter_from_its_year(text):
    (period,) = said(text, "period")
    assert period.unit == "2021Q2"


@pytest.mark.parametrize(
    "name",
    ["the Phase 3 trial", "the 737 MAX", "5G phones", "the Infiniti Q50", "Level 2 assets",
     "rated AAA", "rated Baa1", "support 24/7", "support 24 by 7", "a 360 degree view",
     "a 360-degree view", "Web 3.0", "Section 232 tariffs", "the Fortune 500", "the Russell 2000",
     "Chapter 11", "COVID-19", "the H1N1 flu", "the first half of March",
     "the second half of the month", "ISO 9001", "B2B", "a three-pronged plan", "our number one",
     "one of the best", "Scope 1 and 2 emissions", "Scopes 1, 2 and 3", "press *1", "ext. 12",
     "the 1940 Act", "the Litigation Reform Act of 1995", "340B pricing", "a 501(c)(3)",
     "the 1099 form", "the Four Seasons", "the Six Flags parks", "Boeing's 777X", "Vision 2030",
     "IMO 2020", "Strategy 2025", "a three-dimensional view", "a four-wheel drive",
     "10 Hudson Yards", "the IQOS 2.4 system", "SKU 12345"],
)  # fmt: skip
def test_a_name_or_code_is_no_quantity_anywhere_in_a_sentence(name):
    assert extract_quantities(f"we spoke of {name} before") == []
    assert extract_quantities(f"Then there is {name}.") == []


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("it was 42 degrees outside", "count", 42),
        ("a goal for 2030 is set", "year", 2030),
        ("IN 2020 TO BE SOLD", "year", 2020),
        ("our 1 and 2 bedroom homes, of 30 homes", "count", 30),
        ("Six stores of Target", "count", 6),
        ("EBITDA margin of 2.4%", "percent", 2.4),
    ],
)
def test_what_only_looks_like_a_name_is_a_quantity(text, kind, value):
    assert value in [q.value for q in said(text, kind)]


amounts = st.decimals(min_value="0.1", max_value="999", places=1)


@given(amounts, st.sampled_from(["million", "billion"]))
def test_blanks_wide_digits_and_case_change_no_value(number, magnitude):
    plain = f"sales were ${number} {magnitude} then"
    (expected,) = said(plain, "money")
    wide = plain.translate({ord(str(d)): chr(0xFF10 + d) for d in range(10)})
    for other in (plain.upper(), plain.replace(" ", "\u00a0"), plain.replace("$", "$ "), wide):
        (quantity,) = said(other, "money")
        assert (quantity.value, quantity.unit) == (expected.value, expected.unit)


@given(amounts, amounts, st.sampled_from(["to", "TO", "-", "\u2013", "to about"]))
def test_a_range_lies_between_its_ends_whatever_joins_them(one, other, joint):
    low, high = sorted((float(one), float(other)))
    if low == high:
        return
    assert ends(f"we see {low} {joint} {high}% then", "percent") == pytest.approx((low, high))


@given(amounts, st.sampled_from(["a loss of", "negative", "minus", "a net loss of"]))
def test_a_word_of_loss_turns_the_sign_and_nothing_else(number, word):
    (gain,) = said(f"it was ${number} million", "money")
    (loss,) = said(f"it was {word} ${number} million", "money")
    assert loss.value == -gain.value
    assert not quantities_agree(gain, loss)


@given(st.floats(1, 999), st.integers(0, 2))
def test_an_amount_agrees_with_itself_shown_with_fewer_digits(value, n_places):
    exact, rounded = said(f"${value:.4f}", "money"), said(f"${value:.{n_places}f}", "money")
    near = abs(value - rounded[0].value) <= 0.1 * value * (1 - 1e-6)
    assert bool(match_quantities(rounded, exact).pairs) == near


@given(st.integers(100, 899), st.integers(2, 9))
def test_an_amount_off_by_more_than_rounding_does_not_agree(number, gap):
    one, other = said(f"${number} million", "money"), said(f"${number + gap} million", "money")
    assert match_quantities(one, other).pairs == []
