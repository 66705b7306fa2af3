"""Checks of Python, the pinned packages, torch and bitsandbytes."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Callable, Mapping, Sequence

from finllm.commands.doctor.finding import INSTALL, Finding, ok, problem, warning

OLDEST, NEWEST = (3, 11), (3, 13)  # as in pyproject.toml
MAX_NF4_ERROR = 0.2  # for normal weights; NF4 has 0.1 (Dettmers et al. 2023, arXiv 2305.14314)


def python_version(version: Sequence[int]) -> Finding:
    """Check whether the pinned packages support this version of Python.

    >>> python_version((3, 10, 4)).state, python_version((3, 12, 1)).state
    ('problem', 'ok')
    """
    found = ".".join(map(str, version[:3]))
    if OLDEST <= tuple(version[:2]) <= NEWEST:
        return ok("python", found)
    return problem(
        "python",
        f"{found}; the pinned packages need 3.11 to 3.13",
        "make clean-venv && make repro PYTHON=python3.12",
    )


def pins(requirements: str) -> dict[str, str]:
    r"""Return the version of each package that a requirements file pins.

    >>> pins("-c constraints.txt\nnumpy==2.4.6  # arrays\n")
    {'numpy': '2.4.6'}
    """
    lines = re.findall(r"^([\w.-]+)==([^\s#;]+)", requirements, re.MULTILINE)
    return dict(lines)


def installed_version(package: str) -> str | None:
    """Return the installed version without a build such as ``+cpu``; None if not installed."""
    try:
        return importlib.metadata.version(package).split("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return None


def packages(
    name: str,
    pinned: Mapping[str, str],
    *,
    installed: Callable[[str], str | None] = installed_version,
    install: str = INSTALL,
) -> Finding:
    """Check whether the pinned packages are installed in their pinned versions."""
    found = {package: installed(package) for package in pinned}
    missing = [package for package, version in found.items() if version is None]
    if missing:
        return problem(name, f"missing: {', '.join(missing)}", install)
    others = [
        f"{key} {found[key]} instead of {pin}" for key, pin in pinned.items() if found[key] != pin
    ]
    if others:
        return warning(name, f"not as pinned, so results may differ: {', '.join(others)}", install)
    return ok(name, f"{len(pinned)} packages at the pinned versions")


def torch_build(version: str, *, cuda: str | None, n_gpus: int, has_driver: bool) -> Finding:
    """Check whether torch can use this machine's GPU, if it has one.

    Parameters
    ----------
    cuda
        The CUDA version that torch is built for; None for a CPU build.
    has_driver
        Whether NVIDIA's driver is installed, that is, ``nvidia-smi`` is found.
    """
    if n_gpus or not has_driver:
        return ok("torch", f"{version}, {f'CUDA {cuda}' if cuda else 'built for the CPU'}")
    if cuda is None:
        says = f"{version} is built for the CPU, but this machine has a GPU driver"
        again = f"python -m pip install --force-reinstall torch=={version.split('+')[0]}"
        return warning("torch", says, again)
    return warning("torch", f"{version} for CUDA {cuda} sees no GPU", "nvidia-smi")


def quantizer(version: str, quantization: str, error: float | None) -> Finding:
    """Check whether bitsandbytes quantizes weights correctly on this device.

    Parameters
    ----------
    quantization
        ``model.quantization`` of params.yaml.
    error
        Relative error of a quantized matrix (``quantization_error``); None without quantization.
    """
    if error is None:
        return ok("bitsandbytes", f"{version}; not used, model.quantization is {quantization}")
    says = f"{version}; a matrix quantized to {quantization} and back differs by {error:.1%}"
    if error < MAX_NF4_ERROR:
        return ok("bitsandbytes", says)
    return problem("bitsandbytes", says, "dvc exp run -S model.quantization=none")


def quantization_error(quantization: str, *, double: bool) -> float | None:
    """Return the relative error |W' - W| / |W| of quantizing a normal matrix; None for ``none``.

    Runs the kernels that training uses, on the GPU if there is one.
    """
    import torch
    from bitsandbytes import functional

    if quantization == "none":
        return None
    device = "cuda" if torch.cuda.is_available() else "cpu"
    weight = torch.randn(256, 256, generator=torch.Generator().manual_seed(0)).to(device)
    if quantization == "int8":
        values, scales, _ = functional.int8_vectorwise_quant(weight.half())
        back = functional.int8_vectorwise_dequant(values, scales)
    else:
        values, state = functional.quantize_4bit(
            weight, quant_type=quantization, compress_statistics=double
        )
        back = functional.dequantize_4bit(values, state)
    return float((back.float() - weight).norm() / weight.norm())
