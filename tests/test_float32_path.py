"""The fused layers and the decoder in float32, against float64 and against themselves."""

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from finllm.model import attention, decode_kernels, fused_decoder, kernels
from finllm.model.fused import FusedLlama
from finllm.model.fused_decoder import Ended, can_decode, decode
from finllm.model.kernels import bits
from finllm.model.packed_linear import PackedLinear

F32, BF16 = torch.float32, torch.bfloat16
EPS = torch.finfo(F32).eps
VOCABULARY = 320
LENGTHS = (300, 17, 1)


def llama(**settings):
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=160,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        attn_implementation=attention.NAME,
        **settings,
    )
    return LlamaForCausalLM(config)


def adapted(dtype):
    """A model with an adapter that is not zero, all of it in one type; the same in each."""
    lora = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(llama(), lora, autocast_adapter_dtype=False)
    torch.manual_seed(4)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = torch.randn(parameter.shape) * 0.1
    return model.to(dtype).train()


def gradients(model, hidden):
    torch.manual_seed(6)
    model.zero_grad(set_to_none=True)
    (hidden * torch.randn(hidden.shape).to(hidden.dtype)).sum().backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def relative(found, exact):
    return float((found.double() - exact).norm() / exact.norm())


def test_fused_layers_in_float32_are_as_exact_as_float32_is():
    torch.manual_seed(5)
    rows = [torch.randint(5, VOCABULARY, (n,)) for n in LENGTHS]
    model, exact = adapted(F32), adapted(torch.float64)
    hidden = FusedLlama(model).hidden_states(torch.cat(rows), np.cumsum([0, *LENGTHS]).tolist())
    expected = torch.cat([exact.get_base_model().model(row[None])[0][0] for row in rows])
    # n * eps bounds a sum of n terms; two layers of products, each as long as its input, attention
    # over all keys, and as much again backward
    n = 2 * 2 * (64 + 160 + max(LENGTHS))
    assert relative(hidden.detach(), expected.detach()) < n * EPS
    found, grads = gradients(model, hidden), gradients(exact, expected)
    assert found.keys() == grads.keys() and all(g.dtype == F32 for g in found.values())
    for name, grad in grads.items():
        assert relative(found[name], grad) < n * EPS, name


def test_both_types_drop_the_same_elements():
    masks = []
    for dtype in (F32, BF16):
        x = torch.ones(40, 96, dtype=dtype)
        out, dropped = torch.empty_like(x), torch.empty_like(x)
        threshold = np.uint32(0.3 * 2**32)
        heads = x.view(1, 40, 1, 96)
        kernels.gather_heads(bits(heads), np.uint32(7), threshold, bits(out), bits(dropped))
        masks.append(dropped != 0)
    assert torch.equal(*masks) and 0.5 < masks[0].float().mean() < 0.9


@pytest.fixture(scope="module")
def model():
    return llama(initializer_range=0.1).eval()


def prompts():
    rng = np.random.default_rng(4)
    rows = [rng.integers(3, VOCABULARY, n).tolist() for n in (3, 300, 40, 40, 1, 77, 9)]
    return [*rows, [5, 6, 7, 8] * 9]


def run(model, **settings):
    arguments = {"max_new_tokens": 24, "stop_ids": [], "batch_size": 4, **settings}
    events = decode(model, prompts(), **arguments)
    return {e.index: e.ids for e in events if isinstance(e, Ended)}


def test_each_token_in_float32_is_the_models_own_choice(model):
    assert can_decode(model)
    exact = llama(initializer_range=0.1).double().eval()
    found = run(model)
    assert found.keys() == set(range(8))
    for i, ids in found.items():
        with torch.no_grad():
            logits = exact(torch.tensor([prompts()[i] + ids])).logits[0]
        before = logits[len(prompts()[i]) - 1 : -1]
        behind = before.max(-1).values - before.gather(1, torch.tensor(ids)[:, None])[:, 0]
        assert len(ids) == 24 and float(behind.max()) <= 1000 * EPS * float(before.abs().max())


@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_an_answer_in_float32_does_not_depend_on_the_batch(model, batch_size):
    assert run(model, batch_size=batch_size) == run(model)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_an_answer_in_float32_does_not_depend_on_the_number_of_threads(model, n_threads):
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        found = run(model)
    finally:
        torch.set_num_threads(before)
    assert found == run(model)


def test_in_float32_drafts_are_made_while_a_step_is_small(model, monkeypatch):
    asked, step = [], fused_decoder.FusedDecoder.step

    def counted(self, tokens, *where):
        asked.append(len(tokens))
        return step(self, tokens, *where)

    monkeypatch.setattr(fused_decoder.FusedDecoder, "step", counted)
    monkeypatch.setattr(fused_decoder, "DRAFTED_ROWS", 4)
    run(model, batch_size=40)
    assert max(asked) <= 4
    monkeypatch.undo()
    monkeypatch.setattr(fused_decoder.FusedDecoder, "step", counted)
    asked.clear()
    with_drafts, n_steps = run(model, batch_size=1, max_new_tokens=40), len(asked)
    asked.clear()
    monkeypatch.setattr(fused_decoder, "N_ASKED", 1)
    assert run(model, batch_size=1, max_new_tokens=40) == with_drafts
    assert len(asked) > n_steps, "no draft was right, so nothing was tried"


@pytest.mark.parametrize("dtype", [F32, BF16])
def test_answers_wait_for_memory_and_are_the_same(model, dtype, monkeypatch):
    model = llama(initializer_range=0.1).to(dtype).eval()
    whole, rows = run(model, batch_size=8), []
    make = decode_kernels.empty_cache

    def counted(n_layers, n_rows, *shape, **kind):
        rows.append(n_rows)
        return make(n_layers, n_rows, *shape, **kind)

    monkeypatch.setattr(decode_kernels, "empty_cache", counted)
    monkeypatch.setattr(fused_decoder, "CACHE_BYTES", 1)
    assert run(model, batch_size=8) == whole
    assert rows == [torch.get_num_threads()]  # one row a worker, however little memory there is


@pytest.mark.parametrize("n_past", [0, 1, 15, 16, 37])
def test_a_new_token_in_float32_attends_to_the_cache_and_to_itself(n_past):
    kv, group, dim, row = 2, 3, 32, 1
    torch.manual_seed(n_past)
    k, v = torch.randn(2, kv, n_past + 1, dim)
    q = torch.randn(kv * group, dim)
    keys, values = decode_kernels.empty_cache(1, 3, kv, 40, dim, dtype=F32)
    keys[:], values[:] = 1e30, 1e30  # of a longer answer that had the row before
    decode_kernels.store(bits(k[:, :-1]), bits(v[:, :-1]), keys[0, row], values[0, row])
    qkv = torch.cat([q.flatten(), k[:, -1].flatten(), v[:, -1].flatten()])[None]
    turn = torch.ones(1, dim), torch.zeros(1, dim)
    out = torch.empty(1, kv * group * dim)
    decode_kernels.attend(
        bits(qkv), *map(bits, turn), np.float32(dim**-0.5), np.array([row]), np.array([n_past]),
        keys[0], values[0], bits(out), (0,) * group,
    )  # fmt: skip
    expected = torch.nn.functional.scaled_dot_product_attention(
        q.view(kv, group, dim).double(), k.double(), v.double()
    )
    bound = (dim + n_past + 8) * EPS * float(v.abs().max())
    assert float((out.view(kv, group, dim) - expected).abs().max()) < bound


@pytest.mark.parametrize("shape", [(960, 576), (576, 576), (1536, 576), (576, 1536), (4096, 576)])
def test_products_of_16_to_320_rows_by_one_thread_are_rounded_alike(shape):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        torch.manual_seed(0)
        linear = PackedLinear(torch.randn(shape))
        x, residual = torch.randn(320, shape[1]), torch.randn(320, shape[0])
        plain, plus = linear(x[:16]), linear.plus(x[:16], residual[:16])
        opened = linear.opened_by(linear, x[:16])
        for n in (17, 31, 64, 100, 320):
            assert torch.equal(linear(x[:n])[:16], plain)
            assert torch.equal(linear.plus(x[:n], residual[:n])[:16], plus)
            assert torch.equal(linear.opened_by(linear, x[:n])[:16], opened)
    finally:
        torch.set_num_threads(before)
