"""The fused decoder against the model itself, and against other batches."""

import threading

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma
from transformers import LlamaConfig, LlamaForCausalLM

from finllm.model import decode_kernels, fused_decoder, packed_linear
from finllm.model.fused_decoder import Ended, can_decode, decode
from finllm.model.kernels import bits
from finllm.model.packed_linear import PackedLinear

VOCABULARY = 320
BF16 = torch.bfloat16
N_ROUNDED = 3 * 20 + 3  # tensors that are rounded one after another: of three layers, and the head


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
    events = decode(model, rows, **arguments)
    return {e.index: (e.ids, e.hit_limit) for e in events if isinstance(e, Ended)}


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
        # both logits are moved by rounding; a random token is behind by five times as much
        moved = 2 * gamma(N_ROUNDED, BF16) * before.abs().amax(-1)
        assert (best.values - chosen <= moved).all()
    assert np.mean(agreed) > 0.5


@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_an_answer_does_not_depend_on_the_batch(model, batch_size):
    assert run(model, prompts(), batch_size=batch_size) == run(model, prompts())


@pytest.mark.parametrize("n_threads", [1, 3])
def test_an_answer_does_not_depend_on_the_number_of_threads(model, n_threads):
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        found = run(model, prompts())
        assert torch.get_num_threads() == n_threads, "what was set is left as it was"
    finally:
        torch.set_num_threads(before)
    assert found == run(model, prompts())


@pytest.mark.parametrize("n_asked", [1, 2, 6])
def test_a_draft_changes_the_number_of_steps_and_no_answer(model, n_asked, monkeypatch):
    repeating = [[5, 6, 7, 8] * 9, [9, 9, 9, 9, 9], *prompts()]
    steps = []
    step = fused_decoder.FusedDecoder.step

    def counted(self, tokens, *where):
        steps.append(tokens)
        return step(self, tokens, *where)

    monkeypatch.setattr(fused_decoder.FusedDecoder, "step", counted)
    settings = {"max_new_tokens": 40, "batch_size": 1}
    monkeypatch.setattr(fused_decoder, "N_ASKED", n_asked)
    found = run(model, repeating, **settings)
    n_steps = len(steps)
    steps.clear()
    monkeypatch.setattr(fused_decoder, "N_ASKED", 1)
    assert found == run(model, repeating, **settings)
    assert n_steps < len(steps) if n_asked > 1 else n_steps == len(steps) == 39 * 9


def test_a_stop_in_an_accepted_draft_ends_the_answer(model, monkeypatch):
    prompt = [5, 6, 7, 8] * 9
    free = run(model, [prompt], max_new_tokens=40)[0][0]
    for stop in set(free):
        ids, hit_limit = run(model, [prompt], max_new_tokens=40, stop_ids=[stop])[0]
        assert (ids, hit_limit) == (free[: free.index(stop)], False)


def test_more_answers_than_one_step_takes(model, monkeypatch):
    whole = run(model, prompts(), batch_size=7)
    monkeypatch.setattr(fused_decoder, "ANSWERS_A_STEP", 2)
    assert run(model, prompts(), batch_size=7) == whole


def test_an_error_of_a_worker_reaches_the_caller(model, monkeypatch):
    def broken(*_):
        raise RuntimeError("no memory")

    monkeypatch.setattr(fused_decoder.FusedDecoder, "step", broken)
    with pytest.raises(RuntimeError, match="no memory"):
        run(model, prompts())


def test_who_stops_listening_stops_the_workers(model):
    n_before = threading.active_count()
    events = decode(model, prompts(), max_new_tokens=200, stop_ids=[], batch_size=4)
    next(events)
    events.close()
    assert threading.active_count() == n_before


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


def test_a_first_token_may_end_an_answer(model):
    first = run(model, prompts())[4][0][0]
    assert run(model, prompts(), stop_ids=[first])[4] == ([], False)


@pytest.mark.parametrize("n_past", [0, 1, 15, 16, 37])
def test_a_new_token_attends_to_the_cache_and_to_itself(n_past):
    kv, group, dim, row = 2, 3, 32, 1
    torch.manual_seed(n_past)
    k, v = torch.randn(2, kv, n_past + 1, dim).bfloat16()
    q = torch.randn(kv * group, dim).bfloat16()
    keys, values = decode_kernels.empty_cache(1, 3, kv, 40, dim, dtype=torch.bfloat16)
    decode_kernels.store(bits(k[:, :-1]), bits(v[:, :-1]), keys[0, row], values[0, row])
    values[0, row, :, -1] = 0x7F007F00  # of a longer answer that had the row before
    qkv = torch.cat([q.flatten(), k[:, -1].flatten(), v[:, -1].flatten()])[None]
    turn = torch.ones(1, dim).bfloat16(), torch.zeros(1, dim).bfloat16()
    out = torch.empty(1, kv * group * dim).bfloat16()
    decode_kernels.attend(
        bits(qkv), *map(bits, turn), np.float32(dim**-0.5), np.array([row]), np.array([n_past]),
        keys[0], values[0], bits(out), (0,) * group,
    )  # fmt: skip
    expected = torch.nn.functional.scaled_dot_product_attention(
        q.view(kv, group, dim).float(), k.float(), v.float()
    )
    # q is rounded when it is scaled, and the mixture; all between is in float32
    q, scale = q.view(kv, group, dim).float(), dim**-0.5
    weights = torch.softmax(scale * q @ k.float().mT, -1)
    scores = (gamma(1, BF16) + gamma(dim, torch.float32)) * scale * (q.abs() @ k.float().abs().mT)
    moved = torch.expm1(2 * scores.amax(-1, keepdim=True)) + gamma(n_past + 20, torch.float32)
    allowed = moved * (weights @ v.float().abs()) * (1 + gamma(1, BF16))
    found = out.view(kv, group, dim)
    assert_within(found, expected, allowed + gamma(1, BF16) * expected.abs())


def test_the_first_of_equal_logits_is_chosen():
    logits = torch.tensor([[-3.0, -1.0, -2.0, -1.0], [0.0, 1.0, 5.0, 5.0]]).bfloat16()
    chosen = np.empty(2, np.int64)
    decode_kernels.choose(bits(logits), chosen)
    assert chosen.tolist() == [1, 2]


@pytest.mark.parametrize("dtype", [BF16, torch.float32])
@pytest.mark.parametrize("plain", [False, True])
def test_a_product_is_the_product_packed_where_the_processor_can_and_plain(
    dtype, plain, monkeypatch
):
    if plain:
        monkeypatch.setattr(packed_linear, "packable", lambda _: False)
    torch.manual_seed(0)
    x, residual = torch.randn(5, 64).to(dtype), torch.randn(5, 48).to(dtype)
    weights = (torch.randn(2, 48, 64) / 8).to(dtype)
    up, gate = (PackedLinear(weight) for weight in weights)
    assert up.packs == (not plain and packed_linear.packable(dtype))
    a, b = (x.double() @ weight.double().T for weight in weights)
    # a sum of 64 terms in float32 and a rounding of the result; where it is not fused, of each part
    size = x.double().abs() @ weights.double().abs().mT
    of_a, of_b = gamma(64, torch.float32) * size + gamma(1, dtype) * torch.stack([a, b]).abs()
    assert_within(up(x), a, of_a)
    total = a + residual.double()
    assert_within(up.plus(x, residual), total, of_a + gamma(2, dtype) * total.abs())
    opened = torch.nn.functional.silu(b)
    # the slope of SiLU is below 1.1
    allowed = (1.1 * of_b + gamma(2, dtype) * opened.abs()) * (a.abs() + of_a)
    allowed += (opened.abs() + of_b) * of_a + gamma(2, dtype) * (opened * a).abs()
    assert_within(up.opened_by(gate, x), opened * a, allowed)


@pytest.mark.parametrize("dtype", [BF16, torch.float32])
def test_a_type_without_packed_products_here_keeps_its_weight_as_it_is(dtype):
    weight = torch.randn(48, 64).to(dtype)
    linear = PackedLinear(weight)
    if not linear.packs:
        assert linear.weight.data_ptr() == weight.data_ptr()
    assert linear(torch.zeros(3, 64, dtype=dtype)).shape == (3, 48)


@pytest.mark.parametrize("shape", [(960, 576), (576, 576), (1536, 576), (576, 1536), (4096, 576)])
def test_products_of_64_to_320_rows_by_one_thread_are_rounded_alike(shape):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        torch.manual_seed(0)
        linear = PackedLinear(torch.randn(shape).bfloat16())
        x, residual = torch.randn(320, shape[1]).bfloat16(), torch.randn(320, shape[0]).bfloat16()
        plain, plus = linear(x[:64]), linear.plus(x[:64], residual[:64])
        opened = linear.opened_by(linear, x[:64])
        for n in (65, 97, 128, 200, 256, 320):
            assert torch.equal(linear(x[:n])[:64], plain)
            assert torch.equal(linear.plus(x[:n], residual[:n])[:64], plus)
            assert torch.equal(linear.opened_by(linear, x[:n])[:64], opened)
    finally:
        torch.set_num_threads(before)


def test_only_a_plain_llama_in_bfloat16_or_float32_is_decoded_so(model):
    assert can_decode(model) and can_decode(LlamaForCausalLM(model.config))
    assert not can_decode(LlamaForCausalLM(model.config).to(torch.float16))
