"""Cost of answers: speed of reading and generation, and latency."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import zip_longest

import numpy as np
from transformers import PreTrainedModel

from finllm.answering.generate import answers
from finllm.answering.rules import Rules


class Stopwatch:
    """Seconds of reading prompts, and of each answer from the start of reading its prompt.

    If several workers read at the same time, their reading seconds are divided by their number.
    """

    def __init__(self) -> None:
        self.seconds: dict[int, float] = {}  # by the index of the prompt, for ended answers
        self.n_read = 0
        self.reading_seconds = 0.0
        self._started: dict[int, float] = {}

    def read(self, indexes: Sequence[int], seconds: float, n_workers: int) -> None:
        """Record that one of ``n_workers`` has just read these prompts together, in ``seconds``."""
        started = time.perf_counter() - seconds
        self._started.update(dict.fromkeys(indexes, started))
        self.n_read += len(indexes)
        self.reading_seconds += seconds / n_workers

    def ended(self, index: int) -> None:
        """Record the end of an answer, unless its prompt was not read here (it was on disk)."""
        if index in self._started:
            self.seconds[index] = time.perf_counter() - self._started[index]


def latency(seconds: Sequence[float]) -> dict[str, float]:
    """Compute the median and the 95th percentile of waiting times, or {} without any.

    Percentiles are interpolated linearly. With fewer than twenty times the 95th is close to the
    longest and means little.
    """
    if not seconds:
        return {}
    median, late = np.quantile(list(seconds), [0.5, 0.95]).tolist()
    return {"median_seconds": median, "p95_seconds": late, "n": len(seconds)}


def phases(
    watch: Stopwatch, *, seconds: float, prompt_tokens: Sequence[int], new_tokens: Sequence[int]
) -> dict[str, dict[str, float]]:
    """Compute the seconds and tokens per second of reading prompts and of generation.

    Generation is all the time that is not reading. The result is empty if an earlier, killed run
    had read some of the prompts, since its seconds are not known.

    Parameters
    ----------
    watch
        Measurements taken while all answers were generated.
    seconds
        Total time.
    prompt_tokens, new_tokens
        Token counts of every answer.
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
    """Return the indexes of up to n prompts, evenly spaced from the shortest to the longest."""
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
    """Measure the latency and tokens per second of requests sent one at a time; {} without any.

    Keys are those of ``latency``, ``median_seconds_to_first_token`` and ``new_tokens_per_second``
    (of generation). A request is timed from the start of reading its prompt, without the time to
    prepare the model, such as packing its weights. ``rules`` is empty, or has one ``Rules`` per
    prompt.
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
