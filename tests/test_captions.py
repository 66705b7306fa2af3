"""Captions of recorded calls: times, numbers and marks go, words and speakers stay."""

import pytest
from test_layouts import read, rows

from finllm.corpus import documents
from finllm.corpus.captions import without_times

SAID = [
    "Operator: Good day and welcome to the third quarter call.", "Jane Roe: Sales rose 3%,",
    "Jane Roe: and costs were $61 million.", "Operator: Our first question is from John Doe.",
    "John Doe: What about 2025?", "Jane Roe: We are\nconfident.",
    "Operator: That concludes the call.",
]  # fmt: skip
TURNS = [
    ("Operator", "operator", "prepared"), ("Jane Roe", "executive", "prepared"),
    ("Operator", "operator", "qa"), ("John Doe", "analyst", "qa"), ("Jane Roe", "executive", "qa"),
    ("Operator", "operator", "qa"),
]  # fmt: skip


def cues(said: list[str], *, numbered: bool, sign: str = ".") -> str:
    number = "{n}\n" if numbered else ""
    form = number + "00:00:0{n}{sign}120 --> 00:00:0{n}{sign}900\n{text}\n\n"
    return "".join(form.format(n=n, sign=sign, text=text) for n, text in enumerate(said, 1))


def voiced(line: str) -> str:
    who, _, text = line.partition(": ")
    return f"<v {who}>{text}</v>"


@pytest.mark.parametrize(
    "text",
    [
        "WEBVTT\n\n" + cues(SAID, numbered=True),
        "WEBVTT - a call\n\n" + cues(SAID, numbered=False),
        "WEBVTT\n\n" + cues([voiced(line) for line in SAID], numbered=False),
        cues(SAID, numbered=True, sign=","),
        cues([*SAID[:2], "and costs were $61 million.", *SAID[3:]], numbered=True, sign=","),
    ],
)
def test_cues_become_the_turns_of_their_speakers(text):
    call = read(text)
    assert rows(call) == TURNS
    assert call.turns[1].text == "Sales rose 3%, and costs were $61 million."
    assert call.turns[4].text == "We are confident."
    assert "00:0" not in call.text


def test_a_number_that_is_said_in_a_cue_stays():
    assert without_times(cues(["We grew in", "2024"], numbered=False)) == "We grew in 2024"
    assert without_times(cues(["We grew in", "2024"], numbered=True)) == "We grew in 2024"


def test_automatic_captions_show_each_line_twice_and_are_read_once():
    shown = ["good<00:00:00.700><c> morning</c>", "good morning", "good morning\nsales<c> rose</c>"]
    assert without_times("WEBVTT\n\n" + cues(shown, numbered=False)) == "good morning sales rose"


def test_times_alone_on_lines_go_and_a_few_stay():
    times = "0:00\ngood morning\n0:06\nsales rose\n1:00:11\ncosts fell"
    assert without_times(times) == "good morning\nsales rose\ncosts fell"
    assert without_times("It starts at\n10:30\nsharp") == "It starts at\n10:30\nsharp"
    assert without_times("Jane Roe: One.\n(02:47)\nTwo.") == "Jane Roe: One.\nTwo."


def test_arrows_mark_a_new_speaker():
    text = "".join(f">> {line}\n" for line in SAID if "and costs" not in line)
    assert rows(read(text.replace("Jane Roe", "JANE ROE"))) == [
        (who.replace("Jane Roe", "JANE ROE"), role, section) for who, role, section in TURNS
    ]
    assert without_times(cues([">> Hi.", "How are", ">> Fine."], numbered=False)) == (
        "Hi. How are\nFine."
    )


@pytest.mark.parametrize("name", ["a.vtt", "a.srt"])
def test_files_of_captions_are_read(tmp_path, name):
    (tmp_path / name).write_text("WEBVTT\n\n" + cues(SAID, numbered=True))
    assert name.endswith(documents.SUFFIXES)
    assert rows(read(documents.read_document(tmp_path / name, encoding="utf-8"))) == TURNS


@pytest.mark.parametrize(
    "form",
    [
        "{who} (00:1{n}):\n{text}", "{who}  1:0{n}\n{text}", "{who} \u00b7 00:00:1{n}\n{text}",
        "[{who}] 10:02:1{n}\n{text}", "{who} [00:00:1{n}] {text}", "{who} | 0:1{n}\n{text}",
        "{who}, Avonbridge | 0:1{n}\n{text}",
    ],
)  # fmt: skip
def test_a_time_after_a_name_announces_who_speaks(form):
    said = [line.split(": ", 1) for line in SAID if "and costs" not in line]
    text = "\n".join(form.format(who=who, n=n, text=words) for n, (who, words) in enumerate(said))
    call = read(text)
    assert rows(call) == TURNS
    assert call.turns[1].text == "Sales rose 3%,"


def test_a_time_at_the_end_of_what_is_said_stays():
    text = "Operator: Welcome.\nJane Roe: It is 10:30\nOperator: Thanks.\nJane Roe: Bye.\n"
    assert read(text).turns[1].text == "It is 10:30"
