"""Collect all corpus statistics in one pass over the calls."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter

import numpy as np

from finllm.corpus.census import (
    CallPeriods,
    named_periods,
    temporal_consistency,
    vocabulary_overlap,
    vocabulary_words,
)
from finllm.corpus.paragraphs import near_groups, plain_words, sketches
from finllm.records import Transcript

MIN_PARAGRAPH_WORDS = 20  # repetitions such as "Thank you. Next question, please." are not counted


class Survey:
    """Periods, vocabulary and repeated paragraphs of the calls passed to ``add``.

    Memory: the distinct words, a few periods per call and some 80 bytes per paragraph; no text is
    kept. Surveys of parts of a corpus can be merged, in order.
    """

    def __init__(self) -> None:
        self._periods: list[CallPeriods] = []
        self._words: Counter[str] = Counter()
        self._digests = array("Q")
        self._n_words = array("L")
        self._sketches: list[np.ndarray] = []

    def add(self, call: Transcript) -> None:
        """Add one call to the statistics."""
        text = call.text
        named = named_periods(text, call.language)
        self._periods.append(CallPeriods(call.company, call.period, named))
        self._words.update(vocabulary_words(text))
        own: dict[int, int] = {}
        plain: dict[int, list[str]] = {}
        for line in text.lower().split("\n"):
            words = line.split()
            if len(words) >= MIN_PARAGRAPH_WORDS:
                digest = hashlib.blake2b(" ".join(words).encode(), digest_size=8).digest()
                key = int.from_bytes(digest, "little")
                own[key], plain[key] = len(words), plain_words(line)
        self._digests.extend(own.keys())
        self._n_words.extend(own.values())
        self._sketches.append(sketches(list(plain.values())))

    def merge(self, other: Survey) -> None:
        """Append the calls of another survey."""
        self._periods += other._periods
        self._words.update(other._words)
        self._digests.extend(other._digests)
        self._n_words.extend(other._n_words)
        self._sketches += other._sketches

    def metrics(self, vocabulary: dict[str, int]) -> dict[str, dict[str, float]]:
        """Return the counts and shares so far, by topic: scalars only."""
        return {
            "temporal": temporal_consistency(self._periods),
            "vocabulary": vocabulary_overlap(self._words, vocabulary),
            "paragraphs": self._paragraphs(),
        }

    @property
    def words(self) -> Counter[str]:
        """Number of occurrences of each word, as ``vocabulary_words`` counts them."""
        return self._words

    @property
    def periods(self) -> list[CallPeriods]:
        """Periods of every call, in the order in which the calls were added."""
        return self._periods

    def _paragraphs(self) -> dict[str, float]:
        """Count paragraphs that several calls share: verbatim, and but for a few words (``near``).

        Verbatim repetitions within a call count once.
        """
        digests = np.asarray(self._digests, dtype=np.uint64)
        n_words = np.asarray(self._n_words, dtype=np.int64)
        _, first, which, count = np.unique(
            digests, return_index=True, return_inverse=True, return_counts=True
        )
        rows = np.concatenate([sketches([]), *self._sketches])[first]
        group = near_groups(rows)  # of each distinct paragraph
        size = np.bincount(group, weights=count)  # number of paragraphs in each group
        n_near = int(np.sum(size > 1))
        repeated, alike = count[which] > 1, size[group][which] > 1
        total = max(1, int(n_words.sum()))
        return {
            "n_paragraphs": int(digests.size),
            "n_distinct": int(count.size),
            "n_in_several_calls": int(np.sum(count > 1)),
            "share_of_words_repeated": float(n_words[repeated].sum() / total),
            "n_distinct_but_for_a_few_words": int(size.size),
            "n_near_in_several_places": n_near,
            "n_paragraphs_near_repeated": int(alike.sum()),
            "share_of_words_near_repeated": float(n_words[alike].sum() / total),
        }
