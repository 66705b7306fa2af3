"""Each knob of model and lora changes what it says: how weights are held, and what is learned."""

import gc
import sys
import types
from pathlib import Path

import pytest
import torch
from bounds import assert_rounded, distance, gamma, n_roundings
from conftest import loaded, tiny_llama
from peft import PeftModel

from finllm.model import backends, loading
from finllm.model.adapter import save_adapter, with_adapter
from finllm.model.loading import add_lora
from finllm.model.lora_linear import LeanLinear, LeanLinear4bit

IDS = torch.arange(12).view(2, 6)


@pytest.fixture
def folder(tmp_path):
    """A tiny base model on disk."""
    tiny_llama().bfloat16().save_pretrained(tmp_path / "base")
    return str(tmp_path / "base")


@pytest.mark.skipif(sys.platform != "linux", reason="mappings are listed on Linux only")
def test_a_quantized_model_leaves_the_file_that_it_was_read_from(folder):
    def mapped():
        return folder in Path("/proc/self/maps").read_text(encoding="utf-8")

    model = loaded(folder)
    assert mapped() and model.lm_head.weight.dtype == torch.bfloat16
    expected = model.model.embed_tokens.weight.detach().clone()
    del model
    gc.collect()
    assert not mapped()
    model = loaded(folder, "nf4")
    assert not mapped()
    assert torch.equal(model.model.embed_tokens.weight, expected)


def with_lora(model=None, *, r=4, move=True, **options):
    """A model with an adapter; with ``move`` its B is not 0."""
    adapted = add_lora(
        model or tiny_llama("eager"),
        r=r,
        alpha=8,
        dropout=0.0,
        targets="all-linear",
        checkpoint_layers=0,
        seed=0,
        **options,
    )
    torch.manual_seed(1)
    for name, parameter in adapted.named_parameters():
        if move and "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return adapted


def logits(model):
    with torch.no_grad():
        return model.eval()(IDS).logits.float()


def gradients(model):
    model.train()(IDS, labels=IDS).loss.backward()
    return {n: p.grad for n, p in model.named_parameters() if p.requires_grad}


def no_gpu(monkeypatch, found):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: found)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float16"])
def test_int8_holds_a_byte_a_weight_near_the_exact_one_and_trains_on_a_cpu(folder, dtype):
    base = loaded(folder, "int8", dtype)
    linear = base.model.layers[0].mlp.up_proj
    assert linear.weight.dtype == torch.int8 and linear.weight.numel() == 64 * 128
    exact, coarse = logits(loaded(folder, "none", "float32")), logits(base)
    correlation = torch.corrcoef(torch.stack([exact.ravel(), coarse.ravel()]))[0, 1]
    assert 0.99 < correlation < 1
    four_bits = logits(loaded(folder, "nf4", dtype))
    assert (coarse - exact).square().mean() < (four_bits - exact).square().mean()
    found = gradients(with_lora(base))
    assert all(gradient.any() for gradient in found.values())
    exact = gradients(with_lora(loaded(folder, "none", "float32")))
    for name, gradient in found.items():
        near = torch.nn.functional.cosine_similarity(gradient.ravel(), exact[name].ravel(), dim=0)
        assert near > 0.9, name


def test_float16_is_what_the_weights_are_held_in(folder):
    model = loaded(folder, dtype="float16")
    assert {p.dtype for p in model.parameters()} == {torch.float16}
    assert all(gradient.any() for gradient in gradients(with_lora(model)).values())


@pytest.mark.parametrize(("r", "rslora", "scale"), [(16, False, 8 / 16), (16, True, 8 / 4)])
def test_the_update_is_scaled_by_the_rank_or_by_its_root(r, rslora, scale):
    model = with_lora(r=r, rslora=rslora)
    layers = [module for module in model.modules() if isinstance(module, LeanLinear)]
    assert len(layers) == 14 and {layer.scaling["default"] for layer in layers} == {scale}
    one = layers[0]
    x = torch.randn(3, 64)
    update = scale * x @ one.lora_A["default"].weight.T @ one.lora_B["default"].weight.T
    assert_rounded(one(x), one.base_layer(x) + update, 64 + r + 64)
    assert distance(one(x), one.base_layer(x)) > 100 * gamma(64 + r + 64, torch.float32)


def test_dora_trains_the_length_of_every_row_apart_from_its_direction():
    model = with_lora(dora=True)
    layer = model.get_base_model().model.layers[0].mlp.up_proj
    assert type(layer) is not LeanLinear  # PEFT's own path: the lean one knows no length
    weight = layer.base_layer.weight
    lengths = layer.lora_magnitude_vector["default"].weight
    assert_rounded(lengths, weight.norm(dim=1), 64)
    sum_ = weight + 2 * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    merged = lengths[:, None] * sum_ / sum_.norm(dim=1, keepdim=True)
    x = torch.randn(3, 64)
    assert_rounded(layer(x), x @ merged.T, 64 + 64 + 64)  # the product, the length, the update
    found = gradients(model)
    assert sum("magnitude" in name for name in found) == 14
    assert all(gradient.any() for gradient in found.values())


def test_dora_trains_over_four_bits_and_is_refused_over_int8_on_a_cpu(folder):
    with pytest.raises(ValueError, match="lora.dora is true and model.quantization is int8"):
        with_lora(loaded(folder, "int8"), dora=True)
    model = with_lora(loaded(folder, "nf4"), dora=True)
    assert not any(isinstance(module, LeanLinear4bit) for module in model.modules())
    assert all(gradient.any() for gradient in gradients(model).values())


@pytest.mark.parametrize("options", [{"dora": True}, {"rslora": True}])
@pytest.mark.parametrize("merge", [True, False])
def test_a_saved_adapter_of_either_kind_answers_alike(tmp_path, options, merge):
    model = with_lora(**options)
    save_adapter(model, tmp_path / "adapter", base_name="some/base", revision="")
    tuned = with_adapter(tiny_llama("eager"), tmp_path / "adapter", merge=merge)
    n = n_roundings(model, IDS.shape[-1])
    assert_rounded(logits(tuned), logits(model), n)
    plain = PeftModel.from_pretrained(tiny_llama("eager"), str(tmp_path / "adapter"))
    assert_rounded(logits(plain), logits(model), n)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"backend": "liger"}, "model.backend is liger"),
        ({"backend": "unsloth"}, "model.backend is unsloth"),
        ({"kernel": "flash_attention_2"}, "model.attention is flash_attention_2"),
    ],
)
def test_kernels_of_a_gpu_are_refused_in_words(folder, monkeypatch, options, named):
    no_gpu(monkeypatch, False)
    with pytest.raises(ValueError, match=f"{named}.*CUDA.*no GPU; set .* to auto"):
        loaded(folder, **options)
    no_gpu(monkeypatch, True)
    monkeypatch.setattr(backends.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=f"{named}.*not installed.*pip install"):
        loaded(folder, **options)


class Calls:
    """A module in the place of an optional package, which keeps what it was called with."""

    def __init__(self, monkeypatch, name, **results):
        self.made = {}
        module = types.ModuleType(name)
        for key, result in results.items():
            setattr(module, key, self.function(key, result))
        monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setitem(sys.modules, name.split(".")[0], module)
        monkeypatch.setattr(backends.importlib.util, "find_spec", lambda name: object())
        self.module = module

    def function(self, key, result):
        def call(*args, **kwargs):
            self.made[key] = (args, kwargs)
            return result

        return call


def test_liger_patches_the_layers_and_leaves_the_loss_alone(folder, monkeypatch):
    calls = Calls(monkeypatch, "liger_kernel.transformers", apply_liger_kernel_to_llama=None)
    no_gpu(monkeypatch, True)
    backends.apply_liger()
    flags = calls.made["apply_liger_kernel_to_llama"][1]
    assert flags.pop("rope") and flags.pop("rms_norm") and flags.pop("swiglu")
    assert flags == {"cross_entropy": False, "fused_linear_cross_entropy": False}


def test_unsloth_is_asked_for_the_same_model_and_adapter(monkeypatch):
    calls = Calls(monkeypatch, "unsloth")
    calls.module.FastLanguageModel = types.SimpleNamespace(
        from_pretrained=calls.function("load", ("model", "tokenizer")),
        get_peft_model=calls.function("adapt", "adapted"),
    )
    no_gpu(monkeypatch, True)
    model = loaded("some/base", "nf4", backend="unsloth", max_tokens=640)
    assert model == "model"
    asked = calls.made["load"][1]
    assert asked["load_in_4bit"] and not asked["load_in_8bit"] and asked["max_seq_length"] == 640
    adapted = add_lora(
        model,
        r=4,
        alpha=8,
        dropout=0.1,
        targets="all-linear",
        checkpoint_layers=1,
        seed=5,
        rslora=True,
        backend="unsloth",
    )
    assert adapted == "adapted"
    asked = calls.made["adapt"][1]
    assert asked["use_rslora"] and asked["use_gradient_checkpointing"] == "unsloth"
    assert asked["target_modules"] == loading.UNSLOTH_LINEAR and asked["random_state"] == 5
    with pytest.raises(ValueError, match="train.checkpoint_layers is 2"):
        backends.unsloth_lora(
            model,
            r=4,
            alpha=8,
            dropout=0.1,
            targets=["q_proj"],
            rslora=False,
            checkpoint_layers=2,
            seed=5,
        )
    assert asked["lora_dropout"] == 0.1
