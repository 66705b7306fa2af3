"""Split by time: all test calls are later than all training calls.

Companies are split as usual; then one quarter, the cutoff, divides the calls. Test and transfer
keep their calls from the cutoff on; train and validation keep those that precede it by more than
the embargo. The other calls become rejects with a reason, so the sets are smaller than in a random
split: that is the price of asking about the future of companies not seen in training.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from finllm.records import Example

LATER = ("test", "transfer")
REASONS = ("no_period", "before_cutoff", "after_cutoff", "in_embargo")
_PERIOD = re.compile(r"(\d{4})Q([1-4])")


def quarter_number(period: str) -> int | None:
    """Return the quarters since year 0, or None if the period is unknown.

    >>> quarter_number("2021Q3") - quarter_number("2020Q4")
    3
    """
    match = _PERIOD.fullmatch(period)
    return 4 * int(match[1]) + int(match[2]) - 1 if match else None


def choose_cutoff(
    examples: Iterable[Example], split_of: Mapping[str, str], *, embargo_quarters: int
) -> int:
    """Choose the first quarter of the test set, as a number, so that both sides keep most examples.

    It maximises the product of the numbers of training and of test examples that remain.

    Raises
    ------
    ValueError
        If no quarter leaves both some training and some test examples.
    """
    dates: dict[str, list[int]] = {"train": [], "test": []}
    for example in examples:
        date, name = quarter_number(example.period), split_of[example.company]
        if date is not None and name in dates:
            dates[name].append(date)
    best, cutoff = 0, 0
    for quarter in sorted(set(dates["test"])):
        n_train = sum(date < quarter - embargo_quarters for date in dates["train"])
        n_test = sum(date >= quarter for date in dates["test"])
        if n_train * n_test > best:
            best, cutoff = n_train * n_test, quarter
    if not best:
        raise ValueError(
            f"split.mode chronological with split.embargo_quarters {embargo_quarters}: no quarter "
            "leaves training calls before and test calls after it"
        )
    return cutoff


def out_of_time(
    examples: Sequence[Example], split_of: Mapping[str, str], *, cutoff: int, embargo_quarters: int
) -> dict[str, str]:
    """Return the reject reasons, by id, of the examples that fall outside their set's period."""
    reasons = {}
    for example in examples:
        date = quarter_number(example.period)
        if date is None:
            reasons[example.id] = "no_period"
        elif split_of[example.company] in LATER:
            if date < cutoff:
                reasons[example.id] = "before_cutoff"
        elif date >= cutoff:
            reasons[example.id] = "after_cutoff"
        elif date >= cutoff - embargo_quarters:
            reasons[example.id] = "in_embargo"
    return reasons


def n_too_early(sets: Mapping[str, Sequence[Example]], *, embargo_quarters: int) -> int:
    """Count test and transfer examples not later than all training examples plus the embargo.

    Training examples include those for validation. An example of any set without a known period
    counts too.
    """
    dates = [quarter_number(e.period) for name in ("train", "val") for e in sets[name]]
    latest = max((date for date in dates if date is not None), default=0)
    later = [quarter_number(e.period) for name in LATER for e in sets[name]]
    return dates.count(None) + sum(d is None or d - embargo_quarters <= latest for d in later)
