"""Greedy answers by llama.cpp, several at a time, for `benchmarks/generate_throughput.py`.

The package `llama-cpp-python` is not a dependency of the project, because installing it compiles
llama.cpp, which takes minutes.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np


def installed() -> bool:
    """Return whether the package can be imported."""
    return importlib.util.find_spec("llama_cpp") is not None


class LlamaCpp:
    """A GGUF model loaded in llama.cpp.

    Parameters
    ----------
    path
        The GGUF file.
    n_threads
        Number of threads of a matrix product.

    Raises
    ------
    ValueError
        If llama.cpp cannot load the file.
    """

    def __init__(self, path: Path, *, n_threads: int) -> None:
        import llama_cpp

        self.api, self.n_threads = llama_cpp, n_threads
        self.log = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self.log, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        settings = llama_cpp.llama_model_default_params()
        settings.use_extra_bufts = False  # its AMX layout crashed on any batch of two tokens
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), settings)
        if not self.model:
            raise ValueError(f"{path}: llama.cpp cannot load it")
        self.n_vocabulary = llama_cpp.llama_vocab_n_tokens(
            llama_cpp.llama_model_get_vocab(self.model)
        )

    def generated(
        self, ids: Sequence[Sequence[int]], *, batch_size: int, new: int, stops: Sequence[int]
    ) -> dict[int, list[int]]:
        """Return the answer to each prompt; when one ends, its sequence is used for the next."""
        context = self._context(batch_size, max(map(len, ids)) + new)
        queue, free = list(range(len(ids)))[::-1], list(range(batch_size))
        active: dict[int, int] = {}  # prompt by sequence
        found: dict[int, list[int]] = {}
        while queue or active:
            fresh = []
            while queue and free:
                sequence, i = free.pop(), queue.pop()
                active[sequence], found[i] = i, []
                fresh.append(sequence)
            rows = fresh or list(active)
            parts = []
            for sequence in rows:
                i = active[sequence]
                tokens = list(ids[i]) if fresh else found[i][-1:]
                parts.append((sequence, tokens, 0 if fresh else len(ids[i]) + len(found[i]) - 1))
            for sequence, token in self._decode(context, parts):
                i = active[sequence]
                if token not in stops:
                    found[i].append(token)
                if token in stops or len(found[i]) == new:
                    memory = self.api.llama_get_memory(context)
                    self.api.llama_memory_seq_rm(memory, sequence, -1, -1)
                    free.append(sequence)
                    del active[sequence]
        self.api.llama_free(context)
        return found

    def _context(self, n_sequences: int, n_slots: int) -> ctypes.c_void_p:
        settings = self.api.llama_context_default_params()
        slots = -(-n_slots // 256) * 256  # llama.cpp's own rounding, so that no slot is missing
        settings.n_ctx = slots * n_sequences
        settings.n_batch = settings.n_ctx
        settings.n_seq_max = n_sequences
        settings.n_threads = settings.n_threads_batch = self.n_threads
        return self.api.llama_init_from_model(self.model, settings)

    def _decode(
        self, context: ctypes.c_void_p, parts: Sequence[tuple[int, list[int], int]]
    ) -> list[tuple[int, int]]:
        """Decode each sequence's tokens from a position; return its most probable next token."""
        n = sum(len(tokens) for _, tokens, _ in parts)
        batch = self.api.llama_batch_init(n, 0, 1)
        at, ends = 0, []
        for sequence, tokens, position in parts:
            for offset, token in enumerate(tokens):
                batch.token[at], batch.pos[at] = token, position + offset
                batch.n_seq_id[at], batch.seq_id[at][0] = 1, sequence
                batch.logits[at] = offset == len(tokens) - 1
                at += 1
            ends.append((sequence, at - 1))
        batch.n_tokens = n
        code = self.api.llama_decode(context, batch)
        if code:
            raise ValueError(f"llama.cpp ended with code {code} on {n} tokens")
        chosen = []
        for sequence, end in ends:
            logits = self.api.llama_get_logits_ith(context, end)
            row = np.ctypeslib.as_array(logits, shape=(self.n_vocabulary,))
            chosen.append((sequence, int(row.argmax())))
        self.api.llama_batch_free(batch)
        return chosen
