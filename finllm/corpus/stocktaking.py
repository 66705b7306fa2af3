"""Collect statistics of the kept calls, their groups, and the metrics of the filter stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from finllm.corpus import census
from finllm.corpus.duplicates import group_signatures
from finllm.corpus.quality import CallMeasures
from finllm.corpus.screening import Look, Stock
from finllm.corpus.survey import Survey
from finllm.records import Reject


def _no_figures() -> Counter[str]:
    return Counter(n_figures=0, n_supported=0, summaries_emptied=0)


@dataclass
class Stocktaking:
    """Sums over the batches of ``stock_taker``, without their text."""

    survey: Survey = field(default_factory=Survey)
    counts: Counter[str] = field(default_factory=_no_figures)
    trimmed: list[Reject] = field(default_factory=list)

    def lines(self, stocks: Iterable[Stock]) -> Iterator[str]:
        """Yield the lines of the batches, and count the batches as they pass."""
        for stock in stocks:
            self.survey.merge(stock.survey)
            self.counts.update(stock.counts)
            self.trimmed.extend(stock.trimmed)
            yield from stock.lines

    def metrics(self, vocabulary: dict[str, int]) -> dict[str, object]:
        """Return the audit of the references and the statistics of the survey."""
        share = self.counts["n_supported"] / max(1, self.counts["n_figures"])
        references = {"bullets_trimmed": len(self.trimmed), **self.counts}
        return {
            "references": references | {"share_supported": share},
            **self.survey.metrics(vocabulary),
        }


def duplicate_groups(
    looks: Sequence[Look], dropped: Mapping[str, Reject], *, threshold: float
) -> dict[str, str]:
    """Return the group of each kept call that has a near-duplicate among them, by call id."""
    signed = ((one.measures.id, one.signature) for one in looks if one.measures.id not in dropped)
    groups = group_signatures(signed, threshold=threshold)
    sizes = Counter(groups.values())
    return {key: group for key, group in groups.items() if sizes[group] > 1}


def judged(
    measures: Sequence[CallMeasures], dropped: Mapping[str, Reject], groups: Mapping[str, str]
) -> dict[str, object]:
    """Return counts of calls (read = kept + dropped), reasons, kept lengths, and groups."""
    words = sorted(m.n_words for m in measures if m.id not in dropped)
    reasons = Counter(reject.reason for reject in dropped.values())
    return {
        "transcripts_read": len(measures),
        "kept": len(words),
        "dropped": len(dropped),
        "dropped_by_reason": dict(reasons),
        "outliers": sum(n for reason, n in reasons.items() if reason.startswith("outlier_")),
        "median_words": words[len(words) // 2],
        "mean_term_density": sum(m.term_density for m in measures) / len(measures),
        "lengths": census.length_distribution(words),
        "near_duplicate_groups": len(set(groups.values())),
    }
