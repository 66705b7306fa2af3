"""The kind of processor: what is found of it, and what a limit makes of it."""

import json
import os
import subprocess
import sys

import pytest
import torch

from finllm.model import arithmetic
from finllm.model.arithmetic import isa_in_words, kind, multiplies_bfloat16, onednn_isa
from finllm.model.compute_type import cpu_multiplies_bfloat16
from finllm.model.packed_linear import packable

AVX2 = dict.fromkeys(("avx2", "fma3"), True)
AVX512 = AVX2 | dict.fromkeys(("avx512_f", "avx512_bw", "avx512_vl", "avx512_dq"), True)
ZEN5 = AVX512 | {"avx512_vnni": True, "avx512_bf16": True, "avx512_fp16": False}
XEON = ZEN5 | dict.fromkeys(("avx512_fp16", "amx_tile", "amx_int8", "amx_bf16"), True)


@pytest.fixture(autouse=True)
def no_limits(monkeypatch):
    for name in arithmetic.LIMITS:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("capabilities", "limit", "isa", "words"),
    [
        (AVX2, "", "AVX2", "AVX2"),
        (AVX512, "", "AVX512_CORE", "AVX-512"),
        (ZEN5, "", "AVX512_CORE_BF16", "AVX-512, bfloat16"),
        (XEON, "", "AVX512_CORE_AMX", "AMX, bfloat16"),
        (XEON, "ALL", "AVX512_CORE_AMX", "AMX, bfloat16"),
        (XEON, "AVX512_CORE_BF16", "AVX512_CORE_BF16", "AVX-512, bfloat16"),
        (XEON, "avx10_1_512", "AVX512_CORE_FP16", "AVX-512, bfloat16"),
        (XEON, "AVX512_CORE", "AVX512_CORE", "AVX-512"),
        (XEON, "avx2", "AVX2", "AVX2"),
        (XEON, "AVX2_VNNI", "AVX2_VNNI", "AVX2"),
        (XEON, "SSE41", "SSE41", "SSE41"),
        (AVX2, "AVX512_CORE_AMX", "AVX2", "AVX2"),  # a limit adds nothing
    ],
)
def test_the_instruction_set_is_the_best_that_the_limit_leaves(
    capabilities, limit, isa, words, monkeypatch
):
    if limit:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    assert onednn_isa(capabilities) == isa and isa_in_words(isa) == words
    assert multiplies_bfloat16(isa) == ("bfloat16" in words)


def test_a_processor_of_another_architecture_is_called_by_it(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert isa_in_words(onednn_isa({"neon": True})) == "aarch64"


@pytest.mark.parametrize("limit", ["", "ALL", "AVX512_CORE_BF16", "AVX512_CORE", "AVX2"])
def test_the_compute_type_that_is_chosen_is_what_the_reader_is_told(limit, monkeypatch):
    if limit:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    if not packable(torch.bfloat16):
        pytest.skip("this process runs under a limit that the test takes away")
    assert multiplies_bfloat16(onednn_isa()) == cpu_multiplies_bfloat16()


def test_every_limit_is_part_of_the_kind(monkeypatch):
    kinds = [kind()]
    for name in arithmetic.LIMITS:
        with monkeypatch.context() as patch:
            patch.setenv(name, "AVX2")
            kinds.append(kind())
    assert len({json.dumps(one, sort_keys=True) for one in kinds}) == len(kinds)
    assert kind() == kinds[0]


def test_torchs_own_limit_is_seen_from_the_start_of_a_process():
    code = "from finllm.model.arithmetic import kind; print(kind()['torch'])"
    for limit, found in (("avx2", "AVX2"), ("default", "DEFAULT")):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "ATEN_CPU_CAPABILITY": limit},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() in (found, "NO AVX", arithmetic.processor_name())
