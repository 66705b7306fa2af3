"""The fused layers against transformers' own, and each kernel against plain PyTorch."""

import numpy as np
import pytest
import torch
from bounds import assert_rounded, assert_within, distance, gamma
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from finllm.model import attention, fused, kernels
from finllm.model.fused import FusedLlama, why_not_fused
from finllm.model.head_loss import HeadLoss, HeadLosses
from finllm.model.kernels import bits
from finllm.model.loading import recompute_layers
from finllm.model.workspace import CHUNK, Workspace

BF16 = torch.bfloat16
ROUNDED = gamma(1, BF16) * (1 + 1e-6)  # of a value, once
STEPS = gamma(20, torch.float32)
NEVER = np.uint32(0)  # nothing is dropped


def tiny(dtype, *, targets="all-linear", dropout=0.0, seed=3, kernel=attention.NAME):
    """Two layers with grouped queries, and an adapter that is not zero."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=320,
        hidden_size=64,
        intermediate_size=160,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        attn_implementation=kernel,
    )
    model = LlamaForCausalLM(config).to(dtype)
    lora = LoraConfig(
        r=4, lora_alpha=8, lora_dropout=dropout, target_modules=targets, task_type="CAUSAL_LM"
    )
    model = get_peft_model(model, lora, autocast_adapter_dtype=False)
    torch.manual_seed(seed + 1)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = torch.randn(parameter.shape) * 0.1
    return model.train()


def batch():
    """Three examples, one of them longer than a block of queries, end to end and padded."""
    torch.manual_seed(5)
    rows = [torch.randint(5, 320, (n,)) for n in (300, 17, 1)]
    padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    real = torch.arange(padded.shape[1])[None] < torch.tensor([[len(row)] for row in rows])
    return torch.cat(rows), [0, 300, 317, 318], padded, real


def gradients(model, hidden):
    """Of a loss over all of the last hidden states, by parameter."""
    torch.manual_seed(6)
    model.zero_grad(set_to_none=True)
    (hidden.float() * torch.randn(hidden.shape)).sum().backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


# Tensors that are rounded one after another. A layer's half of attention: the residual, its norm,
# the norm's scale, the product with q, k, v and that with their adapters, the rotation, the scores,
# the weights, the mixture, and the product with o and its adapter; the gated half has as many.
N_FORWARD = 2 * 2 * 10 + 2  # of two layers, and the last norm
N_BACKWARD = 3 * N_FORWARD  # forwards, then two products for each


@pytest.mark.parametrize("targets", ["all-linear", ["q_proj", "v_proj"], ["gate_proj", "o_proj"]])
def test_the_fused_model_is_as_close_to_float32_as_the_plain_one(targets):
    ids, offsets, padded, real = batch()
    exact = tiny(torch.float32, targets=targets)
    hidden = exact.get_base_model().model(input_ids=padded, attention_mask=real.long())
    expected = hidden.last_hidden_state[real]
    of_exact = gradients(exact, expected)
    exact_hidden = expected.detach()

    plain = tiny(BF16, targets=targets)
    for a, b in zip(plain.parameters(), exact.parameters(), strict=True):
        a.data = a.data if a.requires_grad else b.data.to(BF16)
    fused_hidden = FusedLlama(plain).hidden_states(ids, offsets)
    of_fused = gradients(plain, fused_hidden)
    assert distance(fused_hidden, exact_hidden) < gamma(N_FORWARD, BF16)
    assert distance(of_fused, of_exact) < gamma(N_BACKWARD, BF16)
    hidden = plain.get_base_model().model(input_ids=padded, attention_mask=real.long())
    of_plain = gradients(plain, hidden.last_hidden_state[real])
    assert distance(of_fused, of_exact) < 1.5 * distance(of_plain, of_exact)


def test_examples_that_lie_end_to_end_do_not_see_each_other():
    ids, offsets, _, _ = batch()
    model = tiny(BF16)
    fused = FusedLlama(model)
    together = fused.hidden_states(ids, offsets)[300:317]
    alone = fused.hidden_states(ids[300:317], [0, 17])
    assert_rounded(
        together, alone, N_FORWARD, BF16
    )  # products of fewer rows may be rounded otherwise
    others = torch.cat([ids[:300].flip(0), ids[300:317], ids[317:] + 1])
    assert torch.equal(fused.hidden_states(others, offsets)[300:317], together)


def read_once(model):
    """Two answers behind one prompt and one behind another: states of all, and their gradients."""
    torch.manual_seed(7)
    prompts = [torch.randint(5, 320, (n,)) for n in (300, 20)]
    answers = [torch.randint(5, 320, (n,)) for n in (9, 270, 30)]
    twice = [torch.cat([prompts[i], answer]) for i, answer in zip((0, 0, 1), answers, strict=True)]
    together = FusedLlama(model).hidden_states(
        torch.cat([twice[0], answers[1], twice[2]]),
        [0, 309, 579, 629],
        [slice(0, 0), slice(0, 300), slice(0, 0)],
    )
    loss_of = torch.randn(629, 64)
    model.zero_grad(set_to_none=True)
    (together.float() * loss_of).sum().backward()
    of_once = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    alone = FusedLlama(model).hidden_states(torch.cat(twice), [0, 309, 879, 929])
    kept = torch.cat([torch.arange(309), torch.arange(609, 929)])
    (alone[kept].float() * loss_of).sum().backward()
    of_twice = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    return together.detach(), alone[kept].detach(), of_once, of_twice


@pytest.mark.parametrize("dtype", [torch.float32, BF16])
def test_a_prompt_that_is_read_once_gives_both_answers_the_states_of_one_read_twice(dtype):
    together, alone, of_once, of_twice = read_once(tiny(dtype))
    assert_rounded(together, alone, N_FORWARD, dtype)
    assert distance(of_once, of_twice) < 2 * gamma(N_BACKWARD, dtype)


def test_evaluation_drops_nothing_and_training_draws_its_masks_from_the_seed():
    ids, offsets, _, _ = batch()
    model = tiny(BF16, dropout=0.5)
    fused = FusedLlama(model)
    torch.manual_seed(1)
    first = fused.hidden_states(ids, offsets)
    second = fused.hidden_states(ids, offsets)
    torch.manual_seed(1)
    again = fused.hidden_states(ids, offsets)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    model.eval()
    without = FusedLlama(tiny(BF16)).hidden_states(ids, offsets)
    assert torch.equal(fused.hidden_states(ids, offsets), without)


def test_dropout_averages_to_the_update_without_dropout():
    ids, _, _, _ = batch()
    model = tiny(BF16, dropout=0.3)
    fused = FusedLlama(model)
    x = fused.base.model.embed_tokens(ids)
    cos, sin = fused.base.model.rotary_emb(x[None], torch.arange(len(ids))[None])

    def layer(size):  # a small update of the values alone, in which the layer is linear
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.data = torch.ones_like(parameter) * size * ("v_proj" in name)
        with torch.no_grad():
            shape = fused._shape(fused.base.model.layers[0], (0, len(ids)))
            return fused._layer(0, x, cos[0], sin[0], shape).float()

    torch.manual_seed(2)
    mean = sum(layer(0.2) for _ in range(300)) / 300
    model.eval()
    update = layer(0.2) - layer(0.0)
    error = torch.linalg.vector_norm(mean - layer(0.2))
    deviation = (0.3 / 0.7 / 300) ** 0.5  # of the mean of 300 draws, of which 0.7 are kept
    assert error < 5 * deviation * torch.linalg.vector_norm(update)
    wrong_scale = torch.linalg.vector_norm(mean - layer(0.2 * 0.7))
    assert error < wrong_scale


def test_the_masks_have_the_share_asked_for_and_are_independent():
    n, d = 400, 512
    rows = torch.ones(n, d, dtype=BF16)
    masks = []
    for seed in (1, 2):
        out, dropped = torch.empty_like(rows), torch.empty_like(rows)
        threshold = np.uint32(0.1 * 2**32)
        heads = rows.view(1, n, 1, d)
        kernels.gather_heads(bits(heads), np.uint32(seed), threshold, bits(out), bits(dropped))
        assert torch.equal(out, rows)
        masks.append((dropped == 0).double())
    error = (0.1 * 0.9 / (n * d)) ** 0.5
    for mask in masks:
        assert abs(mask.mean() - 0.1) < 5 * error
        for other in (mask.roll(1, 0), mask.roll(1, 1), mask.roll(2, 1)):
            assert abs((mask * other).mean() - 0.01) < 5 * error
    assert abs((masks[0] * masks[1]).mean() - 0.01) < 5 * error


def test_the_backward_pass_finds_the_forward_mask_again():
    torch.manual_seed(0)
    n, d, seed, threshold = 60, 96, np.uint32(9), np.uint32(0.4 * 2**32)
    gate_up = torch.randn(n, 2 * d).to(BF16)
    out, dropped = torch.empty(n, d, dtype=BF16), torch.empty(n, d, dtype=BF16)
    kernels.gate(bits(gate_up), seed, threshold, bits(out), bits(dropped))
    kept = dropped != 0
    grads = torch.randn(2, n, d).to(BF16)
    found = torch.empty_like(gate_up)
    kernels.gate_backward(
        bits(grads[0]), bits(grads[1]), bits(gate_up), seed, threshold, bits(found)
    )
    x = gate_up.float().requires_grad_()
    value = torch.nn.functional.silu(x[:, :d]) * x[:, d:]
    (value * (grads[0].float() + kept * grads[1].float())).sum().backward()
    # one rounding to bfloat16 of what was computed in float32, in at most 20 steps of that size
    assert_within(out, value.detach(), ROUNDED * value.detach().abs() + STEPS * value.abs().max())
    assert_within(found, x.grad, ROUNDED * x.grad.abs() + STEPS * x.grad.abs().max())


def test_the_softmax_is_causal_and_survives_large_scores():
    torch.manual_seed(0)
    scores = (torch.randn(2, 12, 9) * 30).to(BF16)
    scores[0, 0, 0] = 3e4
    group, start = 2, 3
    expected = scores.float()
    token = start + torch.arange(12) // group
    expected = expected.masked_fill(torch.arange(9)[None, None] > token[None, :, None], -torch.inf)
    expected.requires_grad_()
    weights = torch.softmax(expected, -1)
    found = scores.clone()
    kernels.softmax_(bits(found), group, start)
    assert_within(found, weights.detach(), ROUNDED * weights.detach() + STEPS)
    upstream = torch.randn(scores.shape).to(BF16)
    (weights * upstream.float()).sum().backward()
    grad = upstream.clone()
    kernels.softmax_backward_(bits(grad), bits(found), group, start)
    # weight * (gradient - sum of weight * gradient), with weights that are rounded already
    size = weights.detach() * upstream.float().abs()
    allowed = 4 * ROUNDED * (size + weights.detach() * size.sum(-1, keepdim=True)) + STEPS
    assert_within(grad, expected.grad.nan_to_num(), allowed)


def test_the_head_loss_and_its_gradient_are_those_of_cross_entropy():
    torch.manual_seed(0)
    hidden, weight = torch.randn(300, 16), torch.randn(50, 16)
    n = 16 + 50 + 300  # terms: of a logit, of the sum over the vocabulary, of the mean
    labels = torch.randint(0, 50, (300,))
    a, b = hidden.clone().requires_grad_(), hidden.clone().requires_grad_()
    found = HeadLoss.apply(a, weight, labels) / 300
    expected = torch.nn.functional.cross_entropy(b @ weight.T, labels)
    assert_rounded(found, expected, n)
    found.backward()
    expected.backward()
    assert_rounded(a.grad, b.grad, n + 50)


def test_the_losses_of_rows_add_up_to_the_loss_and_each_has_its_own_gradient():
    torch.manual_seed(0)
    hidden, weight = torch.randn(300, 16), torch.randn(50, 16)
    labels, shares = torch.randint(0, 50, (300,)), torch.rand(300)
    a, b = hidden.clone().requires_grad_(), hidden.clone().requires_grad_()
    found = HeadLosses.apply(a, weight, labels)
    expected = torch.nn.functional.cross_entropy(b @ weight.T, labels, reduction="none")
    assert_rounded(found, expected, 16 + 50)
    assert_rounded(found.sum(), HeadLoss.apply(hidden, weight, labels), 300)
    (found * shares).sum().backward()
    (expected * shares).sum().backward()
    assert_rounded(a.grad, b.grad, 16 + 2 * 50)


@pytest.mark.parametrize("every", [1, 2])
def test_recomputed_layers_give_the_same_bits_with_the_same_masks(every):
    ids, offsets, _, _ = batch()
    found = []
    for k in (0, every):
        model = tiny(BF16, dropout=0.5)
        recompute_layers(model.get_base_model(), k)
        assert why_not_fused(model) == ""
        fused = FusedLlama(model)
        torch.manual_seed(4)
        hidden = fused.hidden_states(ids, offsets)
        torch.rand(3)  # the recomputation does not draw from the generators
        found.append((hidden.detach(), gradients(model, hidden), fused.workspace.n_bytes))
    (hidden, grads, _), (again, of_recomputed, reserved) = found
    assert torch.equal(hidden, again)
    assert grads.keys() == of_recomputed.keys()
    assert all(torch.equal(grads[name], of_recomputed[name]) for name in grads)
    assert (reserved == 0) == (every == 1)  # with every layer recomputed, nothing is kept there


def test_batches_of_other_sizes_use_the_same_memory_and_give_the_same_gradients():
    ids, offsets, _, _ = batch()
    model = tiny(BF16)
    alone = gradients(model, FusedLlama(model).hidden_states(ids[300:317], [0, 17]))
    fused = FusedLlama(model)
    gradients(model, fused.hidden_states(ids, offsets))
    reserved = fused.workspace.n_bytes
    after = gradients(model, fused.hidden_states(ids[300:317], [0, 17]))
    assert all(torch.equal(alone[name], after[name]) for name in alone)
    assert fused.workspace.n_bytes == reserved > 0


def test_a_second_pass_before_the_backward_pass_of_the_first_is_an_error():
    ids, offsets, _, _ = batch()
    model = tiny(BF16)
    fused = FusedLlama(model)
    first = fused.hidden_states(ids, offsets)
    with torch.no_grad():
        fused.hidden_states(ids, offsets)  # an evaluation overwrites nothing
    fused.hidden_states(ids, offsets)
    with pytest.raises(RuntimeError, match="one forward pass at a time"):
        first.sum().backward()


def test_tensors_of_a_workspace_do_not_overlap_and_one_may_be_larger_than_a_chunk():
    workspace = Workspace(BF16)
    workspace.begin()
    taken = [workspace.take(3, 5), workspace.take(CHUNK // 2 + 1), workspace.take(2, 7, 2)]
    for i, tensor in enumerate(taken):
        tensor.fill_(i)
        assert tensor.data_ptr() % 64 == 0
    assert [float(tensor.float().mean()) for tensor in taken] == [0, 1, 2]
    reserved, first = workspace.n_bytes, taken[0].data_ptr()
    workspace.begin()
    assert workspace.take(4).data_ptr() == first and workspace.n_bytes == reserved


def test_what_cannot_be_fused_says_why():
    assert why_not_fused(tiny(BF16)) == ""
    assert why_not_fused(tiny(torch.float32)) == ""
    assert "bfloat16 or float32" in why_not_fused(tiny(torch.float16))
    assert "model.attention" in why_not_fused(tiny(BF16, kernel="sdpa"))
    assert "LoRA" in why_not_fused(torch.nn.Linear(2, 2))


def test_rows_of_zeros_fill_a_pass_up_and_change_nothing(monkeypatch):
    ids, offsets, _, _ = batch()  # 318 rows; 2 more at the end
    found = {}
    for rows in (1, 64):
        monkeypatch.setattr(fused, "ROWS", rows)
        model = tiny(BF16, dropout=0.3)
        torch.manual_seed(1)
        hidden = FusedLlama(model).hidden_states(ids, offsets)
        found[rows] = {"hidden": hidden.detach(), **gradients(model, hidden)}
    assert found[64]["hidden"].shape == (318, 64)
    for name, tensor in found[1].items():
        assert_rounded(found[64][name], tensor, N_BACKWARD, BF16)
