"""Choice of the compute type of ``model.compute_dtype: auto`` for this machine.

bfloat16 is fast if the device has bfloat16 products. Otherwise they are emulated, on many
processors ten times slower than those of float32 (docs/experiments.md).
"""

from __future__ import annotations

import dataclasses
import os
import platform
import sys
from functools import cache

import torch

from finllm.model.packed_linear import packable
from finllm.settings.params import Model

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
# values of ONEDNN_MAX_CPU_ISA with which oneDNN uses AVX512-BF16 or AMX if the processor has them
MULTIPLIES = ("AVX512_CORE_BF16", "AVX512_CORE_FP16", "AVX512_CORE_AMX", "AVX512_CORE_AMX_FP16")
UNLIMITED = ("DEFAULT", "ALL")


def resolved(model: Model) -> Model:
    """Return the parameters with ``auto`` replaced by a compute type for this machine.

    Warn once on stderr if bfloat16 is asked for and the device has no bfloat16 products.
    """
    if model.compute_dtype == "auto":
        fast = multiplies_bfloat16()
        return dataclasses.replace(model, compute_dtype="bfloat16" if fast else "float32")
    if model.compute_dtype == "bfloat16" and not multiplies_bfloat16():
        _warn_once()
    return model


def multiplies_bfloat16() -> bool:
    """Return whether the GPU, or without a GPU the processor, has products of bfloat16."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return cpu_multiplies_bfloat16()


def cpu_multiplies_bfloat16() -> bool:
    """Return whether the processor has products of bfloat16, and oneDNN uses them.

    PyTorch's own check of oneDNN is true on any processor with AVX-512, where such products may be
    emulated, so the processor's instructions are checked too. oneDNN uses no more of them than
    ``ONEDNN_MAX_CPU_ISA`` (formerly ``DNNL_MAX_CPU_ISA``) allows.
    """
    if not packable(torch.bfloat16):
        return False
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return True  # on ARM, oneDNN checks the processor itself
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or "DEFAULT"
    limit = limit.upper().removeprefix("DNNL_").removeprefix("ONEDNN_")
    # AVX10 is AVX-512 under another name, these instructions included
    if limit not in (*MULTIPLIES, *UNLIMITED) and not limit.startswith("AVX10"):
        return False
    amx = torch.cpu._is_amx_tile_supported() and (limit in UNLIMITED or "AMX" in limit)
    return torch.cpu._is_avx512_bf16_supported() or amx


@cache
def _warn_once() -> None:
    where = "the GPU" if torch.cuda.is_available() else "the processor"
    print(
        f"warning: model.compute_dtype is bfloat16, but {where} has no hardware support for "
        "bfloat16, which is then many times slower than float32; set model.compute_dtype to "
        "auto or float32",
        file=sys.stderr,
    )
