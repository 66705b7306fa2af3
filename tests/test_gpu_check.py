"""What gpu-check runs on a CPU is within its bounds, and what is wrong is not."""

import json
import re
from types import SimpleNamespace

import pytest
import torch
from conftest import stand_in_vllm, tiny_llama
from peft import PeftModel

from finllm import cli
from finllm.answering import generate
from finllm.commands.gpu_check import check, fits, large, layers, models, preference, writing
from finllm.commands.gpu_check.bounds import allowed, distance, gamma
from finllm.commands.gpu_check.finding import FAILED, MISSED, NOT_RUN, OK, Finding, bounded, table
from finllm.model import export_formats

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return models.write_tiny(tmp_path_factory.mktemp("gpu_check") / "tiny")


def test_without_a_gpu_all_that_a_cpu_can_run_is_within_its_bounds(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(check, "_packaged", lambda: iter(()))  # half a minute
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    file = tmp_path / "found.json"
    cli.main(["gpu-check", "--output", str(file)])
    printed = capsys.readouterr().out
    assert printed.startswith("No GPU here: the layers that a GPU would run, on the CPU")
    assert max(map(len, printed.splitlines()[1:-1])) <= 100
    found = json.loads(file.read_text())
    assert found["passed"] and not found["on_gpu"]
    states = {one["name"]: one["state"] for one in found["findings"]}
    assert set(states.values()) == {"ok", "not run", "measured"}
    not_run = {name for name, state in states.items() if state == "not run"}
    assert not_run == {
        "bfloat16, flash attention 2: logits",
        "vLLM in bfloat16, LoRA: lead of another token",
        "NF4 in bfloat16, paged AdamW of 8 bits: fall",
        "NF4 in float16 with a scaler, AdamW: fall",
        "tiny, training: memory off plan",
        "tiny, answers: memory off plan",
    }


def test_a_missed_bound_makes_the_exit_code_1(monkeypatch, tmp_path):
    missed = [("one", lambda: bounded("one", 2.0, 1.0))]
    monkeypatch.setattr(check, "checks", lambda *_, **__: missed)
    with pytest.raises(SystemExit) as end:
        cli.main(["gpu-check", "--output", str(tmp_path / "found.json")])
    assert end.value.code == 1
    assert not json.loads((tmp_path / "found.json").read_text())["passed"]


def test_a_check_that_fails_is_a_finding_and_the_next_one_runs(monkeypatch):
    def broken():
        raise RuntimeError("CUDA error: an illegal memory access\nmore lines")

    others = [("one", broken), ("two", lambda: [bounded("two", 0.5, 1.0)])]
    monkeypatch.setattr(check, "checks", lambda *_, **__: others)
    one, two = check.run(minutes=1)
    assert (one.name, one.state) == ("one", FAILED)
    assert one.note == "RuntimeError: CUDA error: an illegal memory access"
    assert two == Finding("two", OK, 0.5, 1.0)
    late = list(check.run(minutes=1e-12))
    assert [one.state for one in late] == [NOT_RUN, NOT_RUN]


def test_no_number_is_within_no_bound():
    assert bounded("nan", float("nan"), 1.0).state == MISSED
    assert bounded("inf", float("inf"), 1.0).state == MISSED


def test_the_table_cuts_a_note_at_100_columns_and_counts_the_states():
    findings = [Finding("a", FAILED, note="x" * 200), Finding("b", OK, 1e-6, 1e-5)]
    lines = table(findings, head="on a GPU").splitlines()
    assert max(map(len, lines)) == 100 and lines[2].endswith("...")
    assert lines[-1] == "1 ok, 0 missed, 1 failed, 0 not run"
    assert re.search(r"b +1e-06 +1e-05  ok$", lines[3])


def test_the_bound_grows_with_epsilon_and_layers_and_the_gradients_is_wider():
    config = models.tiny_config()
    by_type = [allowed(config, 48, dtype) for dtype in (torch.float32, torch.float16)]
    by_type.append(allowed(config, 48, torch.bfloat16))
    assert by_type == sorted(by_type) and by_type[0] < 1e-3 < by_type[1] < by_type[2] < 0.5
    assert allowed(config, 48, torch.bfloat16, backward=True) > by_type[2]
    config.num_hidden_layers = 8
    assert allowed(config, 48, torch.bfloat16) > by_type[2]
    assert gamma(4, torch.float32) < 4 * torch.finfo(torch.float32).eps


def test_another_set_of_tensors_is_no_distance():
    with pytest.raises(ValueError, match="only one of the two has b"):
        distance({"a": torch.ones(1)}, {"a": torch.ones(1), "b": torch.ones(1)})


@pytest.fixture
def vllm(monkeypatch):
    """A stand-in for the package, which answers with the exact model and the given adapter."""

    class LLM:
        def __init__(self, **options):
            assert options["enable_lora"] and options["skip_tokenizer_init"]
            self.folder = options["model"]

        def generate(self, asked, settings, *, lora_request, use_tqdm):
            name, _, adapter = lora_request
            model = PeftModel.from_pretrained(models.exact(self.folder), adapter).eval()
            for one in asked:
                ids = torch.tensor([one["prompt_token_ids"]])
                ids = writing.generated(model, ids, settings["max_tokens"])[0].tolist()
                ids[0] = (ids[0] + module.mistake) % model.config.vocab_size
                yield SimpleNamespace(outputs=[SimpleNamespace(token_ids=tuple(ids))])

    module = stand_in_vllm(monkeypatch, LLM)
    module.mistake = 0
    return module


def test_vllm_is_compared_with_the_exact_model_and_its_adapter(tiny, vllm, tmp_path):
    found = writing.vllm_agrees("right", tiny, "float32", tmp_path / "adapter")
    assert (found.state, found.found) == (OK, 0.0)
    vllm.mistake = 1
    assert writing.vllm_agrees("wrong", tiny, "bfloat16", tmp_path / "adapter").state == MISSED


def test_vllm_is_checked_where_it_is_installed(tiny, monkeypatch, tmp_path):
    name, skipped = check._vllm(tiny, tmp_path, on_gpu=True)
    assert skipped().note == "package vllm is not installed"
    monkeypatch.setattr(check.importlib.util, "find_spec", lambda name: name == "vllm")
    _, made = check._vllm(tiny, tmp_path, on_gpu=True)
    assert made.func is writing.vllm_agrees and made.args == (name, tiny, "bfloat16", tmp_path)


def test_an_attention_that_sees_the_future_is_missed(tiny, monkeypatch):
    from torch.nn import functional

    right = functional.scaled_dot_product_attention
    monkeypatch.setattr(
        functional,
        "scaled_dot_product_attention",
        lambda *a, **o: right(*a, **{**o, "is_causal": False}),
    )
    for dtype in ("float32", "bfloat16"):
        assert layers.logits_agree("wrong", tiny, dtype).state == MISSED
    monkeypatch.setattr("finllm.preference.trainer._mask", lambda real: None)  # as on a GPU
    assert preference.step_agrees("wrong", tiny, "float32").state == MISSED


def test_a_cache_that_mixes_its_rows_up_is_missed(tiny, monkeypatch):
    def shifted(self, key, value, layer, *_):
        self.rows = self.rows.roll(1) if key.shape[2] == 1 and layer == 0 else self.rows
        return update(self, key, value, layer)

    update = generate.RowCache.update
    monkeypatch.setattr(generate.RowCache, "update", shifted)
    for dtype in ("float32", "bfloat16"):
        assert writing.answers_agree("wrong", tiny, dtype).state == MISSED


def test_masks_that_are_drawn_anew_are_missed(tiny, monkeypatch):
    recompute = torch.utils.checkpoint.checkpoint

    def forgetful(*arguments, **options):
        return recompute(*arguments, **{**options, "preserve_rng_state": False})

    monkeypatch.setattr(torch.utils.checkpoint, "checkpoint", forgetful)
    monkeypatch.setattr("transformers.modeling_utils.checkpoint", forgetful)
    assert layers.recomputed_gradients_agree(tiny).state == MISSED


def test_weights_that_are_not_those_written_are_missed(tiny, tmp_path, monkeypatch):
    def other(*arguments, **options):
        model = read(*arguments, **options)
        model.model.norm.weight.data[0] += 1
        return model

    read = export_formats.reload
    monkeypatch.setattr(export_formats, "reload", other)
    found = list(layers.merged_and_exported(tiny, "bfloat16", tmp_path / "merged"))
    assert [one.state for one in found][:2] == [OK, MISSED]


def test_a_quantizer_of_wider_steps_is_missed(monkeypatch):
    right = layers.dequantize_4bit
    monkeypatch.setattr(layers, "dequantize_4bit", lambda *a: right(*a).mul(10).round().div(10))
    assert layers.quantized(CPU).state == MISSED


def test_random_weights_are_made_quantized_and_run():
    config = models.tiny_config()
    model = models.random_on_device(config, CPU, dtype=torch.bfloat16, four_bit=True)
    held = {name: p.dtype for name, p in model.named_parameters()}
    assert held["model.layers.0.mlp.up_proj.weight"] == torch.uint8
    assert held["lm_head.weight"] == torch.bfloat16
    assert not any(p.is_meta for p in [*model.parameters(), *model.buffers()])
    assert layers.logits(model, models.random_ids(1, 9, config.vocab_size)).isfinite().all()


def test_a_gpu_without_the_room_is_said_to_lack_it(monkeypatch):
    monkeypatch.setattr(large, "_forget", lambda device: None)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (10 * 10**9, 16 * 10**9))
    sizes = {"batch": 4, "length": 4096, "labelled": 512}
    config = check._config(check.known_models()[check.LARGE])
    (found,) = large.training("8B", config, torch.device("cuda"), **sizes)
    assert found == Finding("8B", NOT_RUN, note="19.1 GB planned, 10.0 free")


def test_memory_is_held_against_its_plan(monkeypatch):
    monkeypatch.setattr(large, "cuda_peak_bytes", lambda: 20 * 10**9)
    near, far = (
        large._measured_memory("8B", planned, torch.device("cuda"))
        for planned in (19 * 10**9, 16 * 10**9)
    )
    assert (near.state, far.state) == (OK, MISSED)
    assert far.note == "20.00 GB, 16.00 planned" and far.bound == 0.15


def test_the_lead_of_a_chosen_token_is_none():
    model = tiny_llama("sdpa")
    prompt = [5, 6, 7]
    best = writing.generated(model, torch.tensor([prompt]), 4)[0].tolist()
    assert writing.largest_lead(model, prompt, best) == 0
    assert writing.largest_lead(model, prompt, [(best[0] + 1) % 320, *best[1:]]) > 0


def test_the_adapter_of_the_fits_is_held_in_8_bits_and_large_enough_to_be_paged(tiny):
    adapter = models.with_lora(models.loaded(tiny, "float32"), r=fits.R)
    sizes = [p.numel() for p in adapter.parameters() if p.requires_grad]
    assert max(sizes) >= 100_000 > 4096 and min(sizes) >= 4096


def test_an_optimizer_that_learns_half_as_fast_is_missed(tiny, monkeypatch):
    usual = {"quantization": "none", "optimizer": "adamw"}
    reference = fits.trained(tiny, "float32", **usual)
    fall = 1 - reference.best_val_loss_nats / reference.initial_val_loss_nats
    assert 0.1 < fall < 0.9  # neither nothing nor all is learned
    monkeypatch.setattr(fits, "RATE", fits.RATE / 2)
    assert fits.falls_alike("slow", tiny, reference, dtype="float32", **usual).state == MISSED
