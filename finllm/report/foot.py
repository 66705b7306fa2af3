"""The foot of the page: how to make this report again, and what will then be the same."""

from __future__ import annotations

REPRODUCE = (
    "To reproduce this report, check out its commit and run `make repro`. On the same kind of "
    "processor everything but the times and the memory comes out the same. On another kind, sums "
    "are rounded differently, so that answers and scores can differ."
)


def foot() -> list[str]:
    """The paragraphs at the foot of the page; `commands` stand in backticks."""
    return [REPRODUCE]
