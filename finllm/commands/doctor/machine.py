"""Checks of the device, its memory, the processor, threads and disk space."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from finllm.commands.doctor.finding import Finding, ok, problem, warning
from finllm.commands.files import existing, try_to_write

GB = 1e9
LEAST_GB, ENOUGH_GB = 1.0, 5.0  # free on a disk, for one run and for several
CGROUP = Path("/sys/fs/cgroup/memory.max")  # memory limit of a container
CPU_PRESET = "python -m finllm preset cpu-smollm2"


def device(
    gpus: Sequence[tuple[str, float]], memory_gb: float, *, planned_gb: float | None
) -> Finding:
    """Check whether the planned run fits the memory of the device.

    Parameters
    ----------
    gpus
        Name and memory in GB of each GPU.
    memory_gb
        Main memory that this process may use, in GB.
    planned_gb
        Peak memory of one device in GB, as planned by `finllm plan`; None if it cannot be planned.
    """
    says, room = f"CPU with {memory_gb:.1f} GB", memory_gb
    if gpus:
        room = min(gb for _, gb in gpus)
        says = f"{len(gpus)} x {gpus[0][0]} with {room:.1f} GB, {memory_gb:.1f} GB of main memory"
    if planned_gb is None:
        return ok("device", says)
    says += f"; planned peak: {planned_gb:.1f} GB"
    if planned_gb <= room:
        return ok("device", says)
    mend = "dvc exp run -S train.batch_size=1 -S train.checkpoint_layers=1"
    mend += " -S predict.batch_size=1" if gpus else ""
    return problem("device", says, mend)


def needs_gpu(optimizer: str, compute_dtype: str, n_gpus: int) -> Finding:
    """Check whether the parameters need a GPU that this machine does not have."""
    asked = []
    if optimizer == "paged_adamw_8bit":
        asked.append("train.optimizer is paged_adamw_8bit")
    if compute_dtype == "float16":
        asked.append("model.compute_dtype is float16")
    if asked and not n_gpus:
        return problem("setting", f"needs a GPU: {', '.join(asked)}", CPU_PRESET)
    return ok("setting", f"optimizer {optimizer}, compute type {compute_dtype}")


def memory_gb() -> float:
    """Return the main memory that this process or its container may use, in GB of 10^9 bytes."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = CGROUP.read_text(encoding="ascii").strip() if CGROUP.is_file() else "max"
    return min(total, int(limit) if limit.isdigit() else total) / GB


def cpu_flags(cpuinfo: str) -> frozenset[str]:
    r"""Return the features of the first processor in the text of /proc/cpuinfo.

    >>> sorted(cpu_flags("processor : 0\nflags : avx2 avx512_bf16\n"))
    ['avx2', 'avx512_bf16']
    """
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo, re.MULTILINE)
    return frozenset(found[1].split()) if found else frozenset()


def cpu_features(
    flags: AbstractSet[str],
    *,
    compute_dtype: str,
    multiplies: bool,
    limit: str = "",
    n_gpus: int = 0,
) -> Finding:
    """Check whether the processor has fast bfloat16 products, if the compute type needs them.

    Parameters
    ----------
    flags
        Features of the processor.
    compute_dtype
        ``model.compute_dtype`` of params.yaml.
    multiplies
        Whether bfloat16 products are available (``finllm.model.compute_type``).
    limit
        Value of ``ONEDNN_MAX_CPU_ISA``, which can disable features.
    n_gpus
        Number of GPUs; with one, the processor is not used for training.
    """
    found = [name for flag, name in _BFLOAT16.items() if flag in flags]
    says = "no bfloat16 products (no AVX512-BF16, AMX or SVE-BF16)"
    if multiplies:
        says = f"bfloat16 products by {' and '.join(found) or 'its own instructions'}"
    elif found and limit:
        says = f"no bfloat16 products under ONEDNN_MAX_CPU_ISA={limit}"
    if n_gpus:
        return ok("processor", "not used for training, which runs on a GPU")
    if compute_dtype == "auto":
        became = "bfloat16" if multiplies else "float32"
        return ok("processor", f"{says}: model.compute_dtype auto is {became}")
    if compute_dtype == "bfloat16" and not multiplies:
        mend = "dvc exp run -S model.compute_dtype=auto"
        return warning("processor", f"{says}, so bfloat16 is slow", mend)
    return ok("processor", f"{says}; model.compute_dtype is {compute_dtype}")


_BFLOAT16 = {"avx512_bf16": "AVX512-BF16", "amx_bf16": "AMX", "svebf16": "SVE-BF16"}


def threads(cores: int, torch_threads: int, omp: str) -> Finding:
    """Check whether the number of torch threads suits the cores that this process may use.

    More threads than cores, or at most half as many, give a warning. ``omp`` is the value of
    OMP_NUM_THREADS.
    """
    asked = f", OMP_NUM_THREADS is {omp}" if omp else ""
    says = f"{torch_threads} torch thread{'s' * (torch_threads != 1)} on {cores} "
    says += f"core{'s' * (cores != 1)}{asked}"
    if torch_threads > cores:
        return warning("threads", f"{says}: the threads compete for the cores", _threads(cores))
    if 2 * torch_threads <= cores:
        return warning("threads", f"{says}: some cores are idle", _threads(cores))
    return ok("threads", says)


def _threads(cores: int) -> str:
    return f"export OMP_NUM_THREADS={cores}"


def n_cores() -> int:
    """Return the number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def disk(name: str, folder: Path, *, mend: str) -> Finding:
    """Check whether ``folder``, or its nearest existing parent, is writable and has free space."""
    place = existing(folder.resolve())
    try:
        try_to_write(place)
    except OSError as error:
        return problem(name, f"{folder} cannot be written: {error.strerror}", mend)
    free_gb = shutil.disk_usage(place).free / GB
    says = f"{free_gb:.1f} GB free in {folder}"
    if free_gb < LEAST_GB:
        return problem(name, says, mend)
    return ok(name, says) if free_gb >= ENOUGH_GB else warning(name, says, mend)
