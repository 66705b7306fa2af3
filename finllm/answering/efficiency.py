"""Cost of answers: reading and generation speed, and latency."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import zip_longest

import numpy as np
from transformers import PreTrainedModel

from finllm.answering.generate import answers
from finllm.answering.rules import Rules


class Stopwatch:
    """The seconds of reading, and of each answer from the start of its prompt's reading.

    Of workers that read at the same time, each second counts as one worker's share.
    """

    def __init__(self) -> None:
        self.seconds: dict[int, float] = {}  # by the index of the prompt, where it has ended
        self.n_read = 0
        self.reading_seconds = 0.0
        self._started: dict[int, float] = {}

    def read(self, indexes: Sequence[int], seconds: float, n_workers: int) -> None:
        """These prompts have been read together, just now, in so many seconds by one of workers."""
        started = time.perf_counter() - seconds
        self._started.update(dict.fromkeys(indexes, started))
        self.n_read += len(indexes)
        self.reading_seconds += seconds / n_workers

    def ended(self, index: int) -> None:
        """An answer is there; one that was never read here (it was on disk) is left out."""
        if index in self._started:
            self.seconds[index] = time.perf_counter() - self._started[index]


def latency(seconds: Sequence[float]) -> dict[str, float]:
    """The median and the 95th percentile of waiting times, linear between them; empty of none.

    The percentile of fewer than twenty is close to the longest, and says little.
    """
    if not seconds:
        return {}
    median, late = np.quantile(list(seconds), [0.5, 0.95]).tolist()
    return {"median_seconds": median, "p95_seconds": late, "n": len(seconds)}


def phases(
    watch: Stopwatch, *, seconds: float, prompt_tokens: Sequence[int], new_tokens: Sequence[int]
) -> dict[str, dict[str, float]]:
    """Seconds and tokens per second of reading prompts and of generation.

    Generation is all the time that is not reading. Empty if an earlier run, which was killed,
    had read some of the prompts: its seconds are not known.

    Parameters
    ----------
    watch
        What was measured while all answers were made.
    seconds
        The whole time.
    prompt_tokens, new_tokens
        Of every answer.
    """
    if watch.n_read < len(prompt_tokens) or not watch.reading_seconds:
        return {}
    rest = seconds - watch.reading_seconds
    return {
        "reading": {
            "seconds": watch.reading_seconds,
            "tokens_per_second": sum(prompt_tokens) / watch.reading_seconds,
        },
        "generation": {"seconds": rest, "tokens_per_second": sum(new_tokens) / rest},
    }


def spread(lengths: Sequence[int], n: int) -> list[int]:
    """The indexes of up to n prompts, evenly spaced from the shortest to the longest."""
    order = sorted(range(len(lengths)), key=lambda i: (lengths[i], i))
    if n >= len(order):
        return order
    places = (np.arange(n) + 0.5) * len(order) / n if n else np.empty(0)
    return [order[int(place)] for place in places]


def time_alone(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    stop_ids: Sequence[int],
    pad_id: int,
    rules: Sequence[Rules] = (),
) -> dict[str, float]:
    """Latency of requests that come one at a time, and their tokens per second; empty of none.

    To the keys of ``latency`` come ``median_seconds_to_first_token`` and ``new_tokens_per_second``
    of generation. A request takes from the start of its reading; what makes the model ready, such
    as packing its weights, does not count. ``rules`` are none, or those of each prompt alone.
    """
    whole, first, n_new = [], [], 0
    for prompt, rule in zip_longest(prompts, rules):
        watch = Stopwatch()
        (answer,) = answers(
            model,
            [prompt],
            max_new_tokens=max_new_tokens,
            stop_ids=stop_ids,
            pad_id=pad_id,
            batch_size=1,
            on_read=watch.read,
            rules=rule,
        )
        watch.ended(0)
        whole.append(watch.seconds[0])
        first.append(watch.reading_seconds)
        n_new += len(answer.ids)
    if not whole:
        return {}
    return {
        **latency(whole),
        "median_seconds_to_first_token": float(np.median(first)),
        "new_tokens_per_second": n_new / (sum(whole) - sum(first)),
    }
