"""Corpus funnel: records read, kept and removed at each stage, with reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from finllm.report.wording import reason


@dataclass(frozen=True)
class FunnelStep:
    """Counts of a stage; ``n_read`` = ``n_kept`` + the sum of ``removed`` + ``n_unexplained``."""

    stage: str
    unit: str
    n_read: int
    n_kept: int
    removed: tuple[tuple[str, int], ...]  # (reason, count), most frequent first
    n_unexplained: int  # a value other than 0 is a defect, and shown as one

    @property
    def kept_share(self) -> float:
        """Share of records kept, in percent."""
        return round(100 * self.n_kept / self.n_read, 2) if self.n_read else 0.0


def funnel(clean: Mapping, filtered: Mapping, templatize: Mapping, split: Mapping) -> list:
    """Return the four steps from the metrics of the stages."""
    return [
        _step("clean", "calls", clean["records_read"], clean["kept"], clean["rejected_by_reason"]),
        _step(
            "filter",
            "calls",
            filtered["transcripts_read"],
            filtered["kept"],
            filtered["dropped_by_reason"],
        ),
        _step(
            "templatize",
            "candidate examples",
            templatize["candidates"],
            templatize["examples"],
            templatize["rejected_by_reason"],
        ),
        _step(
            "split",
            "examples",
            split["examples_read"],
            split["kept"],
            split.get("rejected_by_reason", {"over_cap": split["over_cap"]}),
        ),
    ]


def _step(
    stage: str, unit: str, n_read: int, n_kept: int, removed: Mapping[str, int]
) -> FunnelStep:
    ordered = sorted(((n, code) for code, n in removed.items() if n), key=lambda x: (-x[0], x[1]))
    return FunnelStep(
        stage,
        unit,
        n_read,
        n_kept,
        tuple((reason(code), n) for n, code in ordered),
        n_read - n_kept - sum(removed.values()),
    )
