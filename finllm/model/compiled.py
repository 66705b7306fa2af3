"""Numba compilation with an on-disk cache, so that only the first run compiles.

Compiling all kernels takes some ten seconds. Numba keeps machine code by a function's own bytecode,
its arguments' types and the processor, and knows neither the functions that it calls from other
modules nor the options that it was compiled with, so here every state of the kernels' sources, of
the libraries and of the options has a folder of its own. It lies in the user's cache
(``FINLLM_CACHE``) and may be removed at any time; where it cannot be written, each run compiles.
"""

from __future__ import annotations

import hashlib
import json
import platform
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numba

from finllm.model.weights import cache_folder

LIBRARIES = ("numba", "llvmlite", "numpy")
_ALWAYS = {"fastmath": True, "nogil": True, "error_model": "numpy"}


def compiled(*, parallel: bool) -> Callable[[Callable], Callable]:
    """A decorator that compiles a kernel, over all threads or for the one that calls it."""
    options = {**_ALWAYS, "parallel": parallel}
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


def kernel_folder(options: dict[str, object]) -> Path:
    """Where the machine code of this state of sources, libraries and options is kept."""
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
