"""``inspect --call``: who says what, on a screen of 100 columns."""

import sys

import pytest

from finllm import cli
from finllm.records import Reject, Transcript, Turn, write_jsonl

CALL = Transcript(
    "acme-q3", "Acme Corp", "2023Q3", "", "mine",
    (
        Turn("Operator", "operator", "prepared", "Welcome to the call."),
        Turn("Jane Roe", "executive", "prepared", "Sales rose in all regions. " * 20),
        Turn("John Doe", "analyst", "qa", "How are\nmargins?"),
        Turn("", "unknown", "qa", "Fine."),
    ),
    None, ticker="ACM", date="2023-10-25", layout="seeking_alpha",
)  # fmt: skip


@pytest.fixture
def shown(tmp_path, monkeypatch, capsys):
    write_jsonl(tmp_path / "transcripts.jsonl", [CALL])
    reject = Reject("bad", "bad.pdf", 0, "no_text_layer", "a scan")
    write_jsonl(tmp_path / "rejects.jsonl", [reject])
    monkeypatch.setenv("COLUMNS", "100")

    def run(call_id: str = "acme-q3", *, terminal: bool = False, no_colour: str = "") -> str:
        monkeypatch.setenv("NO_COLOR", no_colour)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
        file = str(tmp_path / "transcripts.jsonl")
        cli.main(["inspect", "--call", call_id, "--transcripts", file])
        return capsys.readouterr().out

    return run


def test_a_call_at_a_glance(shown):
    lines = shown().splitlines()
    assert lines[0] == "acme-q3: Acme Corp (ACM), 2023Q3, 2023-10-25"
    assert lines[1] == "layout: seeking_alpha; 4 turns, 3 speakers, 108 words"
    assert lines[2] == "turns by role: 1 operator, 1 executive, 1 analyst, 1 unknown"
    assert lines[4].startswith("-- prepared remarks ---")
    assert lines[7].startswith("-- questions and answers ---")
    assert lines[5].split() == "1 operator Operator Welcome to the call.".split()
    assert lines[6].endswith("...") and lines[8].endswith("How are margins?")
    assert "(no name)" in lines[9]
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in "".join(lines)


def test_colour_is_for_terminals_and_not_where_nobody_wants_it(shown):
    coloured = shown(terminal=True)
    assert "\x1b[32m   2  executive" in coloured and "\x1b[33m   3  analyst" in coloured
    assert "\x1b[31m   4  unknown" in coloured
    assert "\x1b" not in shown(terminal=True, no_colour="1")


@pytest.mark.parametrize(
    ("call_id", "words"),
    [
        ("acme-q4", "no call 'acme-q4' among 1; did you mean acme-q3?"),
        ("bad", "bad was rejected: no_text_layer: a scan (bad.pdf)"),
    ],
)
def test_a_call_that_is_not_there_says_why(shown, call_id, words):
    with pytest.raises(SystemExit) as caught:
        shown(call_id)
    assert words in str(caught.value)


def test_no_transcripts_yet_is_one_line(tmp_path):
    with pytest.raises(SystemExit, match="run `dvc repro clean` first"):
        cli.main(["inspect", "--call", "x", "--transcripts", str(tmp_path / "none.jsonl")])
