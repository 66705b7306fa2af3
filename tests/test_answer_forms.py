"""The form of an answer moves no metric of the domain: only what it states does."""

import random
import re
import textwrap

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from finllm.languages.lexicon import load_lexicon
from finllm.numbers import extract_quantities
from finllm.scoring.example import light_scores
from finllm.scoring.figures import figures
from finllm.scoring.reading import without_fragment

DOMAIN = ("number_accuracy", "coherence", "term_recall", "term_precision", "composite")
LEXICON = load_lexicon("")
SAID = (
    "Service revenue rose 12% to $452.2 million",
    "Adjusted gross margin fell 50 basis points to 18.5%",
    "Q3 2021 net loss was $3 million, or $0.12 per share",
    "The company sees fiscal 2022 revenue between $1.62 billion and $1.66 billion",
    "It opened 14 stores and repurchased 2.5 million shares",
    "Free cash flow declined to $45 million from $60 million a year ago",
    "ROIC was 11.2%",
    "Margins may improve to 20% to 21% in the second half",
)
REFERENCE = (
    "Service revenue rose 12% to $452.2 million. Adjusted gross margin fell to 18.5%. Sees fiscal "
    "2022 revenue of $1.62 billion to $1.66 billion. Net loss of $3 million. Opened 12 stores."
)
SOURCE = " ".join(f"{one}." for one in SAID) + " We expect capex near $30 million."
ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii")
BULLETS = ("-", "*", "+", "•", "◦", "▪", "●", "·", "‣", "–", "—", "→", "✅", "🔹", ">", "- [x]")
NUMERALS = (
    *("{n}.", "{n})", "({n})", "{n}:", "{n} -", "{n} –", "{n}/", "{n}.)", "[{n}]", "#{n}", "{n} |"),
    *("**{n}.**", "{n}\\.", "{n}.\t", "1.{n}", "1.{n}.", "{n}.1.", "{n}.\n", "  {n}.", "§{n}"),
    *("{l})", "({l})", "{l}.", "{L}.", "{r}.", "{r})", "({r})", "{R}.", "{c}", "{n}\ufe0f\u20e3"),
    *("Point {n}:", "Step {n}:", "Step {n} -", "Key takeaway {n}:", "**Point {n}:**", "Note {n}:"),
    *("Slide {n}:", "No. {n}:", "Part {R}:", "Section {n}.", "Point {n} of 8:", "Highlight #{n}:"),
    *("## {n}.", "### {n}", "- {n}.", "> {n}.", "Driver {n}:", "Bullet ({n}):", "**{n}. Facts:**"),
)
FOOTNOTES = (
    "[{n}]",
    " [{n}]",
    "[^{n}]",
    "{s}",
    "^{n}",
    "({n})",
    " ({n})",
    "<sup>{n}</sup>",
    "†",
    "*",
)
AMOUNT = re.compile(r"\$?\d[\d.]*\d%?(?: (?:million|billion))?")


def scores(text, **how):
    found = light_scores(text, REFERENCE, SOURCE, LEXICON, **how)
    return {name: found[name] for name in DOMAIN}


def numbered(style, nth):
    return style.format(
        n=nth,
        l="abcdefgh"[nth - 1],
        L="ABCDEFGH"[nth - 1],
        r=ROMAN[nth - 1],
        R=ROMAN[nth - 1].upper(),
        c="①②③④⑤⑥⑦⑧"[nth - 1],
        s="¹²³⁴⁵⁶⁷⁸"[nth - 1],
    )


def with_numerals(said, style):
    return [f"{numbered(style, nth)} {one}" for nth, one in enumerate(said, 1)]


def with_footnotes(said, style):
    return [one + numbered(style, nth) for nth, one in enumerate(said, 1)]


def in_title_case(text):
    return re.sub(r"\b[a-z]", lambda match: match[0].upper(), text)


LEADS = {
    **{f"bullet {one}": lambda said, one=one: [f"{one} {s}" for s in said] for one in BULLETS},
    **{f"numeral {one}": lambda said, one=one: with_numerals(said, one) for one in NUMERALS},
    "bullets without a blank": lambda said: [f"•{one}" for one in said],
    "rows of a table": lambda said: [f"| {one} |" for one in said],
    "no bullet": list,
}
INLINE = {
    "bold amounts": lambda text: AMOUNT.sub(r"**\g<0>**", text),
    "italic amounts": lambda text: AMOUNT.sub(r"*\g<0>*", text),
    "underlined amounts": lambda text: AMOUNT.sub(r"_\g<0>_", text),
    "amounts in code": lambda text: AMOUNT.sub(r"`\g<0>`", text),
    "amounts in HTML": lambda text: AMOUNT.sub(r"<b>\g<0></b>", text),
    "bold words": lambda text: re.sub(r"\b(revenue|margin)\b", r"**\1**", text),
    "escaped signs": lambda text: text.replace("$", "\\$").replace("%", "\\%"),
    "wide signs": lambda text: text.replace("$", "＄").replace("%", "％"),
    "non-breaking blanks": lambda text: text.replace(" ", "\u00a0"),
    "thin blanks": lambda text: re.sub(r"(?<=\d) (?=\w)", "\u2009", text),
    "two blanks": lambda text: text.replace(" ", "  "),
    "invisible blanks": lambda text: text.replace(" ", " \u200b"),
    "smart quotes": lambda text: text.replace("company", "“company”"),
    "straight": lambda text: text,
}
CASES = {"upper": str.upper, "lower": str.lower, "title": in_title_case, "as said": str}
JOINS = {"full stops": ".\n", "lines": "\n", "empty lines": ".\n\n", "CRLF": ".\r\n"}


@pytest.mark.parametrize("lead", LEADS)
@pytest.mark.parametrize("join", JOINS)
def test_a_list_says_what_the_sentences_say(lead, join):
    plain = scores(" ".join(f"{one}." for one in SAID))
    assert scores(JOINS[join].join(LEADS[lead](SAID)) + ".") == plain


@pytest.mark.parametrize("style", FOOTNOTES)
def test_a_footnote_mark_is_no_figure(style):
    plain = scores(" ".join(f"{one}." for one in SAID))
    marked = with_footnotes(SAID, style)
    assert scores(". ".join(marked) + ".") == plain
    assert scores(" ".join(with_footnotes([f"{one}." for one in SAID], style))) == plain


@pytest.mark.parametrize("width", [40, 50, 60, 72, 80, 100])
def test_a_column_of_text_says_what_its_sentences_say(width):
    text = " ".join(f"{one}." for one in SAID)
    assert scores(textwrap.fill(text, width)) == scores(text)
    assert scores("\n".join("- " + textwrap.fill(one, width) for one in SAID)) == scores(text)


@pytest.mark.parametrize(
    "frame",
    [
        "({}) {}",
        "{}) {}",
        "{}. {}",
        "Point {}: {}",
    ],
)
def test_an_enumeration_inside_a_paragraph_counts_nothing(frame):
    text = " ".join(frame.format(n, f"{one}.") for n, one in enumerate(SAID, 1))
    assert scores(text) == scores(" ".join(f"{one}." for one in SAID))


@pytest.mark.parametrize(
    "title",
    [
        *("## Summary\n{}", "**Key figures:**\n{}", "Here are the main points:\n\n{}"),
        *(
            "## 2. Summary\n{}",
            "**3. Highlights:**\n{}",
            "# Overview\n\n---\n{}\n***",
            "\n\n {} \n",
        ),
        *("| # | Point |\n|---|---|\n| 1 | {} |", "<p>{}</p>", "***{}***", "Key points: {}"),
    ],
)
def test_a_title_or_a_frame_says_nothing(title):
    text = ". ".join(SAID[:3])
    assert scores(title.format(text)) == scores(text)


@settings(max_examples=150, deadline=None)
@given(
    order=st.permutations(SAID),
    size=st.integers(1, len(SAID)),
    lead=st.sampled_from(sorted(LEADS)),
    inline=st.sampled_from(sorted(INLINE)),
    case=st.sampled_from(sorted(CASES)),
    join=st.sampled_from(sorted(JOINS)),
)
@example(  # "1.1 margins" was read as a count
    [SAID[-1], *SAID[:-1]], 1, "numeral 1.{n}", sorted(INLINE)[0], "lower", sorted(JOINS)[0]
)
@example([SAID[-1], *SAID[:-1]], 1, "numeral 1.{n}", sorted(INLINE)[0], "as said", sorted(JOINS)[0])
def test_no_form_of_an_answer_moves_a_metric(order, size, lead, inline, case, join):
    said = order[:size]
    cased = [CASES[case](one) for one in said]
    text = JOINS[join].join(LEADS[lead]([INLINE[inline](one) for one in cased]))
    assert scores(text) == scores(" ".join(f"{one}." for one in said))


@pytest.mark.parametrize("lead", [name for name in LEADS if name.startswith(("num", "rows"))])
def test_what_is_stated_still_moves_the_metrics(lead):
    wrong = [one.replace("12%", "13%").replace("$452.2", "$453.2") for one in SAID]
    text = "\n".join(LEADS[lead](wrong))
    assert scores(text)["number_accuracy"] < scores("\n".join(SAID))["number_accuracy"]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("2.5% growth in sales", [2.5]),
        ("3 stores opened", [3]),
        ("12 stores: up from 9 stores", [12, 9]),
        ("2021. Revenue rose 5%", [2021, 5]),
        ("1. 2.5% growth", [2.5]),
        ("1. $5 million of revenue", [5e6]),
        ("(5) million was lost", [-5e6]),
        ("(5.2)% growth", [-5.2]),
        ("-5% growth", [-5]),
        ("- 5% growth", [5]),
        ("EPS moved from (2) to (5)", [2, 5]),
        ("| Loss | (3) |", [3]),
        ("Our 401(k) and 403(b) plans cost $2 million", [2e6]),
        ("We did three things: (1) we cut 5 plants, (2) we sold 3, and (3) we grew", [3, 5, 3]),
        ("1.1 Outlook\n1.2 Revenue of $3 million", [3e6]),
        ("1.5 million units", [1.5e6]),
        ("500 m² of space", [500]),
        ("Part 2. Margins of 5%", [5]),
        ("see slide 12, page 3, Note 4 and Section 5", []),
    ],
)
def test_a_numeral_is_no_figure_and_a_figure_no_numeral(text, values):
    assert [quantity.value for quantity in extract_quantities(text)] == values


def test_a_mention_stands_where_the_text_as_written_has_it():
    text = "1. **Revenue** rose **5**% to \\$3\u00a0million[2]\n2) It fell `$4 million`."
    spans = [text[q.start : q.end] for q in extract_quantities(text)]
    assert spans == ["5**%", "$3\u00a0million", "$4 million"]


@pytest.mark.parametrize("shown", range(1, 10))
def test_a_cut_answer_gains_and_loses_no_figure(shown):
    whole = "Revenue rose 5%. Margin was 20%."
    cut = f"{whole} EPS rose to {'$452.25 mi'[:shown]}"
    assert [f.text for f in figures(without_fragment(cut))] == [f.text for f in figures(whole)]
    assert without_fragment(whole) == whole


@pytest.mark.parametrize("end", ["$452 mil", "$452 mill", "45 per", "$45,", "50 basis po", "$"])
def test_half_a_word_behind_the_last_number_makes_it_none(end):
    assert [f.text for f in figures(f"Sales rose 5% to {end}")] == ["percent 5"]


def test_the_metrics_leave_out_what_the_limit_cut():
    text = "Service revenue rose 12% to $452.2 million."
    assert (
        scores(f"{text} Net loss was $3", cut=True)["number_accuracy"]
        == (scores(f"{text} Net loss was", cut=True)["number_accuracy"])
    )
    assert (
        scores(f"{text} Margin was $4", cut=True)["number_accuracy"]
        > (scores(f"{text} Margin was $4")["number_accuracy"])
    )


def test_a_random_order_of_sentences_is_another_text():
    said = list(SAID)
    random.Random(1).shuffle(said)
    assert scores(". ".join(said))["composite"] != scores(". ".join(SAID))["composite"]
