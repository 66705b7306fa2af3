import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finllm.corpus import boilerplate, ectsum
from finllm.corpus.cleaning import (
    clean_text,
    clean_text_counted,
    clean_transcript,
    own_company,
)
from finllm.corpus.wrapping import unwrap
from finllm.records import Reject, Transcript, Turn

ECTSUM = Path(__file__).parents[1] / "../shared/data/ectsum"
FIGURES = [
    "rose 2.5% to $1,243.6 million",
    "up 10 1/2 cents, or 1½ times",
    "10² square metres, CO₂, x³",
    "at 8:30 a.m. Eastern on 05/04/2021",
    "(3.2)% against +4%, <5% and >10%",
    "€3.4bn, £2.1m, ¥500, 30 bps, 5x",
    "Q3'21, 3Q21, FY2021, H1 2022",
    "between 5% and 7%, 5-7%, -1.2%",
    "S&P 500, AT&T, R&D at 3% & rising",
    "-40°C, 5‰, №5",
]


def call(*texts: str, summary: str | None = None, role: str = "unknown") -> Transcript:
    turns = tuple(Turn("", role, "unknown", text) for text in texts)
    return Transcript("a", "ACME", "2021Q3", "", "src", turns, summary)


def clean(transcript: Transcript, *, removable: tuple[str, ...] = ()):
    return clean_transcript(
        transcript, repair_mojibake=True, infer_turns=False, removable=removable
    )


@pytest.mark.parametrize("figures", FIGURES)
def test_figures_percentages_and_times_stay_as_they_were(figures):
    expected = figures.replace("№", "No")
    assert clean_text(figures) == expected


@pytest.mark.parametrize(
    ("dirty", "expected"),
    [
        ("a\u00a0b\u2003c\td", "a b c d"),
        ("one\r\ntwo\rthree\u2028four\n \n\nfive", "one\ntwo\nthree\nfour\nfive"),
        ("\u201cquoted\u201d \u2018so\u2019 it\u2019s", "\"quoted\" 'so' it's"),
        ("5\u201310% and \u22123%", "5-10% and -3%"),
        ("$5\u2014$6 and growth \u2014 a lot", "$5-$6 and growth - a lot"),
        ("free\u2010cash\u2011flow", "free-cash-flow"),
        ("re\u00adport, ze\u200bro, jo\u200din\ufeff", "report, zero, join"),
        ("nul\0 bell\x07 delete\x7f", "nul bell delete"),
        ("left\u202eright", "leftright"),
        ("\uff11\uff12\uff13\uff05 \ufb01nance\u2026", "123% finance..."),
        ("cafe\u0301", "caf\u00e9"),
        ("lost \ufffd character", "lost character"),
        ("half a pair \ud83d", "half a pair"),
    ],
)
def test_typography_becomes_plain(dirty, expected):
    assert clean_text(dirty) == expected


@pytest.mark.parametrize(
    ("dirty", "expected"),
    [
        ("<p>Sales <b>rose</b></p><p>5%</p>", "Sales rose\n5%"),
        ("R&amp;D &lt;5% &#8211; fine&nbsp;now", "R&D <5% - fine now"),
        ("<script>var a = '<b>';</script>Sales<br/>rose<!-- no -->", "Sales\nrose"),
        ("margins <5% but >3% of sales", "margins <5% but >3% of sales"),
        ('<a href="https://x.com/?q=1&amp;b">release</a>', "release"),
        ("if a<b then", "if a<b then"),
    ],
)
def test_html_remnants_go_and_comparisons_stay(dirty, expected):
    assert clean_text(dirty) == expected


def test_marks_of_the_transcriber_go_and_bracketed_words_stay():
    dirty = "We <laugh> grew [Inaudible 00:12:31] by [foreign exchange] 5% <crosstalk>."
    assert clean_text(dirty) == "We grew by [foreign exchange] 5% ."


def test_mojibake_is_repaired_only_where_asked():
    broken = "the company\u00e2\u20ac\u2122s \u00e2\u201a\u00ac5 million"
    repaired, counts = clean_text_counted(broken, repair_mojibake=True)
    assert repaired == "the company's €5 million"
    assert counts["mojibake_repaired"] == 1
    left, counts = clean_text_counted(broken, repair_mojibake=False)
    assert "\u20ac" in left and not counts["mojibake_repaired"]


def test_what_was_repaired_is_counted():
    _, counts = clean_text_counted("<b>a</b> &amp; b\0 <inaudible> \ufffd", repair_mojibake=True)
    assert counts == {
        "html_tags": 2,
        "html_entities": 1,
        "control_characters": 1,
        "transcription_marks": 1,
        "replacement_characters": 1,
    }


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=200))
def test_cleaning_twice_changes_nothing_more_on_plain_characters(text):
    once, _ = clean_text_counted(re.sub(r"[&<\[]", "", text), repair_mojibake=False)
    assert clean_text_counted(once, repair_mojibake=False)[0] == once
    once.encode("utf-8")


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.from_regex(r"\A[$-]?[0-9]{1,3}(,[0-9]{3})*(\.[0-9]{1,2})?( ?%| million)?\Z"))
def test_any_plain_figure_survives(figure):
    assert clean_text(f"It was \u201c{figure}\u201d.") == f'It was "{figure}".'


def test_wrapped_lines_are_joined_and_sentence_lines_are_not():
    wrapped = "\n".join(
        ["Our sales rose by five percent in the", "quarter that ended in June,"] * 5
    )
    assert "in the quarter that" in unwrap(wrapped)
    sentences = "\n".join(["Sales rose."] * 10)
    assert unwrap(sentences) == sentences


def test_short_lines_of_a_dialogue_are_not_taken_for_wrapped_ones():
    dialogue = "\n".join(["Operator", "Welcome to our call.", "Jane Roe -- Officer", "Hello"] * 5)
    assert unwrap(dialogue) == dialogue


def test_a_transcript_keeps_its_fields_and_loses_empty_turns():
    record, counts = clean(call("Sales\u00a0rose.", " <br> ", summary="eps\u00a0$1\neps $2 "))
    assert [turn.text for turn in record.turns] == ["Sales rose."]
    assert record.summary == "eps $1\neps $2"
    assert (record.id, record.company, record.period) == ("a", "ACME", "2021Q3")
    assert counts["empty_turns"] == 1
    assert counts["words_before"] == counts["words_after"] == 2


def test_a_transcript_without_words_is_a_reject():
    record, _ = clean(call("\0\0", "<br>"))
    assert isinstance(record, Reject)
    assert record.reason == "empty_text"


SAFE_HARBOR = "Actual results may differ materially from our forward-looking statements."


def test_boilerplate_goes_only_where_it_is_marked_removable():
    text = f"Sales rose 5%. {SAFE_HARBOR} Margins fell."
    kept, counts = clean(call(text))
    assert kept.text == text
    gone, counts = clean(call(text), removable=("safe_harbor",))
    assert gone.text == "Sales rose 5%. Margins fell."
    assert counts["words_removed_safe_harbor"] == 9
    assert counts["words_before"] - counts["words_after"] == 9
    other, _ = clean(call(text), removable=("webcast_notice",))
    assert other.text == text


def test_a_transcript_of_nothing_but_boilerplate_is_a_reject():
    record, counts = clean(call(SAFE_HARBOR), removable=boilerplate.KINDS)
    assert isinstance(record, Reject)
    assert counts["words_removed_safe_harbor"] == 9


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("To ask a question, please press star one.", "operator_instructions"),
        ("All participants are in listen-only mode.", "operator_instructions"),
        ("We undertake no obligation to update these statements.", "safe_harbor"),
        ("A reconciliation to GAAP is in the release on our website.", "safe_harbor"),
        ("A replay of this call will be available on our website.", "webcast_notice"),
        ("Thank you for joining us on the call today.", "courtesies"),
        ("Good morning, everyone.", "courtesies"),
        ("Actual results may differ by $5 million.", None),
        ("Our star product, one of many, sold well.", None),
        ("We updated our view of the website business.", None),
        ("Good morning, and sales rose a lot in Europe.", None),
        ("Demand for risk insurance grew.", None),
    ],
)
def test_boilerplate_sentences_are_known_by_kind(sentence, kind):
    assert boilerplate.kind_of(sentence, kinds=boilerplate.KINDS) == kind


def test_an_analyst_keeps_every_word():
    record, _ = clean(call(SAFE_HARBOR, role="analyst"), removable=boilerplate.KINDS)
    assert record.text == SAFE_HARBOR


def test_operator_marks_go_and_the_sentence_beside_them_stays():
    record, counts = clean(
        call("[Operator Instructions] We take Bob's question.\nSure."),
        removable=("operator_instructions",),
    )
    assert record.text == "We take Bob's question.\nSure."
    assert counts["words_removed_operator_instructions"] == 2


def test_an_unknown_kind_of_boilerplate_is_an_error():
    with pytest.raises(ValueError, match="kind 'jokes'; allowed: operator_instructions"):
        clean(call("Sales rose."), removable=("jokes",))


@pytest.mark.skipif(not ECTSUM.is_dir(), reason="../shared/data/ectsum is absent")
def test_cleaning_keeps_every_digit_of_real_calls():
    n_calls = 0
    for record, _, _ in ectsum.read(ECTSUM / "val", source="x", encoding="utf-8"):
        cleaned, _ = clean(record)
        figures = re.compile(r"[$€£]?\d[\d.,:/]*%?")
        assert figures.findall(cleaned.text) == figures.findall(record.text)
        n_calls += 1
    assert n_calls > 200


def test_calls_of_unknown_companies_are_companies_of_their_own_or_go_no_further():
    known, unknown = call("Sales rose."), replace(call("Sales rose."), company="")
    assert own_company(known, policy="id") is known
    assert own_company(unknown, policy="id").company == unknown.id
    reject = own_company(unknown, policy="reject")
    assert isinstance(reject, Reject) and reject.reason == "no_company"


def test_a_call_whose_source_names_only_the_ticker_is_of_the_company_of_that_ticker():
    found, _ = clean(replace(call("Sales rose."), company="", ticker="ACM"))
    assert (found.company, found.ticker) == ("ACM", "ACM")
