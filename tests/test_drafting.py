import numpy as np
import pytest
from conftest import make_call

from finllm.instruct import drafting
from finllm.instruct.reference_audit import audit_references, auditor, shares
from finllm.records import Example, Line, Turn, to_json

SYSTEM = "Be exact."


@pytest.fixture
def lines(tmp_path):
    """Calls whose figures differ, as lines of a file."""
    texts = [
        f"Revenue rose {n}% to ${n} million. Our gross margin was {n + 30}%. We expect more. "
        f"Stores opened well. Net income was ${n + 2} million. We thank our people."
        for n in range(3, 9)
    ]
    calls = [
        make_call(f"call{i}", turns=(Turn("Ann", "executive", "prepared", text),))
        for i, text in enumerate(texts)
    ]
    return [Line(tmp_path, i, to_json(call)) for i, call in enumerate(calls, 1)]


def make_drafter(chatml, folder):
    chatml.save_pretrained(folder)

    def budget():
        return drafting.token_budget(
            str(folder),
            revision="",
            system_prompt=SYSTEM,
            max_tokens=600,
            max_answer_tokens=150,
            sentences="rule",
        )

    return drafting.drafter(budget=budget, lexicon="", paraphrases=True, seed=7)


def test_a_calls_examples_do_not_depend_on_the_calls_beside_it(chatml, tmp_path, lines):
    draft = make_drafter(chatml, tmp_path / "tokenizer")
    together, alone = draft(lines), [draft([line]) for line in reversed(lines)]
    assert together.lines and sorted(together.lines) == sorted(x for d in alone for x in d.lines)
    assert sorted(map(to_json, together.rejects)) == sorted(
        to_json(reject) for d in alone for reject in d.rejects
    )


def test_keys_and_lines_name_the_same_examples_and_the_line_of_their_call(chatml, tmp_path, lines):
    drafts = make_drafter(chatml, tmp_path / "tokenizer")(lines)
    rows = [Example(**Line(tmp_path, 1, line).row()) for line in drafts.lines]
    assert len(rows) == len(drafts.keys) >= len(lines)
    for row, key in zip(rows, drafts.keys, strict=True):
        assert (row.id, row.template, row.provenance) == (key.id, key.template, key.provenance)
        assert (row.n_prompt_tokens, row.n_answer_tokens) == (
            key.n_prompt_tokens,
            key.n_answer_tokens,
        )
        assert lines[key.call - 1].transcript().id == row.transcript_id


def test_the_audit_by_batches_is_the_audit_of_all(chatml, tmp_path, lines):
    drafts = make_drafter(chatml, tmp_path / "tokenizer")(lines)
    rows = [Line(tmp_path, i, line) for i, line in enumerate(drafts.lines, 1)]
    of_call = {
        line.number: [
            row for row, key in zip(rows, drafts.keys, strict=True) if key.call == line.number
        ]
        for line in lines
    }
    pairs = [(line, of_call[line.number]) for line in lines]
    whole = audit_references(
        (Example(**row.row()) for row in rows), (line.transcript() for line in lines)
    )
    assert shares(auditor()(pairs)) == whole and whole["understanding"]["n_figures"]
    with pytest.raises(ValueError, match="out of order"):
        auditor()([(lines[0], of_call[2])])


def test_two_calls_draw_differently_and_one_call_the_same_again():
    one, again, other = (
        drafting.call_generator(7, name).integers(10**9) for name in ("a", "a", "b")
    )
    assert one == again != other
    assert drafting.call_generator(8, "a").integers(10**9) != one
    assert isinstance(one, np.integer)
