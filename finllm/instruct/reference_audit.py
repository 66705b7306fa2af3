"""Check how far the figures of references are supported by the call and by the excerpt."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from finllm.numbers.support import stated_figures, support
from finllm.records import Example, Line, Transcript

Totals = dict[str, Counter[str]]  # by template


def audit_references(
    examples: Iterable[Example], calls: Iterable[Transcript]
) -> dict[str, dict[str, float]]:
    """Compare the figures of the answers, by template, with the call and with the excerpt.

    Both inputs are read once, in the same order of calls; only one call is in memory.

    Returns
    -------
    dict
        By template, ``n_figures`` in the answers; ``share_supported``, the share that the call
        states; ``recall_ceiling``, the share that the excerpt states, the highest number recall
        from reading alone; ``share_lost_by_cut``, supported by the call but not in the excerpt.
        Figures obtained by arithmetic (a growth rate from two amounts) count as unsupported, so
        the ceiling is a lower bound; for completion, the rest is what a guess could not know.
        Without figures the shares are left out.

    Raises
    ------
    ValueError
        If an example's call is missing from the calls, or out of order.
    """
    totals: Totals = defaultdict(Counter)
    remaining = iter(calls)
    for call_id, rows in groupby(examples, key=lambda example: example.transcript_id):
        call = next((call for call in remaining if call.id == call_id), None)
        if call is None:
            raise ValueError(f"{call_id}: an example's call is missing or out of order")
        _count(call, rows, totals)
    return shares(totals)


def auditor() -> Callable[[Sequence[tuple[Line, list[Line]]]], Totals]:
    """Build a function that counts a batch of calls with their examples; add up its results.

    An example of another call raises a ValueError, as in ``audit_references``.
    """

    def audit(batch: Sequence[tuple[Line, list[Line]]]) -> Totals:
        totals: Totals = defaultdict(Counter)
        for line, rows in batch:
            call, examples = line.transcript(), [Example(**row.row()) for row in rows]
            for example in examples:
                if example.transcript_id != call.id:
                    raise ValueError(f"{example.id}: an example's call is out of order")
            _count(call, examples, totals)
        return dict(totals)

    return audit


def _count(call: Transcript, examples: Iterable[Example], totals: Totals) -> None:
    said = stated_figures(call.text, call.language)
    for example in examples:
        in_call = support(example.answer, said)
        shown = support(example.answer, stated_figures(example.excerpt, call.language))
        totals[example.template].update(
            n_figures=in_call.n_figures,
            in_call=in_call.n_supported,
            in_excerpt=min(shown.n_supported, in_call.n_supported),
        )


def shares(totals: Totals) -> dict[str, dict[str, float]]:
    """Return the summed counts of ``auditor`` as shares, in the form of ``audit_references``."""
    return {template: _shares(total) for template, total in sorted(totals.items())}


def _shares(total: Counter[str]) -> dict[str, float]:
    n = total["n_figures"]
    if not n:
        return {"n_figures": 0}
    return {
        "n_figures": n,
        "share_supported": total["in_call"] / n,
        "recall_ceiling": total["in_excerpt"] / n,
        "share_lost_by_cut": (total["in_call"] - total["in_excerpt"]) / n,
    }
