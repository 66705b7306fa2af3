"""Peak memory of the process, and errors that say that there was no more."""

from __future__ import annotations

import contextlib
import ctypes
import resource
import sys

import torch


def peak_memory_gb() -> float:
    """The most memory this process has held, in 10^9 bytes: of the GPU where there is one."""
    if torch.cuda.is_available():
        return cuda_peak_bytes() / 1e9
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kibibytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def cuda_peak_bytes() -> int:
    """The most of the GPU that was taken: what torch reserved, and what is beside it now.

    Tensors are less than what the allocator reserves for them, and the context, the libraries' code
    and bitsandbytes' paged state are not its own. What other processes hold on the same GPU counts
    too, so the number is this process's only where it is alone there.
    """
    free, total = torch.cuda.mem_get_info()
    beside = total - free - torch.cuda.memory_reserved()
    return torch.cuda.max_memory_reserved() + max(0, beside)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory was asked for and not there, of the CPU or the GPU.

    The libraries of CUDA that ask for memory of their own say so in words of their own, as
    ``CUBLAS_STATUS_ALLOC_FAILED``.
    """
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    said = str(error).lower()
    return any(words in said for words in _NO_MEMORY)


_NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "alloc_failed")


def return_freed() -> None:
    """Give what was freed in the midst of the heap back to the system, where glibc is in use.

    It does so by itself at the heap's end only, and small blocks that stay lie everywhere.
    """
    with contextlib.suppress(AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
