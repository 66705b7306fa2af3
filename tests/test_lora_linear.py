import copy

import pytest
import torch
from bounds import assert_rounded, n_roundings
from conftest import tiny_llama
from peft import LoraConfig, get_peft_model

from finllm.model import lora_linear
from finllm.model.lora_linear import LoraUpdate, keep_mask


def drawn(*shape, threshold):
    """Whether each value is kept."""
    mask = keep_mask(torch.Size(shape), threshold, torch.zeros(()))
    assert set(mask.unique().tolist()) <= {0, -1}  # none or all of the bits
    return mask != 0


def arguments(dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = {"x": (9, 6), "base": (9, 5), "a": (3, 6), "b": (5, 3)}
    return [
        torch.randn(shape, generator=generator, dtype=dtype).requires_grad_()
        for shape in shapes.values()
    ]


def with_lora(dropout):
    """A tiny model with an adapter whose B is not 0, as PEFT computes it."""
    config = LoraConfig(
        r=4, lora_alpha=8, lora_dropout=dropout, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    torch.manual_seed(0)
    model = get_peft_model(tiny_llama("eager"), config)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return model


def loss_and_gradients(model):
    ids = torch.arange(20).view(2, 10)
    loss = model(ids, labels=ids, use_cache=False).loss
    loss.backward()
    return loss, {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("threshold", [0, 1, 26, 128, 230])
def test_the_share_of_zeros_is_the_threshold_over_256(threshold):
    torch.manual_seed(0)
    kept = drawn(200, 1001, threshold=threshold)
    share = threshold / 256
    error = (share * (1 - share) / kept.numel()) ** 0.5
    assert abs((~kept).double().mean() - share) <= 5 * error


def test_every_column_and_row_is_dropped_alike():
    torch.manual_seed(0)
    kept = drawn(4000, 17, threshold=128).double()
    assert (kept.mean(0) - 0.5).abs().max() < 0.05
    neighbours = (kept[:, 1:] * kept[:, :-1]).mean()
    assert abs(neighbours - 0.25) < 0.02


def test_masks_follow_torchs_seed():
    def draw(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return drawn(64, threshold=128)

    assert draw(1).equal(draw(1)) and not draw(1).equal(draw(2))


@pytest.mark.parametrize("shape", [(1,), (7,), (8,), (9,), (3, 5), (0, 4)])
def test_a_mask_has_the_shape_it_was_asked_for(shape):
    assert drawn(*shape, threshold=10).shape == shape


def test_without_dropout_the_update_is_the_formula_with_its_gradients():
    inputs = arguments(torch.float64)
    x, base, a, b = inputs
    ours = LoraUpdate.apply(x, base, a, b, 1.5, 0)
    theirs = base + 1.5 * x @ a.T @ b.T
    torch.testing.assert_close(ours, theirs)
    for one, other in zip(
        torch.autograd.grad(ours.square().sum(), inputs),
        torch.autograd.grad(theirs.square().sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_with_dropout_forward_and_backward_use_the_very_same_mask():
    inputs = arguments()
    x, base, a, b = inputs
    torch.manual_seed(3)
    ours = LoraUpdate.apply(x, base, a, b, 1.5, 64)
    torch.manual_seed(3)
    kept = drawn(*x.shape, threshold=64)
    assert not kept.all()
    theirs = base + 1.5 * (x * kept * (256 / 192)) @ a.T @ b.T
    length = 6 + 3 + 4  # of x's rows, of the middle, and two scalings of each
    assert_rounded(ours, theirs, length)
    for one, other in zip(
        torch.autograd.grad(ours.square().sum(), inputs),
        torch.autograd.grad(theirs.square().sum(), inputs),
        strict=True,
    ):
        assert_rounded(one, other, length + 9 + 5)  # rows, and the width of what comes back


def test_dropout_leaves_the_expectation_as_it_is():
    x, base, a, b = (tensor.detach() for tensor in arguments())
    exact = LoraUpdate.apply(x, base, a, b, 1.0, 0)
    torch.manual_seed(0)
    draws = torch.stack([LoraUpdate.apply(x, base, a, b, 1.0, 26) for _ in range(1000)])
    error = draws.std(0) / 1000**0.5
    assert ((draws.mean(0) - exact).abs() <= 5 * error).all()


def test_a_model_with_lean_layers_computes_what_peft_computes():
    theirs = with_lora(0.0)
    ours = copy.deepcopy(theirs)
    assert lora_linear.use_lean_lora(ours) == 14  # 7 linear layers in each of 2 blocks
    (loss, gradients), (lean_loss, lean) = loss_and_gradients(theirs), loss_and_gradients(ours)
    assert_rounded(lean_loss, loss, n_roundings(ours, 10))
    assert lean.keys() == gradients.keys()
    for name, gradient in gradients.items():
        assert_rounded(lean[name], gradient, n_roundings(ours, 20, backward=True))


def test_in_evaluation_nothing_is_dropped():
    theirs = with_lora(0.5).eval()
    ours = copy.deepcopy(theirs)
    lora_linear.use_lean_lora(ours)
    ids = torch.arange(10)[None]
    with torch.no_grad():
        assert_rounded(ours(ids).logits, theirs(ids).logits, n_roundings(ours, 10))
        assert ours(ids).logits.equal(ours(ids).logits)
        ours.train()
        assert not ours(ids).logits.equal(ours(ids).logits)


def test_an_adapter_that_is_switched_off_leaves_the_base_model():
    model = with_lora(0.0).eval()
    lora_linear.use_lean_lora(model)
    ids = torch.arange(10)[None]
    with torch.no_grad(), model.disable_adapter():
        off = model(ids).logits
    with torch.no_grad():
        assert_rounded(off, tiny_llama("eager")(ids).logits, n_roundings(model, 10))
        assert not torch.allclose(model(ids).logits, off, atol=1e-3)


def test_the_products_are_in_the_inputs_dtype_and_the_gradients_in_float32():
    x, base, a, b = arguments(torch.float32)
    x, base = x.detach().bfloat16(), base.detach().bfloat16()
    output = LoraUpdate.apply(x, base, a, b, 1.0, 26)
    output.float().sum().backward()
    assert output.dtype == torch.bfloat16
    assert a.grad.dtype == b.grad.dtype == torch.float32
