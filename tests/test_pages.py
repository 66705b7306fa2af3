"""What pages print around and between the words of a call."""

import pytest
from test_layouts import case, read, rows

FOOTS = {
    "factset": "1-877-FACTSET www.callstreet.com\n{n}\nCopyright \u00a9 2001-2024 FactSet\n"
    "Halden Tool & Die Co. (HTD)\nQ3 2024 Earnings Call\nCorrected Transcript\n30-Oct-2024\n",
    "bloomberg": "Vantrell NV (VTL NA Equity)\n2024-10-30\nCompany Name: Vantrell NV\n"
    "Page {n} of 9\nBloomberg Transcript\n",
    "streetevents": "{n}\nREFINITIV STREETEVENTS | www.refinitiv.com | Contact Us\n"
    "\u00a92024 Refinitiv. All rights reserved.\n"
    "JULY 25, 2024 / 9:00PM, KRVN.OQ - Q2 2024 Korvane Inc Earnings Call\n",
    "company": "Page {n} of 4\nSuryodaya Chemicals Limited\nNovember 12, 2024\n",
    "german": "- {n} -\nVIELMETTER AG Conference Call Q3 2024\n",
}


def paged(text: str, foot: str) -> str:
    """The text with a foot in the middle of every speech of a sentence that goes on."""
    parts, n = text.split(" million, "), 1
    for _ in parts[1:]:
        n += 1
        parts[n - 2 : n] = [parts[n - 2] + " million,\n" + foot.format(n=n) + "\n", parts[n - 1]]
    return "".join(parts)


@pytest.mark.parametrize("foot", FOOTS)
@pytest.mark.parametrize("name", ["name_colon", "motley_fool", "seeking_alpha", "capital_iq"])
def test_running_heads_and_feet_are_in_no_turn_wherever_a_page_ends(name, foot):
    text = case(name)
    pages = paged(text, FOOTS[foot])
    assert pages.count("\n\n") > text.count("\n\n")
    plain, call = read(text), read(pages)
    assert rows(call) == rows(plain)
    words = [" ".join(turn.text.split()) for turn in call.turns]
    assert words == [" ".join(turn.text.split()) for turn in plain.turns]


def test_company_and_date_are_read_from_the_heads_of_pages():
    call = read(paged(case("name_colon"), FOOTS["bloomberg"]))
    assert (call.company, call.ticker, call.date) == ("Vantrell NV", "VTL", "2024-10-30")


def test_a_speaker_at_the_top_of_two_pages_is_no_running_head():
    lines = "Jane Roe - Chief Financial Officer\nSales rose 5% in the quarter.\n"
    said = "John Doe - Big Bank - Analyst\nAnd margins?\n"
    text = "".join(f"{lines}{said}Page {n}\n" for n in (1, 2, 3))
    assert [turn.speaker for turn in read(text).turns] == ["Jane Roe", "John Doe"] * 3


def test_estimates_and_lists_in_columns_above_the_presentation_announce_nobody():
    table = (
        "Acme Corp NYSE:ACM\nFQ3 2023 Earnings Call Transcripts\n"
        "CONSENSUS ACTUAL SURPRISE\n0.41 0.44\n"
    )
    people = (
        "EXECUTIVES ANALYSTS\nMary Major John Doe\nInvestor Relations Big Bank,\n"
        "Jane Roe\nBig Bank,\n"
    )
    call = read(table + people + case("capital_iq"))
    assert rows(call) == rows(read(case("capital_iq")))
    assert (call.company, call.ticker, call.period) == ("Acme Corp", "ACM", "2023Q3")


def test_advertisements_between_speeches_are_not_said():
    advertisement = (
        "10 stocks we like better than Acme\nWhen our analyst team has a stock tip, it can pay.\n"
        "They just revealed what they believe are the ten best stocks.\nSee the 10 stocks\n"
        "*Stock Advisor returns as of July 22, 2024\n\nJane Roe --"
    )
    call = read(case("motley_fool").replace("Jane Roe --", advertisement, 1))
    assert call.text == read(case("motley_fool")).text


@pytest.mark.parametrize(
    "tail",
    [
        "Where to invest $1,000 right now\nWhen our analyst team has a stock tip, it can pay.",
        "[END]\nDocument Notes", "Transcribed by https://otter.ai", "Recommended For You\nAbout",
        "This article was generated with the support of AI.", "(This document has been edited to "
        "improve readability)", "Note: 1. This document has been edited to improve readability.",
        "This transcript is to be used for informational purposes only.",
        "- Read more current ACM analysis and news",
    ],
)  # fmt: skip
def test_the_ends_of_other_pages_are_not_said(tail):
    text = case("name_colon")
    assert read(text + tail).turns[-1].text == "That concludes the call."


def test_a_name_that_transcripts_bear_is_no_persons():
    text = case("seeking_alpha").replace("Company Part", "SA Transcripts\nFollow\nCompany Part")
    assert rows(read(text)) == rows(read(case("seeking_alpha")))
