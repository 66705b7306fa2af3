"""Tokens, steps and hours of a training run."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Estimated cost of a training; examples differ in length and devices in load."""

    examples: int
    tokens_per_example: float
    tokens_from: str  # source of the two numbers above, in words
    steps: int  # optimizer steps
    tokens: int  # processed by the model, in all epochs
    tokens_per_second: float  # of all devices together
    speed_from: str  # source of the speed, in words
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
    """Compute the cost of a training, with steps counted as by the trainer.

    Tokens are those of the epochs, or parts of epochs, that the steps make up.

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
    """Return tokens per second of all devices at a share of their peak, without padding."""
    return devices * peak_tflops * 1e12 * utilisation / flops_per_token
