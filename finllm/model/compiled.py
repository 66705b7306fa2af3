"""Numba compilation with an on-disk cache, so that only the first run compiles.

Compiling all kernels takes about ten seconds. The process that compiles a parallel kernel runs
different machine code from a process that loads it: Numba links the loop into the function that
calls it, which LLVM then optimizes again, but the compiling process keeps calling the loop as it
was before. With ``fastmath`` the two may round differently. So ``compile_apart`` compiles in
another process, and every run, including the first, loads the same code.

Numba's cache key is the function's own bytecode, its argument types and the processor. It ignores
the functions called from other modules and the compilation options, so here each state of the
kernels' sources, the libraries and the options has its own folder. The folder is in the user's
cache (``FINLLM_CACHE``) and can be removed at any time. If it cannot be written, each run compiles
for itself, and its results may differ in the last bits.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numba
from numba.core.registry import cpu_target

from finllm.model.weights import cache_folder

LIBRARIES = ("numba", "llvmlite", "numpy")
_ALWAYS = {"fastmath": True, "nogil": True, "error_model": "numpy"}


def compiled(*, parallel: bool) -> Callable[[Callable], Callable]:
    """Return a decorator that compiles a kernel, for all threads or for the calling thread only."""
    options = _options(parallel)
    folder = kernel_folder(options)

    def decorate(function: Callable) -> Callable:
        if not _writable(folder):
            return numba.njit(**options)(function)
        before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(folder)
        try:
            return numba.njit(cache=True, **options)(function)
        finally:
            numba.config.CACHE_DIR = before

    return decorate


def compile_apart(module: str, element: str) -> None:
    """Compile the parallel kernels of a module in another process, unless they are on disk already.

    Parameters
    ----------
    module
        Name of the module, whose ``compile_parallel(element)`` compiles its kernels.
    element
        Type of the array elements, such as ``uint16``.
    """
    folder = kernel_folder(_options(parallel=True))
    if not _writable(folder):
        return
    processor = hashlib.sha256(repr(cpu_target.target_context.codegen().magic_tuple()).encode())
    done = folder / f"{module}-{element}-{processor.hexdigest()[:16]}"
    if done.is_file():
        return
    root = str(Path(__file__).parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    made = subprocess.run(
        [sys.executable, "-c", f"import {module} as m; m.compile_parallel({element!r})"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    if made.returncode == 0:  # otherwise this process compiles for itself
        done.touch()


def _options(parallel: bool) -> dict[str, object]:
    return {**_ALWAYS, "parallel": parallel}


def kernel_folder(options: dict[str, object]) -> Path:
    """Return the folder of the machine code for the current sources, libraries and options."""
    digest = hashlib.sha256(json.dumps(options, sort_keys=True).encode())
    made_with = [platform.python_version(), *(version(name) for name in LIBRARIES)]
    digest.update(json.dumps(made_with).encode())
    for source in sorted(Path(__file__).parent.glob("*kernels.py")):
        digest.update(source.read_bytes())
    return cache_folder() / "kernels" / digest.hexdigest()[:16]


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True
