import random
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finllm.languages.lexicon import (
    BUILTIN,
    Lexicon,
    fold,
    load_lexicon,
    plurals,
    trie_pattern,
    words,
)

LEXICON = Lexicon(BUILTIN)


def found(text: str) -> list[tuple[str, str]]:
    return [(canonical, text[start:end]) for canonical, start, end in LEXICON.find(text)]


def write(folder: Path, *rows: str, header: str = "canonical\tcategory\tsynonyms\tcased") -> Path:
    path = folder / "lexicon.tsv"
    path.write_text("\n".join(["# a comment", header, *rows]) + "\n", encoding="utf-8")
    return path


def test_there_are_at_least_250_canonical_terms_in_categories():
    assert len(LEXICON.terms) >= 250
    assert len({term.category for term in LEXICON.terms}) >= 10
    assert all(term.category for term in LEXICON.terms)


def test_every_form_is_found_as_its_own_term():
    lost = [
        (term.canonical, form)
        for term in LEXICON.terms
        for form in (term.canonical, *term.synonyms, *term.cased)
        if LEXICON.find(f"so {form} was") != [(term.canonical, 3, 3 + len(form))]
    ]
    assert not lost


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Adjusted EBITDA margin rose", [("EBITDA margin", "Adjusted EBITDA margin")]),
        ("free cash flow", [("free cash flow", "free cash flow")]),
        ("free  cash-flow yields", [("free cash flow yield", "free  cash-flow yields")]),
        ("gross margins fell", [("gross margin", "gross margins")]),
        ("the company's EPS.", [("earnings per share", "EPS")]),
        ("up 30 bps", [("basis point", "bps")]),
        ("selling, general and administrative expenses",
         [("selling, general and administrative expense",
           "selling, general and administrative expenses")]),
        ("revenues' growth", [("revenue", "revenues"), ("growth", "growth")]),
        ("the SEC said", [("Securities and Exchange Commission", "SEC")]),
        ("a sec of time", []),
        ("the unsalesmanlike ebitdas2 presales", []),
        ("R&D", [("research and development", "R&D")]),
        ("", []),
    ],
)  # fmt: skip
def test_the_longest_form_wins_at_word_boundaries(text, expected):
    assert found(text) == expected


def test_spans_point_into_the_text_even_where_lowering_would_shift_them():
    text = "İİİ gross margin"
    assert found(text) == [("gross margin", "gross margin")]


def test_canonical_terms_are_sorted_and_unique():
    assert LEXICON.canonical_terms("sales, EPS and net sales and eps") == (
        "earnings per share",
        "sales",
    )


def test_density_is_the_share_of_words_inside_terms():
    assert LEXICON.density("gross margin rose by two points") == pytest.approx(2 / 6)
    assert LEXICON.density("") == 0.0
    assert LEXICON.density("nothing of the kind") == 0.0


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(alphabet="ab c-.,&'EPSFCF\n", max_size=80))
def test_spans_are_in_order_and_do_not_overlap(text):
    spans = [(start, end) for _, start, end in LEXICON.find(text)]
    assert all(start < end for start, end in spans)
    assert all(one[1] <= two[0] for one, two in zip(spans, spans[1:], strict=False))


def test_the_trie_finds_what_a_plain_search_finds():
    rng = random.Random(0)
    forms = {"".join(rng.choices("ab ", k=rng.randint(1, 5))).strip() for _ in range(40)} - {""}
    forms = {" ".join(form.split()) for form in forms}
    trie = re.compile(trie_pattern(forms))
    for _ in range(200):
        text = "".join(rng.choices("ab ", k=12)).strip()
        text = " ".join(text.split())
        longest = max((form for form in forms if text.startswith(form)), key=len, default=None)
        match = trie.match(text)
        assert (match and match.group()) == longest


def test_a_user_extends_the_lexicon_with_a_file(tmp_path):
    path = write(tmp_path, "widget yield\tindustry\tyield of widgets|wy\tWDG")
    lexicon = Lexicon(path)
    assert lexicon.canonical_terms("the WDG and widget-yields") == ("widget yield",)
    assert lexicon.canonical_terms("the wdg") == ()
    assert lexicon.categories == {"widget yield": "industry"}


@pytest.mark.parametrize(
    ("rows", "header", "said"),
    [
        (["a\tx\tb", "c\tx\tb"], None, "'b' belongs to both 'a' and 'c'"),
        (["a\tx", "a\ty"], None, "'a' occurs twice"),
        (["a"], None, "must have the cells"),
        (["a\tx\t\t\tmore"], None, "must have the cells"),
        (["a\tx"], "term\tkind", "header"),
        ([], None, "no terms"),
    ],
)
def test_a_malformed_lexicon_is_an_error_that_names_the_file(tmp_path, rows, header, said):
    keys = {} if header is None else {"header": header}
    path = write(tmp_path, *rows, **keys)
    with pytest.raises(ValueError, match="lexicon.tsv") as error:
        Lexicon(path)
    assert said in str(error.value)


def test_words_keep_figures_and_compounds_whole():
    assert words("R&D's year-over-year 1,234.5% (p/e) a_b") == [
        "R&D's", "year-over-year", "1,234.5", "p/e", "a", "b",
    ]  # fmt: skip


def test_plurals_and_folding():
    assert list(plurals("loss ratio")) == ["loss ratio", "loss ratios"]
    assert list(plurals("key")) == ["key", "keys"]
    assert list(plurals("loss")) == ["loss", "losses"]
    assert list(plurals("10-k")) == ["10-k", "10-ks"]
    assert fold("year-over-year,  now") == "year over year now"


def test_a_users_file_adds_terms_and_synonyms_to_the_projects_own(tmp_path):
    mine = tmp_path / "mine.tsv"
    head = "canonical\tcategory\tsynonyms\tcased\n"
    mine.write_text(f"{head}yarn loss\tresults\tspun waste\tYLS\n")
    assert load_lexicon(str(mine)).canonical_terms("spun waste and EBITDA")[1:] == ("yarn loss",)
    assert "yarn loss" not in load_lexicon("").canonical_terms("spun waste and EBITDA")
    mine.write_text(f"{head}EBITDA\tresults\tcash earnings figure\t\n")
    assert "EBITDA" in load_lexicon(str(mine)).canonical_terms("a cash earnings figure")


def test_a_users_form_that_another_term_owns_is_an_error_that_names_both_files(tmp_path):
    mine = tmp_path / "mine.tsv"
    mine.write_text("canonical\tcategory\tsynonyms\tcased\nyarn\tresults\tebitda\t\n")
    with pytest.raises(ValueError, match="lexicon.tsv, .*mine.tsv: 'ebitda' belongs to both"):
        load_lexicon(str(mine))
