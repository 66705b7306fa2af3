"""Clicks on disk and ballots: nothing lost, no name a path, no letter tells the model."""

import json
import os

import pytest

from finllm.rating import ballot, clicks
from finllm.rating.clicks import Click, append, latest, rater_name, read_clicks, read_folder
from finllm.records import Prediction
from tests.conftest import make_example


def click(question="accuracy", answer="A", value=4, **changes):
    values = {
        "rater": "ann",
        "example_id": "e1",
        "question": question,
        "answer": answer,
        "value": value,
        "a_model": "tuned",
        "pair_sha256": "00",
        "time": "2026-11-22T10:00:00.000+00:00",
    }
    return Click(**{**values, **changes})


def prediction(example_id, text, model="base"):
    return Prediction(example_id, model, text, "00", 1, 1, False)


def test_a_click_is_synced_to_the_disk_before_append_returns(tmp_path, monkeypatch):
    seen = []
    real = os.fsync

    def spy(descriptor):
        path = tmp_path / "ann.jsonl"
        seen.append(path.read_text() if path.exists() else "")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    append(tmp_path, click())
    assert json.loads(seen[0]) == vars(click()) and len(seen) == 2  # the file, then its folder
    append(tmp_path, click(value=2))
    assert seen[2].count("\n") == 2
    assert read_clicks(tmp_path / "ann.jsonl") == [click(), click(value=2)]


def test_a_line_that_a_crash_cut_off_is_dropped_and_the_next_click_starts_a_new_one(tmp_path):
    append(tmp_path, click())
    path = tmp_path / "ann.jsonl"
    whole = path.read_bytes()
    for cut in range(1, len(whole)):  # every place where a write can stop
        path.write_bytes(whole + whole[:cut])
        assert read_clicks(path) == [click()], cut
    append(tmp_path, click(value=1))
    assert read_clicks(path) == [click(), click(value=1)]


def test_the_last_click_wins_by_rater_question_answer_and_pair():
    rows = [
        click(value=4),
        click(value=2),
        click(answer="B", value=5),
        click(rater="ben", value=1),
        click(pair_sha256="11", value=3),
    ]
    assert latest(rows) == [rows[1], rows[2], rows[3], rows[4]]


def test_points_and_preferences_go_to_the_model_behind_the_letter():
    assert clicks.model_points(click(answer="A", a_model="tuned", value=4)) == ("tuned", 4)
    assert clicks.model_points(click(answer="B", a_model="tuned", value=2)) == ("base", 2)
    assert clicks.model_points(click(answer="B", a_model="base", value=2)) == ("tuned", 2)
    found = {
        (value, model): clicks.tuned_preferred(click("preference", "", value, a_model=model))
        for value in ("A", "B", "tie")
        for model in ("base", "tuned")
    }
    assert found == {
        ("A", "base"): 0.0,
        ("A", "tuned"): 1.0,
        ("B", "base"): 1.0,
        ("B", "tuned"): 0.0,
        ("tie", "base"): 0.5,
        ("tie", "tuned"): 0.5,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": 6}, "value is 6; one of 1, 2, 3, 4, 5"),
        ({"value": True}, "value is True"),
        ({"value": "4"}, "value is '4'"),
        ({"question": "style"}, "question is 'style'"),
        ({"answer": "C"}, "answer is 'C'; one of A, B"),
        ({"question": "preference", "value": "A"}, "answer is 'A'"),
        ({"question": "preference", "answer": "", "value": 3}, "value is 3; one of A, B, tie"),
        ({"a_model": "lead"}, "a_model is 'lead'"),
        ({"rater": "../ann"}, "rater's name is '../ann'"),
    ],
)
def test_a_click_that_no_page_offers_is_refused_and_not_written(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        append(tmp_path, click(**change))
    assert list(tmp_path.iterdir()) == []


def test_a_whole_line_that_is_no_click_names_the_file_and_the_line(tmp_path):
    append(tmp_path, click())
    path = tmp_path / "ann.jsonl"
    for line in ("{", "[]", '{"rater": "ann"}', json.dumps({**vars(click()), "value": 9})):
        path.write_text(json.dumps(vars(click())) + "\n" + line + "\n")
        with pytest.raises(ValueError, match="ann.jsonl, line 2: not a rating"):
            read_clicks(path)
    path.rename(tmp_path / "ben.jsonl")
    (tmp_path / "ben.jsonl").write_text(json.dumps(vars(click())) + "\n")
    with pytest.raises(ValueError, match="ben.jsonl, line 1: rater is 'ann', not 'ben'"):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["", " ", ".", "..", "../x", "a/b", "a\\b", "a.b", "-a", "a\0", "a\nb", "é", "a" * 33, "<b>"],
)
def test_no_name_of_a_rater_is_a_path(name):
    with pytest.raises(ValueError, match="letters a-z, digits"):
        rater_name(name)


def test_names_are_trimmed_and_lower_so_that_one_person_has_one_file():
    assert rater_name(" Ann-2_b ") == "ann-2_b"


def test_a_folder_without_ratings_has_no_clicks(tmp_path):
    assert read_folder(tmp_path) == []
    assert read_clicks(tmp_path / "nobody.jsonl") == []


def test_pairs_come_in_one_order_whatever_the_order_of_the_files_and_equal_answers_are_left_out():
    examples = [make_example(f"e{i}") for i in range(20)]
    base = [prediction(e.id, "Same. " if e.id == "e7" else "Base.") for e in examples]
    tuned = [prediction(e.id, "Same." if e.id == "e7" else "Tuned.") for e in examples]
    found = ballot.pairs(examples, base, tuned)
    again = ballot.pairs(examples[::-1], base[::-1], tuned)
    ids = [pair.example.id for pair in found]
    assert ids == [pair.example.id for pair in again]
    assert sorted(ids) == sorted(e.id for e in examples if e.id != "e7") and ids != sorted(ids)
    assert all((pair.base, pair.tuned) == ("Base.", "Tuned.") for pair in found)


def test_predictions_that_do_not_answer_the_examples_are_refused():
    examples, rows = [make_example("e1")], [prediction("e1", "x")]
    with pytest.raises(ValueError, match="e1: tuned has no answer"):
        ballot.pairs(examples, rows, [])
    with pytest.raises(ValueError, match="e1: base answered twice"):
        ballot.pairs(examples, rows * 2, rows)


def test_which_model_is_a_is_a_fair_coin_by_rater_and_example_and_never_changes():
    sides = {
        rater: [ballot.a_model(rater, f"e{i}") for i in range(400)] for rater in ("ann", "ben")
    }
    assert sides["ann"] == [ballot.a_model("ann", f"e{i}") for i in range(400)]
    for found in sides.values():
        assert 160 < found.count("tuned") < 240  # four standard deviations
    same = sum(a == b for a, b in zip(*sides.values(), strict=True))
    assert 160 < same < 240
