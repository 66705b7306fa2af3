import dataclasses

import pytest

from finllm.planning.activations import activations
from finllm.planning.architecture import known_models
from finllm.planning.memory import (
    GB,
    LAUNCHERS,
    OVERHEAD,
    Setting,
    device_memory,
    largest_batch,
    loading_memory,
    planned_peak,
    weight_bytes,
)

LLAMA_8B = known_models()["meta-llama/Meta-Llama-3-8B-Instruct"]
LLAMA_70B = known_models()["meta-llama/Meta-Llama-3-70B-Instruct"]
SMOLLM2 = known_models()["SmolLM2-135M-Instruct"]
LORA_8B = 41_943_040  # trainable parameters at r = 16 on all linear layers
GPU = Setting(
    quantization="nf4",
    double_quantization=True,
    compute_dtype="bfloat16",
    attention="auto",
    r=16,
    targets="all-linear",
    dropout=0.1,
    optimizer="paged_adamw_8bit",
    batch_size=4,
    length=4096,
    labelled=512,
    mixed_lengths=True,
    recompute_every=1,
    device="cuda",
)


def on(launcher, devices, *, model=LLAMA_8B, setting=GPU):
    return device_memory(model, setting, launcher=launcher, devices=devices)


def held(model, quantization, double=False, dtype="bfloat16"):
    return weight_bytes(
        model, quantization=quantization, double_quantization=double, compute_dtype=dtype
    )


def test_llama_3_8b_in_nf4_with_double_quantization_takes_5_70_gb():
    found = held(LLAMA_8B, "nf4", double=True)
    assert (found.linear + found.constants) / GB == pytest.approx(3.60, abs=0.005)
    assert found.embeddings == 2 * 128_256 * 4096 * 2
    assert found.embeddings / GB == pytest.approx(2.10, abs=0.005)
    assert found.total / GB == pytest.approx(5.70, abs=0.005)


def test_each_type_takes_its_bytes_a_weight():
    n = 106_168_320  # of SmolLM2's linear layers: 0.127 bits a weight for the constants' constants
    assert held(SMOLLM2, "nf4").linear == n / 2
    assert held(SMOLLM2, "nf4").constants == n / 64 * 4
    assert held(SMOLLM2, "nf4", double=True).constants == int(n / 64 + n / 64 / 256 * 4)
    assert held(SMOLLM2, "fp4") == held(SMOLLM2, "nf4")
    assert held(SMOLLM2, "int8").linear == n
    assert held(SMOLLM2, "int8").constants == 30 * 4 * (2 * 576 + 2 * 192 + 2 * 1536 + 576)
    assert held(SMOLLM2, "none").linear == 2 * n
    assert held(SMOLLM2, "none", dtype="float32").total == 4 * 134_515_008


def test_the_bytes_are_those_that_bitsandbytes_holds():
    torch = pytest.importorskip("torch")
    from bitsandbytes.nn import Params4bit

    weight = torch.randn(512, 512)
    for double in (False, True):
        made = Params4bit(
            weight.clone(), requires_grad=False, quant_type="nf4", compress_statistics=double
        ).to("cpu")
        state = made.quant_state
        constants = state.absmax.numel() * state.absmax.element_size()
        if double:
            constants += state.state2.absmax.numel() * 4
        shape = dataclasses.replace(SMOLLM2, layers=1)
        bytes_ = held(shape, "nf4", double=double)
        n = 106_168_320 / 30
        assert made.numel() * made.element_size() == 512 * 512 / 2
        assert constants / 512**2 == pytest.approx(bytes_.constants / n, rel=1e-3)


def test_an_unknown_quantization_is_an_error_in_words():
    with pytest.raises(ValueError, match="quantization is 'nf3'; supported: nf4"):
        held(SMOLLM2, "nf3")


def test_one_device_holds_everything_and_the_parts_add_up():
    found = on("single", 1)
    assert found.weights == held(LLAMA_8B, "nf4", double=True).total
    assert found.adapter == found.best_adapter == found.gradients == 4 * LORA_8B
    assert found.optimizer == 2 * LORA_8B
    assert found.gathered == 0
    assert found.peak == sum(dataclasses.astuple(found))


def test_plain_adamw_keeps_eight_bytes_a_trainable_parameter():
    plain = dataclasses.replace(GPU, optimizer="adamw")
    assert on("single", 1, setting=plain).optimizer == 8 * LORA_8B


def test_ddp_shards_nothing_and_adds_buckets_for_the_gradients():
    one, four = on("single", 1), on("ddp", 4)
    assert four.peak - one.peak == four.gathered == 4 * LORA_8B


def test_zero2_shards_gradients_and_optimizer_but_no_weights():
    one, four = on("single", 1), on("deepspeed-zero2", 4)
    assert (four.gradients, four.optimizer) == (LORA_8B, LORA_8B // 2)
    assert (four.weights, four.adapter) == (one.weights, one.adapter)


def test_fsdp_shards_all_but_the_constants_and_gathers_two_blocks_and_the_root():
    weights = held(LLAMA_8B, "nf4", double=True)
    four = on("fsdp", 4)
    sharded = weights.total - weights.constants
    assert four.weights == weights.constants + sharded // 4
    assert four.gathered == 2 * weights.linear // 32 + weights.embeddings
    assert (four.adapter, four.gradients) == (LORA_8B, LORA_8B)


def test_zero3_gathers_embeddings_and_head_one_after_the_other():
    difference = on("fsdp", 4).gathered - on("deepspeed-zero3", 4).gathered
    assert difference == 128_256 * 4096 * 2


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_every_launcher_on_one_device_is_a_single_device(launcher):
    assert on(launcher, 1) == on("single", 1)


@pytest.mark.parametrize("launcher", ["fsdp", "deepspeed-zero3"])
def test_more_devices_never_need_more_memory_when_weights_are_sharded(launcher):
    peaks = [on(launcher, n, model=LLAMA_70B).peak for n in (2, 4, 8)]
    assert peaks == sorted(peaks, reverse=True)


def test_the_weights_of_a_70b_do_not_fit_40_gb_unless_sharded():
    setting = dataclasses.replace(GPU, batch_size=1)
    assert on("ddp", 4, model=LLAMA_70B, setting=setting).peak > 40 * GB
    assert on("fsdp", 4, model=LLAMA_70B, setting=setting).peak < 40 * GB


def test_the_overhead_is_the_devices_own():
    found = on("single", 1)
    assert found.overhead == OVERHEAD["cuda"].base
    assert found.waste == int(OVERHEAD["cuda"].waste * found.activations)


def test_fused_layers_waste_nothing_but_for_examples_of_many_lengths():
    fused = dataclasses.replace(GPU, device="cpu")
    assert on("single", 1, setting=fused).waste == OVERHEAD["cpu"].lengths > 0
    alike = dataclasses.replace(fused, mixed_lengths=False)
    assert on("single", 1, setting=alike).waste == 0
    plain = on("single", 1, setting=dataclasses.replace(alike, quantization="int8"))
    assert plain.waste == int(OVERHEAD["cpu"].waste * plain.activations) > 0


def test_fused_layers_on_a_cpu_hold_the_weights_a_second_time_in_the_compute_type():
    fused = dataclasses.replace(GPU, device="cpu", recompute_every=0)
    for every in (0, 1, 2):
        setting = dataclasses.replace(fused, recompute_every=every)
        assert on("single", 1, setting=setting).dequantized == 2 * 6_979_321_856
    wide = dataclasses.replace(fused, compute_dtype="float32")
    assert on("single", 1, setting=wide).dequantized == 4 * 6_979_321_856
    for change in ({"quantization": "int8"}, {"compute_dtype": "float16"}, {"device": "cuda"}):
        setting = dataclasses.replace(fused, **change)
        assert on("single", 1, setting=setting).dequantized == 0


def test_attention_auto_is_matmul_on_a_cpu_and_keeps_no_weights_on_a_gpu():
    def peak(**changes):
        return on("single", 1, setting=dataclasses.replace(GPU, **changes)).activations

    assert peak() == peak(attention="sdpa")
    wide = {"compute_dtype": "float16"}  # in the others a CPU fuses its layers
    assert peak(device="cpu", **wide) == peak(attention="matmul", **wide)
    assert peak(attention="matmul") > peak(attention="sdpa")


def test_the_largest_batch_fits_and_one_more_does_not():
    batch = largest_batch(LLAMA_8B, GPU, device_gb=24)

    def peak(n):
        return on("single", 1, setting=dataclasses.replace(GPU, batch_size=n)).peak

    assert peak(batch) <= 24 * GB < peak(batch + 1)
    assert largest_batch(LLAMA_70B, GPU, device_gb=24) == 0


def test_an_unknown_launcher_names_those_that_are_planned():
    with pytest.raises(ValueError, match="launcher is 'tpu'; supported: single, ddp"):
        on("tpu", 2)


def test_activations_do_not_depend_on_the_devices():
    expected = activations(
        LLAMA_8B,
        batch_size=4,
        length=4096,
        labelled=512,
        r=16,
        targets="all-linear",
        dropout=0.1,
        attention="sdpa",
        compute_dtype="bfloat16",
        recompute_every=1,
    ).peak
    assert {on(launcher, n).activations for launcher in LAUNCHERS for n in (1, 8)} == {expected}


def test_every_process_holds_the_whole_model_and_its_shards_until_all_is_sharded():
    whole = loading_memory(LLAMA_8B, GPU, launcher="single", devices=1)
    weights = held(LLAMA_8B, "nf4", double=True)
    parameters = weights.total + 4 * LORA_8B
    assert whole == parameters + OVERHEAD["cuda"].base
    assert loading_memory(LLAMA_8B, GPU, launcher="ddp", devices=4) == whole
    shards = (parameters - weights.constants) // 4
    assert loading_memory(LLAMA_8B, GPU, launcher="fsdp", devices=4) == whole + shards


def test_the_planned_peak_is_that_of_loading_where_it_is_more():
    small = dataclasses.replace(GPU, batch_size=1, length=8, labelled=4)
    many = {"launcher": "fsdp", "devices": 8}
    assert planned_peak(LLAMA_8B, small, **many) == loading_memory(LLAMA_8B, small, **many)
    assert planned_peak(LLAMA_8B, GPU, launcher="single", devices=1) == on("single", 1).peak
