"""The memory of answers on a GPU, against what a small model really holds."""

import dataclasses

import pytest
import torch
from conftest import tiny_llama

from finllm.answering.generate import RowCache
from finllm.planning.answering import (
    AnswerSetting,
    answer_memory,
    largest_answer_batch,
)
from finllm.planning.architecture import find_architecture
from finllm.planning.memory import OVERHEAD

LLAMA = find_architecture("meta-llama/Meta-Llama-3-8B-Instruct")
SETTING = AnswerSetting(
    quantization="none",
    double_quantization=True,
    compute_dtype="bfloat16",
    r=16,
    targets="all-linear",
    batch_size=16,
    length=3584,
    new_tokens=512,
)


def changed(**values):
    return answer_memory(LLAMA, dataclasses.replace(SETTING, **values))


def test_an_8b_in_bfloat16_takes_16_gb_and_131_kb_a_token_of_its_cache():
    found = changed()
    assert found.weights / 1e9 == pytest.approx(16.06, abs=0.005) and found.adapter == 0
    assert found.cache == 131_072 * 16 * (3584 + 512)
    assert found.overhead == OVERHEAD["cuda"].base
    assert found.peak == sum(dataclasses.astuple(found))


def test_the_cache_is_the_one_that_is_made():
    config = tiny_llama().config
    like = torch.zeros(1, dtype=torch.bfloat16)
    shape = (config.num_hidden_layers, 3, config.num_key_value_heads, 20 + 7, config.head_dim)
    cache = RowCache(*shape, like=like)
    model = dataclasses.replace(
        LLAMA,
        layers=config.num_hidden_layers,
        kv_heads=config.num_key_value_heads,
        head_dim=config.head_dim,
    )
    asked = dataclasses.replace(SETTING, batch_size=3, length=20, new_tokens=7)
    assert answer_memory(model, asked).cache == cache.keys.nbytes + cache.values.nbytes


def test_four_bits_hold_the_adapter_apart_and_dequantize_one_matrix():
    four, sixteen = changed(quantization="nf4"), changed()
    assert four.weights / 1e9 == pytest.approx(5.70, abs=0.005)
    assert four.adapter == 4 * 41_943_040
    assert four.working - sixteen.working == 2 * 14_336 * 4_096


def test_no_scores_are_planned_so_reading_grows_with_the_tokens_alone():
    assert changed(length=7168).working == 2 * changed().working


def test_a_long_answer_to_a_short_prompt_copies_half_of_its_cache_when_another_ends():
    found = changed(length=1, new_tokens=4095)
    assert found.working == found.cache // 2


def test_the_largest_batch_fits_and_one_more_does_not():
    most = largest_answer_batch(LLAMA, SETTING, device_gb=24)
    assert changed(batch_size=most).peak <= 24e9 < changed(batch_size=most + 1).peak
    assert largest_answer_batch(LLAMA, SETTING, device_gb=16) == 0
