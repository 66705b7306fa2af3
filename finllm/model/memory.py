"""Peak memory of the process."""

from __future__ import annotations

import contextlib
import ctypes
import resource
import sys

import torch


def peak_memory_gb() -> float:
    """The most memory this process has held, in 10^9 bytes: of the GPU where there is one."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e9
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kibibytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def return_freed() -> None:
    """Give what was freed in the midst of the heap back to the system, where glibc is in use.

    It does so by itself at the heap's end only, and small blocks that stay lie everywhere.
    """
    with contextlib.suppress(AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
