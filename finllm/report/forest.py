"""Forest plot: the difference of each metric with its interval, the primary metric first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finllm.records import METRICS, csv_text
from finllm.report.axis import Axis, axis


@dataclass(frozen=True)
class ForestRow:
    """Results of one metric, tuned minus base; None for values that could not be computed."""

    metric: str
    is_primary: bool
    base_mean: float
    tuned_mean: float
    difference: float
    low: float | None
    high: float | None
    p_corrected: float | None
    p_better: float | None
    cohens_d: float | None
    is_significant: bool  # after the correction for the number of metrics


def forest_rows(significance: Mapping, bayes_stats: Mapping, *, alpha: float) -> list[ForestRow]:
    """Return one row per metric, the primary first and the others in the order of ``METRICS``.

    ``p_better`` is None if the sampler's diagnostics failed.
    """
    primary, tests = significance["primary_metric"], significance["metrics"]
    names = [primary, *(name for name in METRICS if name != primary)]
    rows = []
    for name in names:
        if name not in tests:
            continue
        test, posterior = tests[name], bayes_stats["metrics"][name]
        p = test.get("p_corrected")
        rows.append(
            ForestRow(
                metric=name,
                is_primary=name == primary,
                base_mean=test["base_mean"],
                tuned_mean=test["tuned_mean"],
                difference=test["difference"],
                low=test.get("low"),
                high=test.get("high"),
                p_corrected=p,
                p_better=posterior.get("p_better") if posterior["usable"] else None,
                cohens_d=test.get("cohens_d"),
                is_significant=p is not None and p < alpha,
            )
        )
    return rows


def forest_axis(rows: Sequence[ForestRow], *, rope: float) -> Axis:
    """Return an axis that includes all intervals, zero and the region of equivalence."""
    ends = [end for r in rows for end in (r.difference, r.low, r.high) if end is not None]
    return axis([*ends, 0.0, -rope, rope], 4)


def forest_csv(rows: Sequence[ForestRow]) -> str:
    """Return the plot as CSV: metric, difference, low, high; missing bounds are empty."""
    fields = ((row.metric, row.difference, row.low, row.high) for row in rows)
    return csv_text(["metric", "difference", "low", "high"], fields)
