"""Description of the hardware and software that rounding depends on.

Another instruction set may add the terms of a product in another order, so that the result differs
in its last bits; a greedy answer then differs where two tokens are almost equally probable. So the
key of unfinished work, by which it is found and resumed, includes the findings of this module.
"""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

LIBRARIES = (
    "accelerate", "bitsandbytes", "llvmlite", "numba", "numpy", "peft", "safetensors",
    "tokenizers", "torch", "transformers", "trl",
)  # fmt: skip
LIMITS = (  # variables with which a user forbids instructions, or allows coarser products
    "ATEN_CPU_CAPABILITY",
    "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "DNNL_DEFAULT_FPMATH_MODE",
    "MKL_ENABLE_INSTRUCTIONS",
    "MKL_CBWR",
    "MKL_DEBUG_CPU_TYPE",
    "NUMBA_CPU_NAME",
    "NUMBA_CPU_FEATURES",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "NVIDIA_TF32_OVERRIDE",
    "CUBLAS_WORKSPACE_CONFIG",
)
# oneDNN's names, and the processor features that each needs in addition to the one before it
_ISAS = (
    ("AVX2", ("avx2", "fma3")),
    ("AVX512_CORE", ("avx512_f", "avx512_bw", "avx512_vl", "avx512_dq")),
    ("AVX512_CORE_VNNI", ("avx512_vnni",)),
    ("AVX512_CORE_BF16", ("avx512_bf16",)),
    ("AVX512_CORE_FP16", ("avx512_fp16",)),
    ("AVX512_CORE_AMX", ("amx_tile", "amx_int8", "amx_bf16")),
    ("AVX512_CORE_AMX_FP16", ("amx_fp16",)),
)
_ALSO_KNOWN_AS = {
    "AVX10_1_512": "AVX512_CORE_FP16",
    "AVX10_1_512_AMX": "AVX512_CORE_AMX",
    "AVX10_1_512_AMX_FP16": "AVX512_CORE_AMX_FP16",
}
_NARROW = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2")  # at most 256 bits
_IN_WORDS = {"AMX": "AMX", "AVX512": "AVX-512", "AVX2": "AVX2"}


def kind() -> dict[str, object]:
    """Return the processor, GPUs and limits set for them, as values that JSON can represent.

    Equal results on two machines mean that the same programs run there, but not equally fast.
    """
    capabilities = _capabilities()
    gpus = {
        (torch.cuda.get_device_name(i), *torch.cuda.get_device_capability(i))
        for i in range(torch.cuda.device_count())
    }
    return {
        "processor": processor_name(),
        "features": sorted(name for name, has in capabilities.items() if has is True),
        "torch": torch.backends.cpu.get_cpu_capability(),
        "onednn": onednn_isa(capabilities),
        "limits": {name: os.environ[name] for name in LIMITS if name in os.environ},
        "float32_products": torch.get_float32_matmul_precision(),
        "gpus": sorted(map(list, gpus)),  # each kind once, however many are visible
    }


def libraries() -> dict[str, str]:
    """Return the version of each installed numerical library, by name."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def processor_in_words() -> str:
    """Return the name of the GPUs, or of the processor and the instruction set of its products."""
    if n_gpus := torch.cuda.device_count():
        name = torch.cuda.get_device_name(0)
        return name if n_gpus == 1 else f"{n_gpus} x {name}"
    name = re.sub(r"\((?:R|TM|tm)\)|\bCPU\b|\b\w+-Core\b|\bProcessor\b|@.*", "", processor_name())
    return f"{' '.join(name.replace(',', ' ').split())}, {isa_in_words(onednn_isa())}"


def processor_name() -> str:
    """Return the processor's name, such as ``AMD EPYC 9B45``, or its architecture without one."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def onednn_isa(capabilities: dict[str, object] | None = None) -> str:
    """Return the instruction set that oneDNN uses for products, within the limit set for it.

    Examples are ``AVX2``, ``AVX512_CORE``, ``AVX512_CORE_BF16`` and ``AVX512_CORE_AMX``. The result
    is the limit itself if that is below AVX2 or a variant of it, and the architecture if the
    processor is not x86-64 or lacks AVX2.

    Parameters
    ----------
    capabilities
        Processor features by name, as torch lists them; None for this processor's.
    """
    found = platform.machine()
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", os.environ.get("DNNL_MAX_CPU_ISA", "")).upper()
    limit = _ALSO_KNOWN_AS.get(limit, limit)
    if limit in _NARROW and limit != "AVX2":
        return limit
    capabilities = _capabilities() if capabilities is None else capabilities
    for name, needs in _ISAS:
        if not all(capabilities.get(need) for need in needs):
            break
        found = name
        if name == limit:
            break
    return found


def isa_in_words(isa: str) -> str:
    """Return the common name of an instruction set, and ``bfloat16`` if it has such products.

    >>> isa_in_words("AVX512_CORE_AMX"), isa_in_words("AVX2")
    ('AMX, bfloat16', 'AVX2')
    """
    words = next((text for part, text in _IN_WORDS.items() if part in isa), isa)
    return f"{words}, bfloat16" if multiplies_bfloat16(isa) else words


def multiplies_bfloat16(isa: str) -> bool:
    """Return whether the instruction set, by its oneDNN name, has products of bfloat16."""
    return any(part in isa for part in ("BF16", "FP16", "AMX"))


def _capabilities() -> dict[str, object]:
    return dict(torch.cpu.get_capabilities())
