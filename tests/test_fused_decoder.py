"""The fused decoder against the model itself, and against other batches."""

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from finllm.model.fused_decoder import can_decode, decode

VOCABULARY = 320


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        initializer_range=0.1,
    )
    return LlamaForCausalLM(config).to(torch.bfloat16).eval()


def prompts(n=7):
    rng = np.random.default_rng(4)
    return [rng.integers(3, VOCABULARY, length).tolist() for length in (3, 300, 40, 40, 1, 77, 9)][
        :n
    ]


def run(model, rows, **settings):
    arguments = {"max_new_tokens": 12, "stop_ids": [], "batch_size": 4, **settings}
    return {i: (ids, limit) for i, ids, limit in decode(model, rows, **arguments)}


def test_each_token_is_the_models_own_choice(model):
    exact = LlamaForCausalLM(model.config).eval()
    exact.load_state_dict({name: value.float() for name, value in model.state_dict().items()})
    found = run(model, prompts())
    assert found.keys() == set(range(7))
    agreed = []
    for i, (ids, hit_limit) in found.items():
        assert len(ids) == 12 and hit_limit
        with torch.no_grad():
            logits = exact(torch.tensor([prompts()[i] + ids])).logits[0]
        before = logits[len(prompts()[i]) - 1 : -1]
        best, chosen = before.max(-1), before.gather(1, torch.tensor(ids)[:, None])[:, 0]
        agreed += (best.indices == torch.tensor(ids)).tolist()
        assert (best.values - chosen).max() < 0.1 * before.std()
    assert np.mean(agreed) > 0.9


@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_an_answer_does_not_depend_on_the_batch(model, batch_size):
    assert run(model, prompts(), batch_size=batch_size) == run(model, prompts())


def test_a_stop_ends_an_answer_and_is_not_part_of_it(model):
    free = run(model, prompts())
    stop = free[1][0][5]
    found = run(model, prompts(), stop_ids=[stop])
    for i, (ids, hit_limit) in found.items():
        whole = free[i][0]
        expected = whole[: whole.index(stop)] if stop in whole else whole
        assert ids == expected
        assert hit_limit == (stop not in whole)


def test_no_prompts_have_no_answers(model):
    assert run(model, []) == {}


def test_only_a_plain_bfloat16_llama_is_decoded_so(model):
    assert can_decode(model)
    assert not can_decode(LlamaForCausalLM(model.config))
