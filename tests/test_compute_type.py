"""What ``model.compute_dtype: auto`` becomes, and what is said of an unwise choice."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from finllm.model import compute_type
from finllm.model.compute_type import cpu_multiplies_bfloat16, resolved
from finllm.planning.planned_memory import planned_dtype
from finllm.settings.params import load_params

MODEL = load_params(Path("params.yaml")).model
ASK = "from finllm.model import compute_type as c; print(c.cpu_multiplies_bfloat16())"


def with_dtype(name):
    return dataclasses.replace(MODEL, compute_dtype=name)


@pytest.fixture(autouse=True)
def without_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    compute_type._warn_once.cache_clear()


def test_the_default_is_auto():
    assert MODEL.compute_dtype == "auto"


@pytest.mark.parametrize(("multiplies", "became"), [(True, "bfloat16"), (False, "float32")])
def test_auto_is_bfloat16_where_the_processor_multiplies_in_it(multiplies, became, monkeypatch):
    monkeypatch.setattr(compute_type, "cpu_multiplies_bfloat16", lambda: multiplies)
    assert resolved(with_dtype("auto")) == with_dtype(became)
    assert planned_dtype("auto", "cpu") == became
    assert planned_dtype("auto", "cuda") == "bfloat16"


@pytest.mark.parametrize("name", ["bfloat16", "float32", "float16"])
def test_an_explicit_type_is_taken_as_it_is(name, monkeypatch):
    for multiplies in (True, False):
        monkeypatch.setattr(compute_type, "cpu_multiplies_bfloat16", lambda m=multiplies: m)
        assert resolved(with_dtype(name)) == with_dtype(name)
        assert planned_dtype(name, "cpu") == name


def test_bfloat16_without_its_products_is_warned_of_once(monkeypatch, capsys):
    monkeypatch.setattr(compute_type, "cpu_multiplies_bfloat16", lambda: False)
    for name in ("float32", "auto", "bfloat16", "bfloat16"):
        resolved(with_dtype(name))
    said = capsys.readouterr().err
    assert said.count("warning:") == 1 and "set model.compute_dtype to auto or float32" in said
    monkeypatch.setattr(compute_type, "cpu_multiplies_bfloat16", lambda: True)
    compute_type._warn_once.cache_clear()
    resolved(with_dtype("bfloat16"))
    assert capsys.readouterr().err == ""


def test_a_gpu_is_asked_in_the_place_of_the_processor(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for has in (True, False):
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation, has=has: has
        )
        assert resolved(with_dtype("auto")).compute_dtype == ("bfloat16" if has else "float32")


@pytest.mark.parametrize("name", ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"])
@pytest.mark.parametrize("limit", ["AVX2", "avx2_vnni", "AVX512_CORE", "AVX512_CORE_VNNI", "SSE41"])
def test_a_limit_of_onednn_hides_the_processors_instructions(name, limit, monkeypatch):
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.setenv(name, limit)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    monkeypatch.setattr(compute_type.platform, "machine", lambda: "x86_64")
    assert not cpu_multiplies_bfloat16()


@pytest.mark.parametrize(
    ("limit", "avx512", "amx", "expected"),
    [
        ("", True, False, True),
        ("", False, False, False),  # AVX-512 without bfloat16: oneDNN would emulate
        ("DEFAULT", False, True, True),
        ("avx512_core_bf16", True, True, True),
        ("AVX512_CORE_BF16", False, True, False),  # the limit leaves AMX out
        ("AVX512_CORE_AMX", False, True, True),
        ("AVX10_1_512", True, False, True),
    ],
)
def test_instructions_and_limit_count_together(limit, avx512, amx, expected, monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    monkeypatch.delenv("DNNL_MAX_CPU_ISA", raising=False)
    monkeypatch.setattr(compute_type, "packable", lambda dtype: True)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(compute_type.platform, "machine", lambda: "x86_64")
    assert cpu_multiplies_bfloat16() is expected


def test_a_process_limited_to_avx2_has_none():
    limited = {**os.environ, "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = subprocess.run([sys.executable, "-c", ASK], env=limited, capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
