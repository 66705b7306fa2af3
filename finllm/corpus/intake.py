"""Collect counts, rejects and candidate disclaimers in one pass over the calls."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import repeat

from finllm.corpus.cleaning import Cleaned
from finllm.corpus.disclaimers import Candidate, Erased
from finllm.records import Reject


@dataclass
class Intake:
    """Sums over the batches of ``cleaner`` and ``eraser``, without their text."""

    rejects: list[Reject] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    kept_by_source: Counter[str] = field(default_factory=Counter)
    by_layout: Counter[str] = field(default_factory=Counter)
    kept_by_language: Counter[str] = field(default_factory=Counter)
    company_of: dict[str, str] = field(default_factory=dict)  # by ticker, as in its first head
    disclaimers: list[Candidate] = field(default_factory=list)

    def lines(self, batches: Iterable[Cleaned | Erased]) -> Iterator[str]:
        """Yield the lines of the batches, and count the batches as they pass."""
        for batch in batches:
            self.rejects.extend(batch.rejects)
            self.counts.update(batch.counts)
            self.kept_by_source.update(batch.kept_by_source)
            self.kept_by_language.update(batch.kept_by_language)
            if isinstance(batch, Cleaned):
                self.disclaimers.extend(batch.disclaimers)
                self.by_layout.update(batch.by_layout)
                yield from map(self._one_company, batch.lines, batch.tickers or repeat(""))
            else:
                yield from batch.lines

    def _one_company(self, line: str, ticker: str) -> str:
        """Return the line with the company as the first call of its ticker spells it.

        Heads write "Acme Corp" and "ACME Corporation"; as two companies they could end up on both
        sides of a split.
        """
        if not ticker:
            return line
        row = json.loads(line)
        first = self.company_of.setdefault(ticker, row["company"])
        if row["company"] == first:
            return line
        self.counts["companies_joined_by_ticker"] += 1
        return json.dumps({**row, "company": first}, ensure_ascii=False)

    def metrics(self, n_kept: int) -> dict[str, object]:
        """Return the counts of calls (read = kept + rejected) and of the changes to their text."""
        apart = ("records_read", "without_company")
        return {
            "records_read": self.counts["records_read"],
            "kept": n_kept,
            "rejected": len(self.rejects),
            "rejected_by_reason": dict(Counter(reject.reason for reject in self.rejects)),
            "kept_by_source": dict(self.kept_by_source),
            "by_layout": dict(self.by_layout),
            "kept_by_language": dict(self.kept_by_language),
            "without_company": self.counts["without_company"],
            "text": {name: n for name, n in self.counts.items() if name not in apart},
        }
