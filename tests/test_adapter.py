import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from bounds import assert_rounded, n_roundings
from conftest import loaded, tiny_llama
from peft import PeftModel

from finllm.model.adapter import save_adapter, trainable_parameters, with_adapter
from finllm.model.loading import add_lora

IDS = torch.arange(12).view(2, 6)


def adapted(targets="all-linear", model=None):
    """A tiny model with an adapter that changes its answers."""
    model = add_lora(
        model or tiny_llama("eager"),
        r=4,
        alpha=8,
        dropout=0.5,
        targets=targets,
        checkpoint_layers=0,
        seed=0,
    ).eval()
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return model


def logits(model):
    with torch.no_grad():
        return model(IDS).logits


@pytest.fixture
def saved(tmp_path):
    model = adapted()
    save_adapter(model, tmp_path / "adapter", base_name="some/base", revision="")
    return tmp_path / "adapter", logits(model)


@pytest.mark.parametrize("merge", [True, False])
def test_a_saved_adapter_gives_the_same_answers_on_a_fresh_base(saved, merge):
    folder, expected = saved
    tuned = with_adapter(tiny_llama("eager"), folder, merge=merge)
    assert_rounded(logits(tuned), expected, n_roundings(tuned, IDS.shape[1]))
    assert logits(tuned).equal(logits(tuned))  # no dropout
    assert not torch.allclose(expected, logits(tiny_llama("eager")), atol=1e-2)


def test_a_merged_model_has_no_adapter_left(saved):
    tuned = with_adapter(tiny_llama("eager"), saved[0], merge=True)
    names = [name for name, _ in tuned.named_parameters()]
    assert names == [name for name, _ in tiny_llama("eager").named_parameters()]


def test_plain_peft_loads_the_folder(saved):
    folder, expected = saved
    model = PeftModel.from_pretrained(tiny_llama("eager"), str(folder))
    assert_rounded(logits(model), expected, n_roundings(model, IDS.shape[1]))


def test_the_configuration_names_the_base_of_params_and_no_path_of_this_machine(saved):
    config = json.loads((saved[0] / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "some/base"
    assert config["revision"] is None
    assert config["target_modules"] == sorted(config["target_modules"])  # as bytes, a set varies
    assert str(Path.home()) not in json.dumps(config)


def test_saving_replaces_what_was_there(saved):
    folder, _ = saved
    (folder / "stale.bin").write_bytes(b"old")
    save_adapter(adapted("attention"), folder, base_name="other", revision="abc")
    assert sorted(path.name for path in folder.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    assert json.loads((folder / "adapter_config.json").read_text())["revision"] == "abc"
    assert [path.name for path in folder.parent.iterdir()] == ["adapter"]


@pytest.mark.slow
def test_an_adapters_files_do_not_depend_on_the_process_that_wrote_them(tmp_path):
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from pathlib import Path\n"
        "from test_adapter import adapted, save_adapter\n"
        "save_adapter(adapted(), Path(sys.argv[1]), base_name='b', revision='')\n"
    )
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / seed)],
            cwd=Path(__file__).parent.parent,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        )
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


@pytest.mark.parametrize(
    ("targets", "shapes"),
    [
        ("query-value", [(64, 64), (64, 32)]),
        ("attention", [(64, 64), (64, 32), (64, 32), (64, 64)]),
        (
            "all-linear",
            [(64, 64), (64, 32), (64, 32), (64, 64), (64, 128), (64, 128), (128, 64)],
        ),
    ],
)
def test_the_trainable_parameters_are_r_times_inputs_and_outputs(targets, shapes):
    model = adapted(targets)
    assert trainable_parameters(model) == 2 * sum(4 * (a + b) for a, b in shapes)
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert all("lora_" in name for name in trained)


def test_a_new_adapter_changes_nothing_and_is_drawn_from_its_seed():
    def fresh(seed):
        return add_lora(
            tiny_llama("eager"),
            r=4,
            alpha=8,
            dropout=0.0,
            targets="all-linear",
            checkpoint_layers=0,
            seed=seed,
        )

    model = fresh(0)
    assert_rounded(logits(model), logits(tiny_llama("eager")), n_roundings(model, IDS.shape[1]))
    drawn = [fresh(seed).state_dict() for seed in (1, 1, 2)]
    name = next(name for name in drawn[0] if "lora_A" in name)
    assert drawn[0][name].equal(drawn[1][name]) and not drawn[0][name].equal(drawn[2][name])


@pytest.fixture
def folder(tmp_path):
    """A tiny base model on disk."""
    tiny_llama().bfloat16().save_pretrained(tmp_path / "base")
    return str(tmp_path / "base")


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_an_unquantized_base_is_held_in_the_compute_dtype(folder, dtype):
    model = loaded(folder, "none", dtype)
    assert {str(p.dtype) for p in model.parameters()} == {f"torch.{dtype}"}


@pytest.mark.parametrize("quantization", ["nf4", "fp4"])
def test_a_quantized_base_has_four_bits_a_weight_and_trains(folder, quantization):
    base = loaded(folder, quantization)
    linear = base.model.layers[0].mlp.up_proj
    assert linear.weight.quant_type == quantization
    assert linear.weight.numel() == 64 * 128 // 2  # two weights a byte
    assert linear.weight.quant_state.nested  # the constants are quantized too
    model = adapted(model=base).train()
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    assert base.model.embed_tokens.weight.dtype == torch.bfloat16
    model(IDS, labels=IDS).loss.backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters() if p.requires_grad)


def test_a_quantized_base_still_trains_after_it_was_evaluated(folder):
    model = adapted(model=loaded(folder, "nf4")).eval()
    logits(model)
    model.train()
    model(IDS, labels=IDS).loss.backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters() if p.requires_grad)


def test_a_quantized_base_is_near_the_one_it_came_from(folder):
    exact, coarse = logits(loaded(folder, "none").eval()), logits(loaded(folder, "nf4").eval())
    correlation = torch.corrcoef(torch.stack([exact.float().ravel(), coarse.float().ravel()]))
    assert 0.9 < correlation[0, 1] < 1
