"""Tokens, steps and hours of a training run."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What a training takes. An estimate: examples differ in length and devices in load."""

    examples: int
    tokens_per_example: float
    tokens_from: str  # where the two come from, in words
    steps: int  # of the optimizer
    tokens: int  # through the model, all epochs
    tokens_per_second: float  # of all devices together
    speed_from: str  # where that comes from, in words
    flops_per_token: float
    hours: float


def training_cost(
    *,
    examples: int,
    tokens_per_example: float,
    tokens_from: str,
    effective_batch: int,
    epochs: float,
    max_steps: int,
    flops_per_token: float,
    tokens_per_second: float,
    speed_from: str,
) -> Cost:
    """Steps as the trainer counts them; tokens are those of as many whole batches.

    >>> cost = training_cost(
    ...     examples=100, tokens_per_example=50, tokens_from="", effective_batch=32, epochs=2,
    ...     max_steps=0, flops_per_token=1e9, tokens_per_second=100, speed_from="",
    ... )
    >>> cost.steps, cost.tokens, round(3600 * cost.hours)
    (8, 10000, 100)
    """
    per_epoch = math.ceil(examples / effective_batch)
    steps = max_steps or max(1, math.ceil(epochs * per_epoch))
    tokens = round(examples * tokens_per_example * steps / per_epoch)
    return Cost(
        examples=examples,
        tokens_per_example=tokens_per_example,
        tokens_from=tokens_from,
        steps=steps,
        tokens=tokens,
        tokens_per_second=tokens_per_second,
        speed_from=speed_from,
        flops_per_token=flops_per_token,
        hours=tokens / tokens_per_second / 3600,
    )


def attainable_speed(
    *, flops_per_token: float, peak_tflops: float, utilisation: float, devices: int
) -> float:
    """Tokens a second of ``devices`` devices at a share of their peak, padding not counted."""
    return devices * peak_tflops * 1e12 * utilisation / flops_per_token
