import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finllm.languages.wording import ENGLISH_WORDING, wording
from finllm.scoring.reading import read, sentences


def said(text):
    return [token.text for token in read(text) if token.kind not in ("comma", "end")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("revenue of $452.2 million", "revenue of $0.4522 billion"),
        ("revenue of $452.2 million", "revenue of $452,200,000"),
        ("$1.2 billion", "$1,200 mln"),
        ("a dividend of $0.27", "a dividend of 27 cents"),
        ("up 12%", "higher 12 percent"),
        ("margin rose 150 basis points", "margin rose 1.5 percentage points"),
        ("q3 sales", "Third-quarter sales"),
        ("in q1 21", "in first quarter 21"),
        ("fiscal q4 2021", "fiscal fourth quarter 2021"),
        ("3q 2021 sales", "third quarter 2021 sales"),
        ("sees fy 2021 sales", "expects full-year 2021 sales"),
        ("qtrly revenue", "quarterly revenue"),
        ("sales rose 5%", "sales increased by 5%"),
        ("sales fell 5%", "sales were down 5%"),
        ("deposits rose $3 million to $5 million", "deposits advanced $3 million to $5 million"),
        ("earnings per share", "EPS"),
        ("net sales", "net revenue"),
        ("versus estimate", "compared with estimate"),
        ("raises outlook", "lifts guidance"),
        ("$40 to $50 million", "$40 to $0.050 billion"),
        ("loss of $0.14. q2 sales", "loss of $0.14.\nq2 sales"),
        ("loss per share of $0.14", "loss per share of $(0.14)"),
    ],
)
def test_the_same_in_other_words_has_the_same_tokens(one, other):
    assert said(one) == said(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("revenue of $452.2 million", "revenue of $452.2 billion"),
        ("up 12%", "down 12%"),
        ("up 12%", "up -12%"),
        ("q3 sales", "q2 sales"),
        ("fy 2021", "fy 2020"),
        ("revenue", "earnings"),
        ("earnings per share of $0.14", "loss per share of $0.14"),
        ("loss per share of $0.14", "loss per share of $-0.14"),
        ("adjusted eps", "gaap eps"),
        ("as of june 30, 2021", "as of june 30, 2020"),
        ("as of june 30", "as of march 30"),
        ("$40 to $50 million", "$40 to $50 billion"),
        ("raises outlook", "cuts outlook"),
        ("raises outlook", "reaffirms outlook"),
        ("expects growth", "does not expect growth"),
    ],
)
def test_another_meaning_has_other_tokens(one, other):
    assert said(one) != said(other)


def test_an_abbreviation_ends_no_sentence():
    found = sentences(read("U.S. sales rose versus vs. an estimate. Q2 fell."))
    assert len(found) == 2


def test_no_form_of_the_wording_file_has_two_meanings():
    rows = [
        line.split("\t") for line in ENGLISH_WORDING.read_text().splitlines() if line[0] != "#"
    ][1:]
    meanings = {}
    for kind, canonical, forms in rows:
        for form in forms.split("|"):
            assert meanings.setdefault(form, (kind, canonical)) == (kind, canonical), form
    assert len(meanings) > 300


def test_a_wording_file_with_an_unknown_class_is_refused(tmp_path):
    path = tmp_path / "wording.tsv"
    path.write_text("class\tcanonical\tforms\nway\tup\trose\n")
    with pytest.raises(ValueError, match="line 2: .*must have the cells"):
        wording(path)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.text(alphabet="$0123456789.,-+() qmbillonpert%'’\n", max_size=60))
def test_no_text_is_too_odd(text):
    starts = [token.start for token in read(text)]
    assert starts == sorted(starts)
