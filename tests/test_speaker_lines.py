"""Lines that announce a speaker, in forms that differ by publisher."""

import pytest
from test_layouts import read, rows

from finllm.corpus import layouts

ROLES = {
    "Operator": "operator", "Jane Roe": "executive", "Karl Weber": "executive",
    "John Doe": "analyst", "Ann Lee": "analyst",
}  # fmt: skip
WORDS = [
    ("Operator", "Good day and welcome to the call."), ("Jane Roe", "Sales rose 5%."),
    ("Karl Weber", "Costs fell."), ("Operator", "Our first question is from John Doe."),
    ("John Doe", "How are margins?"), ("Jane Roe", "Stable."), ("Ann Lee", "And what about cash?"),
    ("Karl Weber", "It rose."),
]  # fmt: skip
TURNS = [
    (who, ROLES[who], "prepared" if n < 3 else "qa") for n, (who, _) in enumerate(WORDS)
]  # fmt: skip
TITLES = {
    "Jane Roe": "CEO",
    "Karl Weber": "Chief Financial Officer & Member of the Executive Board",
}
FIRMS = {"John Doe": "Banque Delorme", "Ann Lee": "Analyst, Copley Square", "Operator": "Operator"}
GROUPS = {"operator": "Operator", "executive": "Executives", "analyst": "Analysts"}


def written(form: str, *, operator: str) -> str:
    """The call with each speaker announced in a form; ``operator`` is the form for the operator."""
    lines = []
    for who, words in WORDS:
        chosen = operator if who == "Operator" else form
        detail = (TITLES | FIRMS)[who]
        group = GROUPS[ROLES[who]]
        tag = "Q" if ROLES[who] == "analyst" else "A"
        lines.append(chosen.format(who=who, detail=detail, group=group, tag=tag, words=words))
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("form", "operator"),
    [
        ("{who} | {detail}\n{words}", "Operator | Operator\n{words}"),
        ("{who} \u00b7 {detail}\n{words}", "Operator\n{words}"),
        ("{who} ({detail}):\n{words}", "Operator:\n{words}"),
        ("### {who} ({detail})\n{words}", "### Operator\n{words}"),
        ("{who}\n{group}\n{words}", "Operator\nOperator\n{words}"),
        ("{who}\n{detail}\n{tag}\n{words}", "Operator\n{words}"),
        ("{who} [{tag}]: {words}", "Moderator [M]: {words}"),
    ],
)
def test_speakers_are_announced_in_this_form(form, operator):
    call = read(written(form, operator=operator))
    assert rows(call) == TURNS
    assert [turn.text for turn in call.turns] == [words for _, words in WORDS]


def test_titles_in_brackets_alone_on_a_line_need_no_markup():
    text = written("{who} ({detail})\n{words}", operator="OPERATOR\n{words}")
    assert rows(read(text.replace("Banque Delorme", "Analyst, Delorme"))) == TURNS


def test_a_firm_may_stand_where_others_have_a_title():
    text = written("{who}, {detail}: {words}", operator="Operator: {words}")
    call = read(text.replace("Analyst, Copley Square", "Avonbridge"))
    assert rows(call) == TURNS
    prose = "North America, Latin America: both grew.\nNet Sales: up.\nNorth America: up.\n" * 2
    assert layouts.read(prose) is None


@pytest.mark.parametrize(
    "title", ["Directrice g\u00e9n\u00e9rale", "Leiter Finanzen", "Presidente"]
)
def test_titles_in_other_languages_announce_a_speaker(title):
    text = written("{who}, {detail}: {words}", operator="Operator: {words}")
    said = read(text.replace(TITLES["Karl Weber"], title).replace(TITLES["Jane Roe"], title))
    assert rows(said) == TURNS


def test_a_surname_and_a_tag_announce_who_speaks():
    text = (
        "Moderator: Thank you for joining us today.\nTanaka: Net sales were JPY41.2 billion.\n"
        "Moderator [M]: We will now take questions.\nYamada [Q]: And the yen?\n"
        "Tanaka [A]: It helped.\nParticipant [Q]: And inventory?\nTanaka [A]: Fine.\n"
    )
    assert rows(read(text)) == [
        ("Operator", "operator", "prepared"), ("Tanaka", "executive", "prepared"),
        ("Operator", "operator", "qa"), ("Yamada", "analyst", "qa"), ("Tanaka", "executive", "qa"),
        ("Participant", "analyst", "qa"), ("Tanaka", "executive", "qa"),
    ]  # fmt: skip


def test_a_group_speaks_in_a_dialogue_and_in_prose_it_does_not():
    text = written("{who}: {words}", operator="Moderator: {words}")
    said = read(f"{text}\nManagement: No comment.\nParticipant: Okay, sir.").turns
    assert [(t.speaker, t.role) for t in said[-2:]] == [
        ("Management", "executive"), ("Participant", "analyst"),
    ]  # fmt: skip
    page = written("{who} -- {detail}\n{words}", operator="Operator\n{words}")
    page = page.replace("Stable.", "Stable.\nManagement: that is us.").replace("Banque", "Bank")
    assert "Management: that is us." in read(page).text


def test_a_list_after_a_colon_is_not_said():
    head = (
        "Acme Limited\nQ2 FY '25 Earnings Conference Call\n"
        "MANAGEMENT: MS. JANE ROE - CHAIRMAN - ACME LIMITED\n"
        "MODERATOR: MR. KARL WEBER - BATLIWALA SECURITIES\n"
    )
    call = read(head + written("{who}: {words}", operator="Moderator: {words}"))
    assert rows(call) == TURNS
    assert (call.company, call.period) == ("Acme Limited", "2025Q2")


def test_a_ticker_before_a_colon_is_no_speaker():
    head = "Harrowgate Hotels, Inc. (NYSE:HGH) Q3 2024 Earnings Call Transcript November 5, 2024\n"
    call = read(head + written("{who}: {words}", operator="Operator: {words}"))
    assert rows(call) == TURNS
    assert (call.company, call.ticker) == ("Harrowgate Hotels, Inc", "HGH")


def test_a_dialogue_may_be_in_one_line():
    text = written("{who}: {words}", operator="Operator: {words}").replace("\n", " ")
    longer = text.replace("Costs fell.", "Costs fell. " + "We saved energy. " * 12 + "It is done.")
    assert rows(read(longer)) == TURNS
    assert rows(read("Sales rose. Net Income: 5. " * 40)) == [("", "unknown", "prepared")]
