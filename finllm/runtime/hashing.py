"""Word hashes that are stable across processes, unlike Python's own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np


@lru_cache(maxsize=1 << 17)  # words recur from call to call
def text_hash(text: str) -> int:
    """A 64-bit hash of a word or of a longer text."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def word_codes(words: Sequence[str]) -> np.ndarray:
    """The hash of each word, shape (n,), uint64."""
    return np.fromiter(map(text_hash, words), dtype=np.uint64, count=len(words))
