"""Everything that is counted about a corpus while its calls pass by once."""

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
from finllm.records import Transcript

MIN_PARAGRAPH_WORDS = 20  # "Thank you. Next question, please." is no repetition worth a count


class Survey:
    """Periods, vocabulary and repeated paragraphs of the calls that ``add`` has seen.

    Memory: the distinct words, a few periods a call and 8 bytes a paragraph; no text is kept.
    """

    def __init__(self) -> None:
        self._periods: list[CallPeriods] = []
        self._words: Counter[str] = Counter()
        self._digests = array("Q")
        self._n_words = array("L")

    def add(self, call: Transcript) -> None:
        """Count one call."""
        text = call.text
        self._periods.append(CallPeriods(call.company, call.period, named_periods(text)))
        self._words.update(vocabulary_words(text))
        own: dict[int, int] = {}
        for line in text.lower().split("\n"):
            words = line.split()
            if len(words) >= MIN_PARAGRAPH_WORDS:
                digest = hashlib.blake2b(" ".join(words).encode(), digest_size=8).digest()
                own[int.from_bytes(digest, "little")] = len(words)
        self._digests.extend(own.keys())
        self._n_words.extend(own.values())

    def metrics(self, vocabulary: dict[str, int]) -> dict[str, dict[str, float]]:
        """The counts and shares so far, by topic: scalars only."""
        return {
            "temporal": temporal_consistency(self._periods),
            "vocabulary": vocabulary_overlap(self._words, vocabulary),
            "paragraphs": self._paragraphs(),
        }

    @property
    def words(self) -> Counter[str]:
        """How often each word occurs, as ``vocabulary_words`` counts them."""
        return self._words

    @property
    def periods(self) -> list[CallPeriods]:
        """The periods of every call, in the order in which they came."""
        return self._periods

    def _paragraphs(self) -> dict[str, float]:
        digests = np.asarray(self._digests, dtype=np.uint64)
        n_words = np.asarray(self._n_words, dtype=np.int64)
        _, which, count = np.unique(digests, return_inverse=True, return_counts=True)
        repeated = count[which] > 1 if digests.size else np.zeros(0, dtype=bool)
        total = int(n_words.sum())
        return {
            "n_paragraphs": int(digests.size),
            "n_distinct": int(count.size),
            "n_in_several_calls": int(np.sum(count > 1)),
            "share_of_words_repeated": float(n_words[repeated].sum() / total) if total else 0.0,
        }
