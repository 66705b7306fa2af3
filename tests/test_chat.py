from dataclasses import replace

import pytest
from conftest import byte_level_tokenizer

from finllm.instruct import chat

ASK = {"system_prompt": "Be exact.", "instruction": "Summarize:", "excerpt": "Revenue grew 12%."}
ANSWER = "Revenue rose 12% to $4.2 billion."


def text_of(tokenizer, ids):
    return tokenizer.decode(ids, skip_special_tokens=False)


def encoded(tokenizer, answer=ANSWER):
    return chat.encode_example(tokenizer, chat.render_prompt(tokenizer, **ASK), answer)


def test_chatml_is_rendered_byte_for_byte(chatml):
    prompt = (
        "<|im_start|>system\nBe exact.<|im_end|>\n"
        "<|im_start|>user\nSummarize:\n\nRevenue grew 12%.<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert chat.render_prompt(chatml, **ASK) == prompt
    assert text_of(chatml, encoded(chatml).input_ids) == prompt + ANSWER + "<|im_end|>"


def test_the_format_of_llama_3_is_rendered_byte_for_byte(llama3):
    prompt = (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe exact.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nSummarize:\n\nRevenue grew 12%.<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )
    assert chat.render_prompt(llama3, **ASK) == prompt
    assert text_of(llama3, encoded(llama3).input_ids) == prompt + ANSWER + "<|eot_id|>"


def test_a_base_model_without_a_template_is_asked_in_plain_words(plain):
    prompt = "<|begin_of_text|>Be exact.\n\nSummarize:\n\nRevenue grew 12%.\n\nAnswer: "
    assert chat.render_prompt(plain, **ASK) == prompt
    assert text_of(plain, encoded(plain).input_ids) == prompt + ANSWER + "<|end_of_text|>"


def test_the_prompt_of_prediction_is_the_exact_beginning_of_the_training_text(any_tokenizer):
    prompt = chat.render_prompt(any_tokenizer, **ASK)
    row = encoded(any_tokenizer)
    assert row.input_ids[: row.n_prompt] == chat.encode_prompt(any_tokenizer, prompt)


@pytest.mark.parametrize("answer", [ANSWER, " leading blank", "\n\nlines\nof it\n", "7", "€ 5 ✓"])
def test_the_loss_covers_exactly_the_answer_and_the_token_that_ends_it(any_tokenizer, answer):
    row = encoded(any_tokenizer, answer)
    end = chat.end_of_answer(any_tokenizer)
    assert text_of(any_tokenizer, row.input_ids[row.n_prompt :]) == answer + end
    assert row.input_ids[-1] == any_tokenizer.convert_tokens_to_ids(end)
    assert row.input_ids[-1] in chat.stop_ids(any_tokenizer)


@pytest.mark.parametrize("name", ["llama3", "plain"])
def test_a_prompt_has_exactly_one_bos_even_where_the_tokenizer_adds_one(request, name):
    tokenizer = request.getfixturevalue(name)
    assert tokenizer("x")["input_ids"][0] == tokenizer.bos_token_id  # it would add a second
    assert encoded(tokenizer).input_ids.count(tokenizer.bos_token_id) == 1


def test_an_empty_system_prompt_leaves_the_templates_own(chatml, llama3):
    ask = {**ASK, "system_prompt": ""}
    assert "You are helpful" in chat.render_prompt(chatml, **ask)
    assert "system" not in chat.render_prompt(llama3, **ask)


def test_a_template_that_shows_another_prompt_once_there_is_an_answer_is_an_error():
    template = (
        "{% for m in messages %}[{{ m['role'] }}"
        "{% if messages[-1]['role'] == 'assistant' %}*{% endif %}] {{ m['content'] }}</s>"
        "{% endfor %}{% if add_generation_prompt %}[assistant] {% endif %}"
    )
    tokenizer = byte_level_tokenizer(["<s>", "</s>"], bos="<s>", eos="</s>", template=template)
    with pytest.raises(ValueError, match="renders the prompt differently"):
        chat.end_of_answer(tokenizer)


def test_a_template_that_does_not_end_an_answer_is_an_error():
    template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    tokenizer = byte_level_tokenizer(["<s>", "</s>"], bos="<s>", eos="</s>", template=template)
    with pytest.raises(ValueError, match="ends an answer"):
        chat.end_of_answer(tokenizer)


def test_an_answer_ends_at_the_templates_end_of_turn_and_at_the_end_of_text(llama3):
    tokenizer = byte_level_tokenizer(
        ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"],
        bos="<|begin_of_text|>",
        eos="<|end_of_text|>",
        template=llama3.chat_template,
    )
    names = tokenizer.convert_ids_to_tokens(chat.stop_ids(tokenizer))
    assert set(names) == {"<|end_of_text|>", "<|eot_id|>"}


def test_prompts_are_paired_by_a_hash_that_one_byte_changes():
    assert chat.prompt_sha256("a") == chat.prompt_sha256("a") != chat.prompt_sha256("a ")


def test_an_encoding_is_a_value(chatml):
    row = encoded(chatml)
    assert row == encoded(chatml) and row != replace(row, n_prompt=row.n_prompt - 1)


def test_a_silent_span_carries_no_loss_and_everything_else_of_the_answer_does(any_tokenizer):
    start = ANSWER.index("$4.2 billion")
    span = (start, start + len("$4.2 billion"))
    prompt = chat.render_prompt(any_tokenizer, **ASK)
    row = chat.encode_example(any_tokenizer, prompt, ANSWER, silent=[span])
    plain = chat.encode_example(any_tokenizer, prompt, ANSWER)
    assert (
        row.input_ids == plain.input_ids
        and plain.labels[plain.n_prompt :] == plain.input_ids[plain.n_prompt :]
    )
    learned = [token for token, label in zip(row.input_ids, row.labels, strict=True) if label >= 0]
    said = text_of(any_tokenizer, learned).replace(" ", "")
    assert said.startswith("Revenuerose12%to.") and "4.2" not in said
