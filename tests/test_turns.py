from pathlib import Path

import pytest

from finllm.corpus import cues, flat, revcom, turns
from finllm.records import Turn

EARNINGS21 = Path(__file__).parents[1] / "../shared/data/earnings21"
LONG = "We had a good quarter and sales rose in each of our regions by more than we planned. " * 4
CALL = [
    ("voice 0", "Good day, and welcome to the call. Today's conference is being recorded."),
    ("voice 1", LONG),
    ("voice 2", LONG + " We can now take questions. Operator?"),
    ("voice 0", "To ask a question, press star one. Our first question comes from Bob of Bank."),
    ("voice 2", "Good morning, Bob."),
    ("voice 3", "Thanks for taking my question. How is demand?"),
    ("voice 4", "Demand is fine in every region that we serve."),
    ("voice 3", "Thank you."),
    ("voice 0", "The next question is from the line of Jim with Broker. Please go ahead."),
    ("voice 5", "Hi. Could you talk about margins?"),
    ("voice 4", "Sure. They are stable, as we said."),
    ("voice 2", "I agree."),
    ("voice 0", "This concludes today's conference. You may disconnect."),
]
ROLES = {
    "voice 0": "operator",
    "voice 1": "executive",
    "voice 2": "executive",
    "voice 3": "analyst",
    "voice 4": "executive",
    "voice 5": "analyst",
}


def labelled(call: list[tuple[str, str]]) -> list[Turn]:
    return [Turn(speaker, "unknown", "unknown", text) for speaker, text in call]


def test_roles_follow_the_hand_overs_and_who_spoke_before():
    assigned = turns.assign(labelled(CALL))
    assert {turn.speaker: turn.role for turn in assigned} == ROLES
    assert [turn.text for turn in assigned] == [text for _, text in CALL]


def test_questions_begin_with_the_operators_turn():
    sections = [turn.section for turn in turns.assign(labelled(CALL))]
    assert sections == ["prepared"] * 3 + ["qa"] * 10


def test_roles_that_the_source_knows_stay():
    known = tuple(Turn("x", "analyst", "prepared", text) for _, text in CALL)
    assert turns.assign(known) == known
    half = labelled(CALL)
    half[6] = Turn("voice 4", "analyst", "unknown", CALL[6][1])
    assert turns.assign(half)[6].role == "analyst"


def test_without_any_hand_over_the_announcement_opens_the_questions():
    call = [CALL[0], CALL[1], CALL[2], ("voice 3", "How is demand?"), ("voice 1", "Good.")]
    assigned = turns.assign(labelled(call))
    assert [turn.section for turn in assigned] == ["prepared"] * 3 + ["qa"] * 2
    assert assigned[3].role == "analyst"


def test_a_host_who_hands_over_once_opens_the_questions():
    call = labelled([
        ("Jane Roe", "Good morning, and welcome."), ("Karl Weber", "Sales rose."),
        ("Jane Roe", "We come to your questions. The first question comes from Ann Lee of Bank."),
        ("Ann Lee", "How much capex do you plan?"), ("Karl Weber", "About 60 million."),
        ("Jane Roe", "Thank you."),
    ])  # fmt: skip
    assigned = turns.assign(call)
    assert [turn.section for turn in assigned] == ["prepared"] * 2 + ["qa"] * 4
    assert assigned[3].role == "analyst"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Our first question comes from the line of Ann Lee with Bank.", True),
        ("We'll take our next question from Paul Betz with Stifel.", True),
        ("Your line is now open.", True),
        ("My first question is about margins.", False),
        ("Now let's move to Specialty Minerals.", False),
        ("That is a good question.", False),
    ],
)
def test_hand_overs_are_told_from_talk_about_questions(text, expected):
    assert cues.hands_over(text) is expected


def assign_flat(*lines: str) -> tuple[Turn, ...]:
    return turns.assign([Turn("", "unknown", "unknown", "\n".join(lines))])


def test_flat_prepared_remarks_are_one_turn():
    (turn,) = assign_flat("Sales rose.", "Margins fell.", "We expect growth.")
    assert (turn.role, turn.section) == ("unknown", "prepared")


def test_flat_text_divides_where_the_floor_is_opened():
    lines = [f"Sales rose in region {i}." for i in range(8)]
    head, tail = assign_flat(
        *lines, "Operator, we are ready for our first question.", "How is demand?"
    )
    assert (head.section, tail.section) == ("prepared", "qa")
    assert head.text.endswith("our first question.")
    assert tail.text == "How is demand?"


def test_an_early_promise_of_questions_is_no_boundary():
    lines = [f"Sales rose in region {i}." for i in range(8)]
    (turn,) = assign_flat("Later we will be happy to take questions.", *lines)
    assert turn.section == "prepared"


def test_flat_questions_divide_by_hand_overs_and_question_marks():
    parts = assign_flat(
        "Sales rose.",
        "To ask a question, press star one.",
        "Our first question comes from Ann Lee with Bank.",
        "Please go ahead.",
        "Good morning.",
        "How is demand?",
        "And where?",
        "Demand is good.",
        "It is good everywhere.",
        "Our next question comes from Bob Roe with Broker.",
        "What of margins?",
        "They are stable.",
    )
    assert [(turn.role, turn.section) for turn in parts] == [
        ("unknown", "prepared"),
        ("operator", "qa"),
        ("analyst", "qa"),
        ("unknown", "qa"),
        ("operator", "qa"),
        ("analyst", "qa"),
        ("unknown", "qa"),
    ]
    assert parts[1].text.startswith("To ask a question") and parts[1].text.endswith("go ahead.")
    assert parts[2].text == "Good morning.\nHow is demand?\nAnd where?"


def test_flat_words_after_a_hand_over_without_a_question_are_nobodys():
    parts = assign_flat(
        "Sales rose.", "Our first question comes from Ann Lee with Bank.", *["So."] * 20
    )
    assert [turn.role for turn in parts] == ["unknown", "operator", "unknown"]


def test_flat_text_full_of_questions_without_a_boundary_stays_unknown():
    (turn,) = assign_flat("How is demand?", "Good.", "And margins?", "Good.")
    assert (turn.role, turn.section) == ("unknown", "unknown")


def test_heading_lines_name_the_speakers():
    text = "\n".join(
        [
            "Prepared Remarks:",
            "Operator",
            "Welcome to the call.",
            "Jane Roe -- Chief Financial Officer",
            "Sales rose.",
            "Questions and Answers:",
            "Operator",
            "Bob, please go ahead.",
            "Bob Lee -- Big Bank -- Analyst",
            "How is demand?",
            "Jane Roe -- Chief Financial Officer",
            "Good.",
        ]
    )
    assigned = turns.assign([Turn("", "unknown", "unknown", text)])
    assert [(t.speaker, t.role, t.section) for t in assigned] == [
        ("Operator", "operator", "prepared"),
        ("Jane Roe", "executive", "prepared"),
        ("Operator", "operator", "qa"),
        ("Bob Lee", "analyst", "qa"),
        ("Jane Roe", "executive", "qa"),
    ]


def test_names_before_a_colon_divide_a_dialogue():
    text = "Jane Roe: Sales rose.\nThey did.\nBob Lee: Why?\nJane Roe: Demand.\nBob Lee: Thanks."
    parts = flat.split(Turn("", "unknown", "unknown", text))
    assert [part.speaker for part in parts] == ["Jane Roe", "Bob Lee", "Jane Roe", "Bob Lee"]
    assert parts[0].text == "Sales rose.\nThey did."


def test_a_colon_in_prose_makes_no_speaker():
    turn = Turn("", "unknown", "unknown", "Highlights: sales rose.\nOutlook: good.\nNext: more.")
    assert flat.split(turn) == [turn]


@pytest.mark.skipif(not EARNINGS21.is_dir(), reason="../shared/data/earnings21 is absent")
def test_most_calls_of_earnings21_get_a_boundary_and_analysts():
    n_calls = n_with_both = 0
    for record, _, _ in revcom.read(EARNINGS21, source="x", encoding="utf-8"):
        assigned = turns.assign(record.turns)
        assert [turn.text for turn in assigned] == [turn.text for turn in record.turns]
        sections = [turn.section for turn in assigned]
        roles = {turn.role for turn in assigned}
        n_calls += 1
        n_with_both += "qa" in sections and {"analyst", "operator", "executive"} <= roles
    assert n_calls == 33
    assert n_with_both >= 30


def test_the_questions_begin_with_the_first_analyst_where_the_source_says_who_is_one():
    said = [("Ann", "executive", "Sales rose."), ("Bob", "analyst", "And margins?"),
            ("Ann", "executive", "Stable.")]  # fmt: skip
    found = turns.assign([Turn(name, role, "unknown", text) for name, role, text in said])
    assert [turn.section for turn in found] == ["prepared", "qa", "qa"]
