"""Word hashes that are the same in every process, unlike Python's own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np


@lru_cache(maxsize=1 << 17)  # words recur from call to call
def text_hash(text: str) -> int:
    """Return a 64-bit hash of a word or a longer text."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def word_codes(words: Sequence[str]) -> np.ndarray:
    """Return the hash of each word, shape (n,), uint64."""
    return np.fromiter(map(text_hash, words), dtype=np.uint64, count=len(words))
