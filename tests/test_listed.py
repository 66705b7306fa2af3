"""Turns that public APIs and Hub datasets list, mapped by the fields of source.yaml."""

import json

import pytest
from test_sources import mapped, read

from finllm.corpus import listed
from finllm.corpus.call_period import call_date, normalise_period, stated_period
from finllm.corpus.cleaning import clean_transcript

TALK = [
    {"speaker": "Operator", "text": "Welcome."},
    {"speaker": "Jane Roe", "title": "Chief Financial Officer", "text": "Sales rose."},
    {"speaker": "John Doe", "title": "Analyst", "text": "How are margins?"},
]
SAID = [
    ("Operator", "operator", "Welcome."),
    ("Jane Roe", "executive", "Sales rose."),
    ("John Doe", "analyst", "How are margins?"),
]


def said(found):
    return [(turn.speaker, turn.role, turn.text) for turn in found]


@pytest.mark.parametrize(
    "value",
    [
        TALK,
        json.dumps(TALK),
        {key: [row.get(key, "") for row in TALK] for key in ("speaker", "title", "text")},
        [
            {"name": r["speaker"], "description": r.get("title"), "speech": [r["text"]]}
            for r in TALK
        ],
        [
            {"Speaker Name": r["speaker"], "Role": r.get("title"), "content": r["text"]}
            for r in TALK
        ],
        [
            {"speaker": {"name": r["speaker"], "title": r.get("title")}, "text": r["text"]}
            for r in TALK
        ],
        str(TALK),
        [
            {"speaker": "spk01", "speaker_info": {"name": r["speaker"], "title": r.get("title")}}
            | {"text": r["text"], "words": r["text"].split()}
            for r in TALK
        ],
        [{"speaker": r["speaker"], "title": r.get("title"), "speeches": [r["text"]]} for r in TALK],
        [
            {"speakerName": r["speaker"], "speakerRole": r.get("title"), "paragraphText": r["text"]}
            for r in TALK
        ],
        [
            {"transcriptpersonname": r["speaker"], "componenttext": r["text"]}
            | {"speakertypename": kind}
            for r, kind in zip(TALK, ("Operator", "Executives", "Analysts"), strict=True)
        ],
        [
            {"speakerName": r["speaker"], "speakerTitle": r.get("title"), "paragraph": r["text"]}
            for r in TALK
        ],
        [
            ["Operator", "Welcome."],
            ["Jane Roe (CFO)", "Sales rose."],
            ["John Doe (Big Bank, Analyst)", "How are margins?"],
        ],
        [
            {"Operator": "Welcome."},
            {"Jane Roe, CFO": "Sales rose."},
            {"John Doe, Analyst": "How are margins?"},
        ],
        [
            {"speaker": "Operator", "text": "Welcome."},
            {"speaker": "Jane Roe - Chief Financial Officer", "text": "Sales rose."},
            {"speaker": "John Doe, Big Bank, Analyst", "text": "How are margins?"},
        ],
    ],
)
def test_lists_of_turns_are_read_whatever_their_fields_are_called(value):
    assert said(listed.turns(value, section="unknown", field="turns")) == SAID


def test_sections_come_from_the_entry_or_from_the_name_of_its_list():
    apart = {"prepared_remarks": TALK[:2], "questions_and_answers": TALK[2:]}
    found = listed.turns(apart, section="unknown", field="transcript")
    assert [turn.section for turn in found] == ["prepared", "prepared", "qa"]
    rows = [
        TALK[0] | {"session": "management_discussion"},
        TALK[2] | {"session": "question_answer"},
    ]
    found = listed.turns(rows, section="unknown", field="transcript")
    assert [turn.section for turn in found] == ["prepared", "qa"]
    kinds = ("Presenter Speech", "Question and Answer Operator Message", "Question", "Answer")
    rows = [TALK[0] | {"transcriptcomponenttypename": kind} for kind in kinds]
    found = listed.turns(rows, section="unknown", field="transcript")
    assert [turn.section for turn in found] == ["prepared", "qa", "qa", "qa"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (7, "turns is 7; must be text, or a list of speaker and text"),
        ([1], "turns, entry 1 is 1; must be an object"),
        (
            [TALK[0], {"speaker": "x", "said": "y"}],
            "turns, entry 2 has speaker, said; the words must",
        ),
        ({"a": 1}, "none of them is a list of turns"),
    ],
)
def test_a_list_that_cannot_be_read_says_where(value, words):
    with pytest.raises(ValueError, match=words):
        listed.turns(value, section="unknown", field="turns")


def test_a_field_of_turns_is_mapped_in_json_lines(tmp_path):
    rows = [
        {
            "symbol": "ACM",
            "year": 2023,
            "quarter": 3,
            "date": "2023-10-25 17:00:00",
            "transcript": TALK,
        },
        {"symbol": "ACM", "year": 2023, "quarter": 2, "date": "", "transcript": [{"speaker": "x"}]},
        {"symbol": "ACM", "year": 2023, "quarter": 1, "date": "", "transcript": []},
    ]
    fields = {"turns": "transcript", "ticker": "symbol", "date": "date", "company": "symbol"}
    fields["period"] = ["year", "quarter"]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (call,), rejects = read(mapped(tmp_path, "jsonl", "a.jsonl", text, fields=fields))
    assert said(call.turns) == SAID
    assert (call.ticker, call.date, call.period) == ("ACM", "2023-10-25", "2023Q3")
    assert call.layout == "turns"
    assert [r.reason for r in rejects] == ["bad_turns", "empty_text"]


def test_a_name_in_the_remarks_is_an_executives_and_a_code_may_be_anybodys(tmp_path):
    for name, role in (
        ("Jane Roe", "executive"),
        ("SPEAKER_01", "unknown"),
        ("Speaker 1", "unknown"),
    ):
        said = ("Operator", "Welcome."), (name, "Sales rose."), ("Operator", "The first question "
                "is from the line of John Doe."), ("John Doe", "How are margins?")  # fmt: skip
        talk = [{"speaker": who, "text": words} for who, words in said]
        fields = {"turns": "said"}
        (raw,), _ = read(
            mapped(tmp_path, "json", "a.json", json.dumps({"said": talk}), fields=fields)
        )
        call, _ = clean_transcript(raw, repair_mojibake=True, infer_turns=True, removable=())
        assert [turn.role for turn in call.turns] == [
            "operator", role, "operator", "analyst",
        ]  # fmt: skip


def test_a_call_a_file_with_its_turns_as_a_list_is_one_record(tmp_path):
    whole = {"symbol": "ACM", "quarter": "2024Q1", "data": {"transcript": TALK}}
    fields = {"turns": "data.transcript", "period": "quarter", "company": "symbol"}
    (call,), rejects = read(mapped(tmp_path, "json", "a.json", json.dumps(whole), fields=fields))
    assert not rejects
    assert (said(call.turns), call.period) == (SAID, "2024Q1")


def test_prepared_remarks_and_questions_may_be_two_fields_of_text_or_turns(tmp_path):
    rows = [
        {"remarks": TALK[:2], "qa": TALK[2:]},
        {"remarks": "Operator: Hi.\nJane Roe: Sales rose.\nOperator: Bye.", "qa": "A question?"},
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    fields = {"prepared": "remarks", "questions": "qa"}
    calls, rejects = read(mapped(tmp_path, "jsonl", "a.jsonl", text, fields=fields))
    assert not rejects
    assert [turn.section for turn in calls[0].turns] == ["prepared", "prepared", "qa"]
    assert [turn.section for turn in calls[1].turns] == ["prepared", "qa"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"id": "a"}, "must map at least `text` to a column, or `turns`"),
        ({"turns": ["a", "b"]}, "must be one column"),
        ({"text": {"a": 1}}, "must be one column"),
    ],
)
def test_a_mapping_without_words_is_refused(tmp_path, fields, words):
    with pytest.raises(ValueError, match=words):
        read(mapped(tmp_path, "jsonl", "a.jsonl", "{}\n", fields=fields))


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("FY24 Q3", "2024Q3"), ("Q3 FY2024", "2024Q3"), ("3Q24", "2024Q3"), ("Q3'24", "2024Q3"),
        ("3Q FY24", "2024Q3"), ("FQ3 2024", "2024Q3"), ("third quarter of fiscal 2024", "2024Q3"),
        ("fiscal year 2024 third quarter", "2024Q3"), ("3T24", "2024Q3"), ("Q3 2023/24", "2024Q3"),
        ("FY 23/24 Q3", "2024Q3"), ("H1 2024", "2024Q2"), ("2H FY24", "2024Q4"),
        ("first half 2024", "2024Q2"), ("HY24", "2024Q2"), ("9M 2024", "2024Q3"),
        ("six months ended June 30, 2024", "2024Q2"), ("2024-06-30", "2024Q2"),
        ("20240630", "2024Q2"), ("30 June 2024", "2024Q2"), ("September quarter 2024", "2024Q3"),
        ("quarter ended March 31, 2024", "2024Q1"), ("FY2024", "2024Q4"), ("Fiscal 2024", "2024Q4"),
        ("Q4 and full year 2024", "2024Q4"), ("2024 3", "2024Q3"), ("2024Q5", None),
        ("spring", None), ("", ""), (None, ""),
    ],
)  # fmt: skip
def test_periods_in_the_spellings_that_people_use(text, period):
    assert normalise_period(text) == period


def test_the_date_of_a_call_is_not_its_period():
    assert stated_period("Oct 25, 2023, 8:30 a.m. ET") == ""
    assert call_date("Wednesday, October 25, 2023 12:30 PM GMT") == "2023-10-25"
    assert call_date("no date") == ""
