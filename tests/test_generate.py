import pytest
import torch
from bounds import assert_no_near_tie
from conftest import tiny_llama
from hypothesis import given
from hypothesis import strategies as st

from finllm.answering.generate import answers, greedy_batch, plan_batches
from finllm.model import attention

N_NEW = 24


@pytest.fixture(scope="module")
def model():
    return tiny_llama(attention.NAME)


@pytest.fixture(scope="module")
def prompts():
    generator = torch.Generator().manual_seed(5)
    return [torch.randint(3, 320, (n,), generator=generator).tolist() for n in (1, 30, 7, 7, 2, 19)]


def ours(model, prompts, stop=(), n_new=N_NEW, pad=0):
    answers = greedy_batch(model, prompts, max_new_tokens=n_new, stop_ids=stop, pad_id=pad)
    return {answer.index: answer for answer in answers}


def theirs(prompt, stop=(), n_new=N_NEW):
    """The continuation that transformers' own ``generate`` gives one prompt alone."""
    model = tiny_llama("eager")
    ids = torch.tensor([prompt])
    out = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=n_new,
        do_sample=False,
        eos_token_id=list(stop) or None,
        pad_token_id=0,
    )
    return out[0, len(prompt) :].tolist()


def test_every_token_is_the_one_that_transformers_generates(model, prompts):
    found = ours(model, prompts)
    for i, prompt in enumerate(prompts):
        assert found[i].ids == theirs(prompt)


def test_no_token_of_these_answers_hangs_on_rounding(prompts):
    """So the tests of this file compare tokens, and hold wherever float32 rounds otherwise."""
    rows = [prompt + theirs(prompt) for prompt in [*prompts, [5], [9], [200]]]
    assert_no_near_tie(tiny_llama("eager"), rows, N_NEW)


def test_a_batch_of_prompts_of_one_token_works(model, prompts):
    short = [[5], [9], [200]]
    found = ours(model, short)
    for i, prompt in enumerate(short):
        assert found[i].ids == theirs(prompt)


def test_an_answer_does_not_depend_on_its_batch(model, prompts):
    together = ours(model, prompts)
    for i, prompt in enumerate(prompts):
        assert ours(model, [prompt])[0].ids == together[i].ids
    backwards = ours(model, prompts[::-1])
    assert backwards[0].ids == together[len(prompts) - 1].ids


def test_the_padding_id_has_no_effect(model, prompts):
    for pad in (0, 7, 319):
        assert ours(model, prompts, pad=pad) == ours(model, prompts)


def test_an_answer_ends_before_its_stop_id_and_the_others_go_on(model, prompts):
    whole = {i: answer.ids for i, answer in ours(model, prompts).items()}
    stop = {whole[1][3], whole[5][0]}  # one prompt's fourth token, another's very first
    found = ours(model, prompts, stop=stop)
    for i, ids in whole.items():
        ends = [n for n, token in enumerate(ids) if token in stop]
        assert found[i].ids == ids[: ends[0] if ends else N_NEW]
        assert found[i].hit_limit == (not ends)
    assert found[5].ids == []
    assert any(answer.hit_limit for answer in found.values())
    assert found[1].ids == theirs(prompts[1], stop)[: len(found[1].ids)]


def test_a_stop_id_as_the_last_allowed_token_is_no_hit_of_the_limit(model, prompts):
    ids = ours(model, prompts[1:2])[0].ids
    n_new = next(n for n in range(2, N_NEW) if ids[n] not in ids[:n])
    found = ours(model, prompts[1:2], stop=[ids[n_new]], n_new=n_new + 1)[0]
    assert found.ids == ids[:n_new] and not found.hit_limit
    cut = ours(model, prompts[1:2], stop=[ids[n_new]], n_new=n_new)[0]
    assert cut.ids == ids[:n_new] and cut.hit_limit


def test_every_prompt_is_answered_once_and_the_shortest_answers_come_first(model, prompts):
    stop = [ours(model, prompts)[2].ids[1]]
    rows = list(greedy_batch(model, prompts, max_new_tokens=N_NEW, stop_ids=stop, pad_id=0))
    assert sorted(row.index for row in rows) == list(range(len(prompts)))
    lengths = [len(row.ids) for row in rows]
    assert lengths == sorted(lengths) and lengths[0] < N_NEW


def test_an_empty_prompt_is_an_error(model):
    with pytest.raises(ValueError, match="prompt 1 is empty"):
        list(answers(model, [[5], []], max_new_tokens=3, stop_ids=[], pad_id=0, batch_size=2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_who_goes_on_gets_the_answers_of_who_was_not_killed(prompts, dtype):
    model = tiny_llama(attention.NAME).to(dtype)
    settings = {"max_new_tokens": 9, "stop_ids": [], "pad_id": 0, "batch_size": 2}
    whole = {row.index: row for row in answers(model, prompts, **settings)}
    assert sorted(whole) == list(range(len(prompts)))
    for done in ({0}, {1, 3, 4}, set(range(len(prompts)))):
        rest = {row.index: row for row in answers(model, prompts, done=done, **settings)}
        assert rest == {i: row for i, row in whole.items() if i not in done}


def test_no_batch_of_a_plan_holds_two_parts_and_each_is_planned_as_if_alone():
    parts, lengths = ["", "b", "", "b", "", "b"], [5, 1, 3, 9, 4, 2]
    plan = plan_batches(lengths, 2, parts)
    assert plan == [[2, 4], [0], [1, 5], [3]]
    assert plan[:2] == [[2 * i for i in batch] for batch in plan_batches([5, 3, 4], 2)]


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 9))
def test_a_plan_holds_every_prompt_once_in_full_batches_sorted_by_length(lengths, size):
    plan = plan_batches(lengths, size)
    order = [i for batch in plan for i in batch]
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[i] for i in order] == sorted(lengths)
    assert all(len(batch) == size for batch in plan[:-1]) and all(plan)
