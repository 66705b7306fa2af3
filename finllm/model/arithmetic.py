"""Description of what rounding depends on: processor, instruction set, threads, libraries.

The same product comes out differently in its last bits where another instruction set adds its terms
in another order, and a greedy answer then differs where two tokens are nearly as probable. So
unfinished work that is gone on from is named by what this module finds, among the rest.
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
LIMITS = (  # variables by which a user forbids instructions, or allows coarser products
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
# oneDNN's names, and what each needs of the processor beside what the one before it does
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
    """The kind of processor (and GPUs), and all limits that are set for it; what JSON can hold.

    Equal on two machines, it says that the same programs run there; not how fast.
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
        "gpus": sorted(map(list, gpus)),  # each kind once, however many of it are visible
    }


def libraries() -> dict[str, str]:
    """The version of each installed library that computes."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def processor_in_words() -> str:
    """What computes here: the GPUs' name, or the processor's and what it multiplies with."""
    if n_gpus := torch.cuda.device_count():
        name = torch.cuda.get_device_name(0)
        return name if n_gpus == 1 else f"{n_gpus} x {name}"
    name = re.sub(r"\((?:R|TM|tm)\)|\bCPU\b|\b\w+-Core\b|\bProcessor\b|@.*", "", processor_name())
    return f"{' '.join(name.replace(',', ' ').split())}, {isa_in_words(onednn_isa())}"


def processor_name() -> str:
    """The processor's own name, as ``AMD EPYC 9B45``; its architecture where it has none."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def onednn_isa(capabilities: dict[str, object] | None = None) -> str:
    """The instruction set that oneDNN multiplies with, under the limit that is set for it.

    ``AVX2``, ``AVX512_CORE``, ``AVX512_CORE_BF16``, ``AVX512_CORE_AMX`` and so on; what the limit
    says where it is below AVX2; the architecture where the processor is no x86-64.

    Parameters
    ----------
    capabilities
        By name, as torch lists them; this processor's where it is None.
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
    """What a reader knows an instruction set by, and whether it multiplies bfloat16.

    >>> isa_in_words("AVX512_CORE_AMX"), isa_in_words("AVX2")
    ('AMX, bfloat16', 'AVX2')
    """
    words = next((text for part, text in _IN_WORDS.items() if part in isa), isa)
    return f"{words}, bfloat16" if multiplies_bfloat16(isa) else words


def multiplies_bfloat16(isa: str) -> bool:
    """Whether oneDNN's instruction set of that name has products of bfloat16."""
    return any(part in isa for part in ("BF16", "FP16", "AMX"))


def _capabilities() -> dict[str, object]:
    return dict(torch.cpu.get_capabilities())
