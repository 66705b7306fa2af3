import pytest
import torch
from bounds import assert_rounded, assert_within, gamma, n_roundings
from conftest import tiny_llama
from torch.utils._python_dispatch import TorchDispatchMode

from finllm.model import attention
from finllm.model.attention import matmul_attention, reading_attention


def tensors(n_query=7, n_key=7, *, batch=3, heads=6, kv_heads=2, head_dim=8, seed=0):
    """Query, key and value with gradients, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(
            batch, n, length, head_dim, generator=generator, dtype=torch.float64
        ).requires_grad_()
        for n, length in ((heads, n_query), (kv_heads, n_key), (kv_heads, n_key))
    ]


def reference(query, key, value, mask, scaling):
    """Equation 1 of Vaswani et al. 2017, head by head."""
    group = query.shape[1] // key.shape[1]
    heads = []
    for head in range(query.shape[1]):
        k, v = key[:, head // group], value[:, head // group]
        scores = query[:, head] @ k.mT * scaling + mask
        heads.append(torch.softmax(scores, -1) @ v)
    return torch.stack(heads, 1).transpose(1, 2)


def causal(n_query, n_key):
    mask = torch.zeros(n_query, n_key, dtype=torch.float64)
    for i in range(n_query):
        mask[i, n_key - n_query + i + 1 :] = -torch.inf
    return mask


@pytest.mark.parametrize("kv_heads", [1, 2, 3, 6])
@pytest.mark.parametrize(("n_query", "n_key"), [(7, 7), (1, 7), (3, 7), (1, 1)])
def test_output_and_gradients_are_those_of_the_formula(kv_heads, n_query, n_key):
    inputs = tensors(n_query, n_key, kv_heads=kv_heads)
    ours, _ = matmul_attention(None, *inputs, None, scaling=0.3)
    theirs = reference(*inputs, causal(n_query, n_key), 0.3)
    torch.testing.assert_close(ours, theirs)
    weight = torch.linspace(-1, 1, ours.numel(), dtype=ours.dtype).view(ours.shape)
    for a, b in zip(
        torch.autograd.grad((ours * weight).sum(), inputs),
        torch.autograd.grad((theirs * weight).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_an_additive_mask_replaces_causality():
    inputs = tensors(2, 5)
    mask = torch.zeros(3, 1, 2, 5, dtype=torch.float64)
    mask[0, 0, :, 3:] = -torch.inf
    mask[2, 0, 1, 0] = -torch.inf
    ours, _ = matmul_attention(None, *inputs, mask, scaling=1.0)
    torch.testing.assert_close(ours, reference(*inputs, mask[:, 0], 1.0))


def test_each_row_of_a_batch_is_alone():
    inputs = tensors(batch=4)
    together, _ = matmul_attention(None, *inputs, None, scaling=0.3)
    for row in range(4):
        alone, _ = matmul_attention(None, *(x[row : row + 1] for x in inputs), None, scaling=0.3)
        torch.testing.assert_close(together[row], alone[0])


def test_the_output_is_linear_in_the_values():
    query, key, value = tensors()
    other = torch.flip(value, (0,))
    both, _ = matmul_attention(None, query, key, 2 * value - 3 * other, None, scaling=0.3)
    one, _ = matmul_attention(None, query, key, value, None, scaling=0.3)
    two, _ = matmul_attention(None, query, key, other, None, scaling=0.3)
    torch.testing.assert_close(both, 2 * one - 3 * two)


def test_equal_keys_are_attended_to_equally():
    query, _, value = tensors()
    key = torch.ones_like(value)
    output, _ = matmul_attention(None, query, key, value, None, scaling=0.3)
    mean = value.cumsum(2) / torch.arange(1, 8)[:, None]
    torch.testing.assert_close(output[:, :, 0], mean[:, 0])


@pytest.mark.parametrize("kernel", ["eager", "sdpa"])
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_a_model_gives_the_same_logits_and_gradients_with_this_kernel(kernel, kv_heads):
    ids = torch.randint(0, 320, (3, 11), generator=torch.Generator().manual_seed(1))
    found = []
    for name in (attention.NAME, kernel):
        model = tiny_llama(name, kv_heads=kv_heads)
        logits = model(ids, use_cache=False).logits
        logits.log_softmax(-1)[..., 5].mean().backward()
        found.append((logits.detach(), {n: p.grad for n, p in model.named_parameters()}))
    assert_rounded(found[0][0], found[1][0], n_roundings(model, 11))
    for name, gradient in found[1][1].items():
        assert_rounded(found[0][1][name], gradient, n_roundings(model, 3 * 11, backward=True))


def test_padding_on_the_right_does_not_change_the_real_tokens():
    lengths = [4, 9, 6]
    ids = torch.randint(3, 320, (3, 9), generator=torch.Generator().manual_seed(2))
    mask = torch.zeros_like(ids)
    for row, length in enumerate(lengths):
        mask[row, :length] = 1
    with torch.no_grad():
        model = tiny_llama(attention.NAME)
        ours = model(ids, attention_mask=mask, use_cache=False).logits
        theirs = tiny_llama("eager")(ids, attention_mask=mask, use_cache=False).logits
        for row, length in enumerate(lengths):
            alone = model(ids[row : row + 1, :length], use_cache=False).logits[0]
            for other in (theirs[row, :length], alone):
                assert_rounded(ours[row, :length], other, n_roundings(model, 9))


def test_bfloat16_stays_bfloat16_and_near_the_truth():
    inputs = [x.detach() for x in tensors()]
    exact, _ = matmul_attention(None, *inputs, None, scaling=0.3)
    rounded, _ = matmul_attention(None, *(x.bfloat16() for x in inputs), None, scaling=0.3)
    assert rounded.dtype == torch.bfloat16
    query, key, value = (x.abs() for x in inputs)
    group = query.shape[1] // key.shape[1]
    key, value = (x.repeat_interleave(group, 1) for x in (key, value))
    # q, k, their scaling and the score are rounded; then the weight, its share, v and the mixture
    scores = gamma(5, torch.bfloat16) * 0.3 * (query @ key.mT).amax(-1, keepdim=True)
    weights = torch.softmax(inputs[0] @ inputs[1].repeat_interleave(group, 1).mT * 0.3
        + causal(7, 7), -1)  # fmt: skip
    allowed = (torch.expm1(2 * scores) + gamma(4, torch.bfloat16)) * (weights @ value)
    assert_within(rounded, exact, allowed.transpose(1, 2))


@pytest.mark.parametrize("kv_heads", [1, 2, 6])
def test_prompts_read_by_fused_kernels_are_those_read_by_products(kv_heads):
    inputs = [x.detach() for x in tensors(kv_heads=kv_heads)]
    exact, _ = matmul_attention(None, *inputs, None, scaling=0.3)
    found, _ = reading_attention(None, *inputs, None, scaling=0.3)
    assert found.shape == exact.shape
    assert_rounded(found, exact, 8 + 2 * 7, torch.float64)


def test_reading_holds_no_scores_and_a_step_of_decoding_repeats_no_keys():
    class Largest(TorchDispatchMode):
        numbers = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            found = function(*args, **(kwargs or {}))
            for one in found if isinstance(found, tuple) else [found]:
                if isinstance(one, torch.Tensor):
                    self.numbers = max(self.numbers, one.numel())
            return found

    n, heads, kv_heads = 512, 8, 2

    def largest(function, n_query, mask):
        with Largest() as seen:
            shapes = ((heads, n_query), (kv_heads, n), (kv_heads, n))
            inputs = [torch.ones(1, h, length, 16) for h, length in shapes]
            function(None, *inputs, mask, scaling=0.25)
        return seen.numbers

    assert largest(matmul_attention, n, None) >= heads * n * n
    assert largest(reading_attention, n, None) == heads * n * 16
    assert largest(reading_attention, 1, torch.zeros(1, 1, 1, n)) == kv_heads * n * 16


def test_right_padding_needs_no_mask_where_attention_is_causal():
    model = tiny_llama("sdpa")
    ids = torch.randint(5, 300, (2, 9), generator=torch.Generator().manual_seed(0))
    real = torch.ones(2, 9, dtype=torch.long)
    real[1, 5:] = 0
    with torch.no_grad():
        masked, plain = (
            model.model(ids, attention_mask=m, use_cache=False)[0] for m in (real, None)
        )
    torch.testing.assert_close(plain[real.bool()], masked[real.bool()], rtol=1e-4, atol=1e-5)
