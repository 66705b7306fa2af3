import re

import pytest
from conftest import make_example

from finllm.instruct import chat, inspection

ROWS = [make_example("a:summarization"), make_example("a:questions", template="questions")]


def encode(tokenizer, example):
    prompt = chat.render_prompt(
        tokenizer,
        system_prompt="Be exact.",
        instruction=example.instruction,
        excerpt=example.excerpt,
    )
    return prompt, chat.encode_example(tokenizer, prompt, example.answer)


def test_the_runs_cover_every_token_and_their_text_is_the_example(any_tokenizer):
    prompt, encoded = encode(any_tokenizer, ROWS[0])
    runs = inspection.segments(any_tokenizer, encoded)
    assert sum(n for *_, n in runs) == len(encoded.input_ids)
    assert sum(n for _, _, has_loss, n in runs if not has_loss) == encoded.n_prompt
    assert "".join(text for text, _, has_loss, _ in runs if not has_loss) == prompt
    answer = ROWS[0].answer + chat.end_of_answer(any_tokenizer)
    assert "".join(text for text, _, has_loss, _ in runs if has_loss) == answer
    assert runs[-1][1], "the last token, which ends the answer, is special and carries loss"


def test_without_colour_a_line_marks_the_loss_and_with_colour_the_text_is_the_same(chatml):
    _, encoded = encode(chatml, ROWS[0])
    plain = inspection.show(chatml, ROWS[0], encoded, colour=False)
    coloured = inspection.show(chatml, ROWS[0], encoded, colour=True)
    assert "\x1b" not in plain and plain.count("--- loss starts here ---") == 1
    assert f"{inspection.ANSWER}{ROWS[0].answer}{inspection.RESET}" in coloured
    bare = re.sub(r"\x1b\[[\d;]*m", "", coloured)
    assert bare == plain.replace("\n--- loss starts here ---\n", "")


def test_a_figure_that_the_training_masks_is_shown_without_loss(chatml):
    prompt, _ = encode(chatml, ROWS[0])
    start = ROWS[0].answer.index(" ")
    encoded = chat.encode_example(chatml, prompt, ROWS[0].answer, silent=[(0, start)])
    word, rest = ROWS[0].answer[:start], ROWS[0].answer[start:]
    plain = inspection.show(chatml, ROWS[0], encoded, colour=False)
    n_masked = len(encoded.silent)
    assert n_masked and f"of answer with loss, {n_masked} of unstated figures without" in plain
    assert f"--- loss starts here ---\n[without loss:{word}]{rest}" in plain
    assert plain.count("loss starts here") == 1
    coloured = inspection.show(chatml, ROWS[0], encoded, colour=True)
    assert f"{word}{inspection.RESET}{inspection.ANSWER}{rest}" in coloured


def test_an_example_is_picked_by_template_and_index():
    assert inspection.pick(ROWS, template="", index=1) is ROWS[1]
    assert inspection.pick(ROWS, template="questions", index=0) is ROWS[1]
    with pytest.raises(ValueError, match="index 1: must be in 0 to 0"):
        inspection.pick(ROWS, template="questions", index=1)
    with pytest.raises(ValueError, match="'understanding'; available: questions, summarization"):
        inspection.pick(ROWS, template="understanding", index=0)
