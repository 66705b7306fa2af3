"""Peak memory of the process, and detection of out-of-memory errors."""

from __future__ import annotations

import contextlib
import ctypes
import resource
import sys

import torch


def peak_memory_gb() -> float:
    """Return the peak memory of this process in 10^9 bytes, on the GPU if there is one."""
    if torch.cuda.is_available():
        return cuda_peak_bytes() / 1e9
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kibibytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def cuda_peak_bytes() -> int:
    """Return the peak GPU memory in bytes: torch's reserved peak, and other memory in use now.

    The allocator reserves more than its tensors take, and the context, library code and
    bitsandbytes' paged state are outside it. Memory of other processes on the same GPU is included,
    so the number is that of this process only if it is alone there.
    """
    free, total = torch.cuda.mem_get_info()
    beside = total - free - torch.cuda.memory_reserved()
    return torch.cuda.max_memory_reserved() + max(0, beside)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that the CPU or the GPU was out of memory.

    CUDA libraries that allocate memory themselves have their own messages, such as
    ``CUBLAS_STATUS_ALLOC_FAILED``.
    """
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    said = str(error).lower()
    return any(words in said for words in _NO_MEMORY)


_NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "alloc_failed")


def return_freed() -> None:
    """Return freed memory inside the heap to the system, if glibc is in use.

    Otherwise glibc does so only at the end of the heap, and small blocks that stay in use are
    spread over all of it.
    """
    with contextlib.suppress(AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
