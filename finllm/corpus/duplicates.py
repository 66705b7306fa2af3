"""Group equal or nearly equal texts by MinHash and locality-sensitive hashing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from datasketch import MinHash, MinHashLSH

from finllm.runtime.hashing import text_hash, word_codes

SHINGLE = 5  # consecutive words
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def check_values(threshold: float, n_permutations: int) -> None:
    """Raise a ValueError if a value is out of range."""
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold {threshold}: must be in (0, 1]")
    if n_permutations < 16:
        raise ValueError(f"n_permutations {n_permutations}: must be at least 16")


def signer(n_permutations: int, seed: int) -> Callable[[Sequence[str]], np.ndarray]:
    """Build a function that computes the MinHash signature of lower-case words, from their 5-grams.

    A signature has the shape (n_permutations,) and is uint32.
    """
    sketch = MinHash(num_perm=n_permutations, seed=seed, hashfunc=int, scheme="affine32")

    def sign(tokens: Sequence[str]) -> np.ndarray:
        sketch.clear()
        sketch.update_batch(shingle_hashes(tokens))
        return sketch.digest()

    return sign


def group_signatures(
    signed: Iterable[tuple[str, np.ndarray]], *, threshold: float
) -> dict[str, str]:
    """Return for each text id the smallest id in its group of near-duplicates.

    A text that resembles no other is a group of its own.

    Two texts are near-duplicates if the estimated Jaccard similarity of their word 5-grams is at
    least ``threshold``; groups are the connected components, so a chain of small changes joins its
    ends. The texts may be calls or single paragraphs; memory is that of the signatures
    (``signer``), 4 bytes x ``n_permutations`` a text.

    The estimate has the standard error sqrt(J (1 - J) / n_permutations) (Broder 1997, "On the
    resemblance and containment of documents"); candidates are found by banding (Indyk and Motwani
    1998), which can miss a pair near the threshold. The result does not depend on the order.

    Raises
    ------
    ValueError
        If an id repeats.
    """
    ids: dict[str, int] = {}
    rows = []
    for text_id, row in signed:
        _claim(ids, text_id)
        ids[text_id] = len(ids)
        rows.append(row)
    if not rows:
        return {}
    signatures = np.vstack(rows)
    parent = list(range(len(rows)))
    for bucket in _buckets(signatures, threshold):
        _join_similar(bucket, signatures, threshold, parent)
    smallest: dict[int, str] = {}
    for text_id, index in ids.items():
        root = _root(parent, index)
        smallest[root] = min(text_id, smallest.get(root, text_id))
    return {text_id: smallest[_root(parent, index)] for text_id, index in ids.items()}


def shingle_hashes(tokens: Sequence[str]) -> list[int]:
    """Return the distinct 32-bit hashes of word 5-grams, or the one hash of a shorter text.

    Vectorised: words are hashed once, and 5-grams are combined as polynomials in arithmetic mod
    2^64.
    """
    if len(tokens) < SHINGLE:
        return [text_hash(" ".join(tokens)) >> 32]
    codes = word_codes(tokens)
    n_runs = len(tokens) - SHINGLE + 1
    runs = np.zeros(n_runs, dtype=np.uint64)
    for offset in range(SHINGLE):
        runs = runs * _MULTIPLIER + codes[offset : offset + n_runs]
    runs = (runs ^ (runs >> np.uint64(31))) * _MULTIPLIER
    return np.unique(runs >> np.uint64(32)).tolist()


def _claim(seen: dict[str, object], text_id: str) -> None:
    if text_id in seen:
        raise ValueError(f"duplicate id {text_id!r}; ids must be unique")


def _buckets(signatures: np.ndarray, threshold: float) -> Iterator[list[int]]:
    """Yield groups of rows that agree on a whole band, with datasketch's bands for the threshold.

    The bands are hashed one after the other: ``MinHashLSH`` itself would keep all of them in
    memory, some 10 kB a text.
    """
    if threshold == 1:
        n_bands, n_rows = 1, signatures.shape[1]
    else:
        lsh = MinHashLSH(threshold=threshold, num_perm=signatures.shape[1])
        n_bands, n_rows = lsh.b, lsh.r
    for band in range(n_bands):
        members: defaultdict[bytes, list[int]] = defaultdict(list)
        for row, cells in enumerate(signatures[:, band * n_rows : (band + 1) * n_rows]):
            members[cells.tobytes()].append(row)
        yield from (bucket for bucket in members.values() if len(bucket) > 1)


def _join_similar(
    bucket: list[int], signatures: np.ndarray, threshold: float, parent: list[int]
) -> None:
    for position, row in enumerate(bucket):
        for other in bucket[:position]:
            a, b = _root(parent, row), _root(parent, other)
            if a == b:
                continue
            if np.mean(signatures[row] == signatures[other]) >= threshold:
                parent[max(a, b)] = min(a, b)


def _root(parent: list[int], index: int) -> int:
    while parent[index] != index:
        parent[index] = parent[parent[index]]
        index = parent[index]
    return index
