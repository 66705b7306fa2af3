import json
import math

import pytest
from conftest import make_call, make_example

from finllm.records import (
    METRICS,
    Score,
    csv_text,
    read_examples,
    read_jsonl,
    read_scores,
    read_transcripts,
    to_json,
    write_json,
    write_jsonl,
    write_text,
)


def test_transcripts_come_back_from_disk_as_they_were(tmp_path):
    calls = [make_call("a"), make_call("b", summary=None)]
    assert write_jsonl(tmp_path / "deep" / "calls.jsonl", calls) == 2
    assert list(read_transcripts(tmp_path / "deep" / "calls.jsonl")) == calls


@pytest.mark.parametrize(
    "text", ["naïve €5", "line\nbreak", "a\u2028b\u0085c", '"quoted" \\ tab\t']
)
def test_text_of_any_kind_keeps_one_record_a_line(tmp_path, text):
    example = make_example(answer=text)
    write_jsonl(tmp_path / "e.jsonl", [example, example])
    assert read_examples(tmp_path / "e.jsonl") == [example, example]
    assert (tmp_path / "e.jsonl").read_bytes().count(b"\n") == 2


def test_a_metric_that_is_not_defined_stays_undefined_on_disk(tmp_path):
    values = {**dict.fromkeys(METRICS, 0.1), "term_recall": None}
    score = Score("e", "base", "test", "Acme", "", "", "questions", "human", values)
    write_jsonl(tmp_path / "s.jsonl", [score])
    assert read_scores(tmp_path / "s.jsonl") == [score]


def test_equal_records_give_equal_bytes_in_the_order_of_their_fields():
    assert to_json(make_example()) == to_json(make_example())
    assert list(json.loads(to_json(make_example())))[:3] == ["id", "transcript_id", "company"]


def test_a_line_that_is_not_json_is_named_by_file_and_line(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n{"a": \n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"x\.jsonl, line 2: not JSON"):
        list(read_jsonl(tmp_path / "x.jsonl"))


def test_a_failed_write_leaves_the_old_file_whole(tmp_path):
    file = tmp_path / "e.jsonl"
    write_jsonl(file, [make_example()])
    before = file.read_bytes()

    def breaks():
        yield make_example("other")
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        write_jsonl(file, breaks())
    assert file.read_bytes() == before


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_metrics_never_hold_what_json_does_not_know(tmp_path, value):
    with pytest.raises(ValueError):
        write_json(tmp_path / "m.json", {"loss": value})
    assert not (tmp_path / "m.json").exists()


def test_metrics_are_written_with_sorted_keys_and_full_precision(tmp_path):
    write_json(tmp_path / "m.json", {"b": 0.1 + 0.2, "a": 1})
    text = (tmp_path / "m.json").read_text()
    assert text.index('"a"') < text.index('"b"') and "0.30000000000000004" in text


def test_a_written_text_leaves_no_temporary_file(tmp_path):
    write_text(tmp_path / "a.txt", "hello")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_table_has_one_line_end_and_an_empty_field_where_nothing_is():
    rows = [("a, b", 0.1), ("c", None)]
    assert csv_text(["name", "value"], rows) == 'name,value\n"a, b",0.1\nc,\n'
    assert csv_text(["name"], []) == "name\n"


def test_the_text_of_a_call_has_a_turn_a_paragraph():
    call = make_call()
    assert call.text.split("\n") == [turn.text for turn in call.turns]
