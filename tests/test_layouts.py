"""Transcripts as publishers lay them out: turns, roles, sections, heads and tails."""

import json
import re
from pathlib import Path

import pytest

from finllm.corpus import layouts
from finllm.corpus.cleaning import clean_transcript
from finllm.corpus.layouts import names
from finllm.records import Transcript, Turn

CASES = Path(__file__).parent / "transcripts"
EXPECTED = json.loads((CASES / "expected.json").read_text())
EARNINGS21 = Path(__file__).parents[1] / "../shared/data/earnings21"


def read(text: str, **known) -> Transcript:
    """The call that cleaning makes of a text; every word is in a turn or counted as removed."""
    facts = {"company": "", "period": "", **known}
    turn = Turn("", "unknown", "unknown", text)
    raw = Transcript("x", facts["company"], facts["period"], "", "x", (turn,), None)
    record, counts = clean_transcript(raw, repair_mojibake=True, infer_turns=True, removable=())
    gone = sum(n for key, n in counts.items() if key.startswith(("words_removed", "words_joined")))
    assert counts["words_before"] == counts["words_after"] + gone
    return record


def case(name: str) -> str:
    return (CASES / f"{name}.txt").read_text(encoding="utf-8")


def rows(call: Transcript) -> list[tuple[str, str, str]]:
    return [(turn.speaker, turn.role, turn.section) for turn in call.turns]


@pytest.mark.parametrize(
    "name", ["motley_fool", "seeking_alpha", "factset", "capital_iq", "name_colon"]
)
def test_one_call_in_five_layouts(name):
    call = read(case(name))
    wanted = EXPECTED["turns"][: 7 if name in ("motley_fool", "seeking_alpha", "name_colon") else 6]
    assert rows(call) == [tuple(row[:3]) for row in wanted]
    for turn, row in zip(call.turns, wanted, strict=True):
        text = re.sub(r"^\[Operator instructions\] ", "", turn.text, flags=re.I)
        assert text.startswith(row[3].partition(" (")[0])
        for word in ("<", "Vice President, Inv", "Research Division", "Participants", "analysis"):
            assert word not in turn.text
    assert call.layout == name
    if name in ("motley_fool", "seeking_alpha"):
        assert (call.company, call.ticker) == (EXPECTED["company"], EXPECTED["ticker"])
        assert (call.period, call.date) == (EXPECTED["period"], "2023-10-25")
    else:
        assert (call.company, call.period) == ("", "")


@pytest.mark.parametrize(
    ("name", "layout", "facts", "said"),
    [
        (
            "motley_fool_dashes",
            "motley_fool",
            ("Globex International, Inc", "GLBX", "2024Q4", "2025-02-06"),
            "Operator|Siobhan O'Leary|Hans-Peter Müller, Jr.||Operator|Wei Zhang*|Operator|Wei "
            "Zhang*"
            "|Siobhan O'Leary|Unknown speaker|Unidentified Analyst*|Operator",
        ),
        (
            "seeking_alpha_no_list",
            "seeking_alpha",
            ("Umbria Corp", "UMB", "2022Q2", ""),
            "Operator|Jill Valente|Albert Stone|Rebecca Chambers|Albert Stone||Operator"
            "|Chris Rothfeld*|Albert Stone|Chris Rothfeld*|Rebecca Chambers|Operator|Leon Kennard*"
            "|Rebecca Chambers|Operator",
        ),
        (
            "bloomberg_letters",
            "seeking_alpha",
            ("Varnholt Industries Ltd", "VRN", "2024Q2", "2023-10-25"),
            "Operator|Art Varnholt||Operator|Kel Norden*|H.E. Pellham|Martin van Oosten*"
            "|Art Varnholt|Operator",
        ),
        (
            "bloomberg_tags",
            "factset",
            ("Varnholt Industries", "VRN", "", "2023-10-25"),
            "Operator|Art Varnholt||Operator|Kel Norden*|H.E. Pellham|Q*|Art Varnholt",
        ),
        (
            "factset_letters",
            "factset",
            ("Acme Corp", "ACM", "2023Q3", "2023-10-25"),
            "Operator|Mary Major|Jane Roe||Operator|John Doe*|Jane Roe",
        ),
        (
            "capital_iq_page",
            "capital_iq",
            ("Waldau Enterprises", "WALD", "2024Q1", "2024-05-02"),
            "Operator|Lucius Fehr|Bruce T. Waldau||Operator|Harvey Denk*|Bruce T. Waldau"
            "|Selina Kehl*|Lucius Fehr|Unknown Executive|Operator",
        ),
        (
            "streetevents",
            "streetevents",
            ("Corvane Industries Inc", "", "2019Q3", "2019-10-29"),
            "Operator|Virginia Pell||Operator|Justin Hasler*|Anthony E. Corva"
            "|Unidentified Analyst*",
        ),
        (
            "streetevents_titles",
            "streetevents",
            ("Ostrava Labs", "", "2024Q2", ""),
            "Operator|NORMAN OSTRA|MENDEL STROM||Operator|MAX DELLON*|NORMAN OSTRA"
            "|CURT CORNELL*|MENDEL STROM",
        ),
        (
            "streetevents_dashes",
            "streetevents",
            ("Halvorsen Kite Group", "HLK", "2024Q2", "2024-08-01"),
            "Operator|Ingrid Halvorsen|Samuel Brook||Operator|Petra Lindqvist*|Samuel Brook"
            "|Samantha Brook*|Samuel Brook|Operator",
        ),
        (
            "capital_iq_firms",
            "capital_iq",
            ("Ferro Pipes plc", "FRP", "2024Q2", "2024-08-08"),
            "Operator|Gwen Marsh|Ivan Petrov||Operator|Noor Haddad*|Ivan Petrov|Paul Ito*"
            "|Gwen Marsh",
        ),
        (
            "factset_page",
            "factset",
            ("Tarn Semiconductor NV", "TRN", "2024Q3", "2024-10-24"),
            "Operator|Elsa Tarn|Rob Fisk||Operator|Ken Abe*|Elsa Tarn|Ken Abe*|Operator",
        ),
        (
            "changing",
            "name_colon+motley_fool",
            ("Acme Corp", "ACM", "2023Q3", ""),
            "Operator|Mary Major|Jane Roe||Operator|John Doe*|Jane Roe|John Doe*|Jane Roe|Operator",
        ),
    ],
)
def test_other_pages_of_these_publishers(name, layout, facts, said):
    """In ``said`` a star marks an analyst, and ``||`` the start of the questions."""
    call = read(case(name))
    assert (call.company, call.ticker, call.period, call.date) == facts
    wanted = []
    for section, part in zip(("prepared", "qa"), said.split("||"), strict=True):
        for who in part.split("|"):
            speaker = who.rstrip("*")
            role = "analyst" if who != speaker else "executive"
            role = "operator" if speaker == "Operator" else role
            wanted.append((speaker, role, section))
    assert rows(call) == wanted
    assert call.layout == layout


def test_an_analyst_with_an_executives_title_is_told_by_the_firm_before_it():
    call = read(case("motley_fool").replace("Big Bank -- Analyst", "Big Bank -- Managing Director"))
    assert call.layout == "motley_fool"
    assert {turn.role for turn in call.turns if turn.speaker == "John Doe"} == {"analyst"}


def test_a_list_of_names_alone_beside_a_list_with_titles_takes_no_speaker_for_a_title():
    said = "Jane Roe\nSales rose.\nJohn Doe\nMargins?\nJane Roe\nStable.\nMary Major\nAnd cash?\n"
    text = (
        f"Executives\nJane Roe\nChief Executive Officer\nAnalysts\nJohn Doe\nMary Major\n\n{said}"
    )
    assert [turn.speaker for turn in read(text).turns][-1] == "Mary Major"


def test_what_is_said_above_the_first_announced_speaker_is_kept():
    opening = "Good day and welcome to the call, in which we discuss the results of the quarter. "
    text = opening + "\n\n" + case("capital_iq").partition("Operator\n\n")[2].partition("\n\n")[2]
    assert read(text).turns[0].text == opening.strip()
    page = "This page has what was said when the company presented its results of the quarter.\n"
    assert "This page" not in read(page + text.removeprefix(opening)).text


def test_lines_may_begin_with_the_time_and_the_operator_may_come_in_once():
    times = "".join(f"[00:0{n}:15] {line}\n" for n, line in enumerate((
        "Jane Roe: Good day.", "Karl Weber: Sales rose.", "Jane Roe: Operator?",
        "Operator: Our first question is from John Doe.", "John Doe: And margins?",
        "Karl Weber: Stable.",
    )))  # fmt: skip
    said = [turn.speaker for turn in read(times).turns]
    assert said == ["Jane Roe", "Karl Weber", "Jane Roe", "Operator", "John Doe", "Karl Weber"]


def test_the_operator_is_known_by_the_name_of_that_part_in_other_languages():
    french = (
        "Op\u00e9ratrice : Bonjour et bienvenue.\nClaire Dubois : Les ventes ont augment\u00e9.\n"
        "Op\u00e9ratrice : La premi\u00e8re question vient de Paul Petit.\n"
        "Paul Petit : Et la marge ?\nClaire Dubois : Elle est stable.\n"
    )
    assert rows(read(french)) == [
        ("Operator", "operator", "prepared"), ("Claire Dubois", "executive", "prepared"),
        ("Operator", "operator", "qa"), ("Paul Petit", "analyst", "qa"),
        ("Claire Dubois", "executive", "qa"),
    ]  # fmt: skip


def test_the_tail_of_a_page_is_no_question():
    call = read(case("motley_fool_dashes"))
    assert call.turns[-1].text == "[Operator signoff]"
    assert "10 best stocks" not in call.text and "O'Leary -" not in call.text


def test_a_list_of_participants_in_the_middle_of_a_page_cuts_nothing_off():
    text = case("motley_fool").replace("Questions & Answers:", "Call participants:\n\nQ&A:")
    assert [turn.speaker for turn in read(text).turns][-3:] == ["John Doe", "Jane Roe", "Operator"]


def test_what_the_source_maps_goes_before_what_the_page_says():
    call = read(case("motley_fool"), company="ACME", period="2023Q2")
    assert (call.company, call.period, call.ticker) == ("ACME", "2023Q2", "ACM")


def test_a_period_that_cannot_be_read_costs_the_period_alone():
    turn = Turn("", "unknown", "unknown", case("name_colon"))
    raw = Transcript("x", "Acme", "spring", "", "x", (turn,), None)
    call, counts = clean_transcript(raw, repair_mojibake=True, infer_turns=True, removable=())
    assert (call.period, counts["unreadable_periods"], len(call.turns)) == ("", 1, 7)


VARIANTS = {
    "odd spacing": lambda t: re.sub(r"\n", "  \n \t", t.replace(" ", "  ")),
    "CRLF": lambda t: t.replace("\n", "\r\n"),
    "non-breaking spaces": lambda t: t.replace(" ", "\u00a0"),
    "smart quotes": lambda t: t.replace("'", "\u2019").replace('"', "\u201c"),
    "no empty lines": lambda t: re.sub(r"\n\n+", "\n", t),
    "en dashes": lambda t: re.sub(r" --? ", " \u2013 ", t),
    "em dashes": lambda t: re.sub(r" --? ", " \u2014 ", t),
    "upper-case names": lambda t: re.sub("Mary Major|Jane Roe|John Doe", lambda m: m[0].upper(), t),
    "one surname": lambda t: t.replace("Mary Major", "Mary Roe"),
    "markdown": lambda t: re.sub(
        r"(?m)^(Operator|Mary Major.{0,60}|Jane Roe.{0,60})$", r"**\1**", t
    ),
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    "name", ["motley_fool", "seeking_alpha", "factset", "capital_iq", "name_colon"]
)
def test_odd_typing_changes_no_turn(name, variant):
    plain, call = read(case(name)), read(VARIANTS[variant](case(name)))

    def who(speaker: str) -> str:
        return speaker.title().replace("Mary Roe", "Mary Major")

    assert [(who(s), r, p) for s, r, p in rows(call)] == rows(plain)
    assert [len(turn.text.split()) for turn in call.turns] == [
        len(turn.text.split()) for turn in plain.turns
    ]


def test_one_person_in_two_spellings_is_one_speaker():
    text = case("seeking_alpha").replace("\nJane Roe\n", "\nJANE ROE\n", 1)
    assert {turn.speaker for turn in read(text).turns} == {
        "Operator", "Mary Major", "Jane Roe", "John Doe",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "Highlights: sales rose.\nOutlook: good.\nNext: more.\nRisks: none.",
        "Sales rose.\nMargins fell.\nWe expect growth.\n" * 9,
        "Gross Margin\nIt rose.\nNet Income\nIt fell.\nGross Margin\nIt rose.\n",
        "Operator\nWelcome.\n",
        "",
    ],
)
def test_text_that_names_no_speakers_has_no_layout(text):
    assert layouts.read(text) is None


def test_an_unknown_layout_is_read_by_the_rules_for_flat_text():
    call = read(
        "Sales rose.\n" * 9 + "Our first question comes from Ann Lee with Bank.\nAnd costs?"
    )
    assert call.layout == "plain"
    assert [turn.role for turn in call.turns] == ["unknown", "operator", "analyst"]


@pytest.mark.parametrize(
    "name",
    ["Jane Roe", "JANE ROE", "Jean-Luc O'Brien", "Wim van der Berg", "T. J. Hooper", "Larry Page",
     "John Doe, Jr.", "Xiaomeng (Sam) Li", "Anne d'Abo", "Ng\u00f4 B\u1ea3o", "Operator",
     "Unidentified Analyst", "Dr. Jane Roe, CFA"],
)  # fmt: skip
def test_names(name):
    assert names.is_name(name)


@pytest.mark.parametrize(
    "text",
    ["Thank you", "Good Morning", "Gross Margin", "Free Cash Flow", "Sales rose", "Roe",
     "Fantastic. Thanks, Mark", "Questions and Answers", "Q3 2023 Results", "Forward-Looking "
                                                                            "Statements"],
)  # fmt: skip
def test_no_names(text):
    assert not names.is_name(text)


@pytest.mark.skipif(not EARNINGS21.is_dir(), reason="../shared/data/earnings21 is absent")
def test_calls_of_earnings21_come_back_from_every_layout():
    from benchmarks import layouts as benchmark

    calls = benchmark.load(EARNINGS21)[:2]
    for layout, write in benchmark.WRITERS.items():
        for variant in ("as published", "80 columns", "one surname"):
            for call in calls:
                changed, text = benchmark.varied(call, write, variant)
                counts = benchmark.compare(changed, read(text), layout=layout)
                row = benchmark.shares(counts)
                assert min(row["turns"], row["sections"]) >= 0.98, (layout, variant, call.id)
                assert row["roles"] >= 0.95, (layout, variant, call.id)  # name_colon infers them


def test_a_long_file_takes_a_time_in_proportion_to_its_length():
    """Many lists and many tails in one file: counted in calls, since no clock is needed."""
    import cProfile
    import pstats

    def n_calls(times: int) -> int:
        profile = cProfile.Profile()
        profile.runcall(layouts.read, case("seeking_alpha") * times)
        return pstats.Stats(profile).total_calls

    assert n_calls(160) < 4.4 * n_calls(40)
