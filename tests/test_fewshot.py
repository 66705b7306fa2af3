import pytest
from conftest import make_example

from finllm.instruct import chat
from finllm.instruct.fewshot import few_shot_prompt, render_few_shot

SYSTEM = "Be exact."
ASKED = make_example("t", company="Acme", excerpt="Cash rose.", answer="HIDDEN")
TRAIN = [
    make_example(f"s{i}", company=f"Company {i}", excerpt=f"Sales of {i}.", answer=f"It was {i}.")
    for i in range(10)
]
MISFITS = [
    make_example("own", company="Acme", answer="OWN"),
    make_example("other", company="Calder", template="questions", answer="OTHER"),
]


def prompt(tokenizer, *, k, max_tokens=10_000, seed=1, train=TRAIN + MISFITS, asked=ASKED):
    return few_shot_prompt(
        tokenizer, asked, train, k=k, system_prompt=SYSTEM, max_tokens=max_tokens, seed=seed
    )


def n_tokens(tokenizer, found):
    return len(chat.encode_prompt(tokenizer, found.text))


def test_without_shots_it_is_the_prompt_of_training_byte_for_byte(any_tokenizer):
    found = prompt(any_tokenizer, k=0)
    assert found.text == chat.render_example(any_tokenizer, ASKED, SYSTEM)
    assert found.shot_ids == ()


def test_shots_are_earlier_turns_byte_for_byte(chatml):
    assert render_few_shot(chatml, ASKED, TRAIN[:1], SYSTEM) == (
        "<|im_start|>system\nBe exact.<|im_end|>\n"
        "<|im_start|>user\nSummarize:\n\nSales of 0.<|im_end|>\n"
        "<|im_start|>assistant\nIt was 0.<|im_end|>\n"
        "<|im_start|>user\nSummarize:\n\nCash rose.<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_without_a_template_the_system_prompt_stands_once(plain):
    assert render_few_shot(plain, ASKED, TRAIN[:1], SYSTEM) == (
        "<|begin_of_text|>Be exact.\n\nSummarize:\n\nSales of 0.\n\nAnswer: It was 0.\n\n"
        "Summarize:\n\nCash rose.\n\nAnswer: "
    )


def test_shots_are_of_the_template_and_of_other_companies(any_tokenizer):
    found = prompt(any_tokenizer, k=20)
    assert sorted(found.shot_ids) == [row.id for row in TRAIN]
    assert not any(word in found.text for word in ("OWN", "OTHER", "HIDDEN"))


def test_the_draw_depends_on_seed_and_example_only(chatml):
    found = prompt(chatml, k=3)
    assert len(set(found.shot_ids)) == 3
    assert found == prompt(chatml, k=3)
    assert len({prompt(chatml, k=3, seed=seed).shot_ids for seed in range(8)}) > 1
    others = [make_example(f"u{i}", company="Acme") for i in range(8)]
    assert len({prompt(chatml, k=3, asked=other).shot_ids for other in others}) > 1


def test_shots_stay_within_the_token_budget(any_tokenizer):
    budget = n_tokens(any_tokenizer, prompt(any_tokenizer, k=2))
    found = prompt(any_tokenizer, k=9, max_tokens=budget)
    assert len(found.shot_ids) == 2 and n_tokens(any_tokenizer, found) <= budget


def test_a_shot_that_is_too_long_is_passed_over(chatml):
    long = make_example("long", company="Calder", excerpt="Sales rose. " * 400)
    found = prompt(chatml, k=2, max_tokens=400, train=[long, TRAIN[0]])
    assert found.shot_ids == ("s0",)


def test_a_question_over_the_budget_and_a_negative_k_are_refused(chatml):
    with pytest.raises(
        ValueError, match="t: the prompt without examples has .* tokens; max_tokens is 5"
    ):
        prompt(chatml, k=1, max_tokens=5)
    with pytest.raises(ValueError, match="k is -1"):
        prompt(chatml, k=-1)
