"""Find near-duplicate paragraphs with small MinHash sketches.

For whole calls see ``duplicates``. A corpus has about a hundred paragraphs per call, so a sketch
here takes 64 bytes and each paragraph is compared with only a few others.
"""

from __future__ import annotations

import string
from collections.abc import Sequence

import numpy as np

from finllm.runtime.hashing import word_codes

N_HASHES = 32
ROWS = 4  # hashes per band: the 16 bits of four make one 64-bit key
SIMILAR = 0.7  # lowest estimated Jaccard similarity of word pairs at which two are alike
_PLAIN = str.maketrans("", "", string.punctuation + string.digits)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_RNG = np.random.default_rng(32)
_FACTORS = _RNG.integers(1, 2**63, N_HASHES, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_SHIFTS = _RNG.integers(0, 2**63, N_HASHES, dtype=np.uint64)


def plain_words(paragraph: str) -> list[str]:
    """Return the words by which paragraphs are compared: lower case, no punctuation, no digits.

    >>> plain_words("As of March 3, 2021: no obligation.")
    ['as', 'of', 'march', 'no', 'obligation']
    """
    return paragraph.lower().translate(_PLAIN).split()


def sketches(paragraphs: Sequence[Sequence[str]]) -> np.ndarray:
    """Return a MinHash sketch of each paragraph's adjacent word pairs, shape (n, 32), uint16.

    Of the smallest value of each of 32 hashes, 16 bits are kept (Li and Konig 2010, "b-bit minwise
    hashing"). The share of equal cells estimates the Jaccard similarity with a standard error of at
    most 0.09.

    Parameters
    ----------
    paragraphs
        The ``plain_words`` of each; a paragraph of one word is represented by that word.
    """
    if not paragraphs:
        return np.zeros((0, N_HASHES), dtype=np.uint16)
    padded = [list(words) if len(words) > 1 else [*words, "", ""][:2] for words in paragraphs]
    codes = word_codes([word for words in padded for word in words])
    n_words = np.array([len(words) for words in padded])
    ends = np.cumsum(n_words)
    pairs = np.delete(codes[:-1] * _MIX + codes[1:], ends[:-1] - 1)  # no pair spans two paragraphs
    pairs ^= pairs >> np.uint64(29)
    starts = np.concatenate([[0], np.cumsum(n_words - 1)[:-1]])
    hashes = pairs[:, None] * _FACTORS + _SHIFTS
    smallest = np.minimum.reduceat(hashes, starts, axis=0)
    return (smallest * _MIX >> np.uint64(48)).astype(np.uint16)


def near_groups(rows: np.ndarray) -> np.ndarray:
    """Return a group number for each sketch, shape (n,); near-duplicates (and chains) share one.

    Sketches that agree on a whole band (four cells) are each compared with the first of them and
    with the one before. Two sketches of similarity 0.7 share a band nine times in ten, of 0.8
    ninety-nine times in a hundred; time is n log n. If many sketches agree on a band, two that are
    alike only to each other may be missed.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(rows)
    rows = np.ascontiguousarray(rows)
    keys = rows.view(np.uint64)
    found = [np.zeros((2, 0), dtype=np.int64)]
    for band in range(N_HASHES // ROWS if n else 0):
        order = np.argsort(keys[:, band], kind="stable")
        key = keys[order, band]
        begins = np.concatenate([[True], key[1:] != key[:-1]])
        first = order[np.maximum.accumulate(np.where(begins, np.arange(n), 0))]
        previous = np.concatenate([[order[0]], order[:-1]])
        same = ~begins
        for other in (first, previous):
            found.append(_alike(rows, order[same], other[same]))
    one, other = np.concatenate(found, axis=1)
    graph = coo_array((np.ones(one.size, dtype=bool), (one, other)), shape=(n, n))
    return connected_components(graph, directed=False)[1] if n else np.zeros(0, dtype=np.int32)


def _alike(rows: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the pairs whose sketches agree often enough, shape (2, n)."""
    kept = [np.zeros((2, 0), dtype=np.int64)]
    for start in range(0, one.size, 1 << 18):
        a, b = one[start : start + (1 << 18)], other[start : start + (1 << 18)]
        alike = (rows[a] == rows[b]).mean(axis=1) >= SIMILAR
        kept.append(np.stack([a[alike], b[alike]]))
    return np.concatenate(kept, axis=1)
