"""Answers as they come: what a kill leaves behind is what the next run goes on from."""

from finllm.answering.generate import Answer
from finllm.answering.journal import Journal

ROWS = [Answer(2, [5, 6], False), Answer(0, [], False), Answer(1, [7] * 50, True)]


def test_what_was_kept_is_read(tmp_path):
    journal = Journal(tmp_path / "runs" / "a.jsonl")
    assert journal.read() == {}
    assert list(journal.keep(ROWS)) == ROWS
    assert journal.read() == {row.index: row for row in ROWS}
    journal.remove()
    assert journal.read() == {}


def test_an_answer_is_on_disk_before_it_is_passed_on(tmp_path):
    journal = Journal(tmp_path / "a.jsonl")
    rows = journal.keep(ROWS)
    next(rows)
    assert list(Journal(journal.path).read()) == [2]


def test_a_line_that_was_cut_off_is_answered_again(tmp_path):
    journal = Journal(tmp_path / "a.jsonl")
    list(journal.keep(ROWS))
    whole = journal.path.read_bytes()
    for cut in range(1, 60):
        journal.path.write_bytes(whole[:-cut])
        assert list(journal.read()) == [2, 0]
        list(journal.keep(ROWS[2:]))
        assert journal.path.read_bytes() == whole
