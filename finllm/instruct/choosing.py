"""Choose examples from the drafts on disk, and count them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from finllm.instruct.drafting import Drafts, Key
from finllm.instruct.reference_audit import Totals, shares
from finllm.records import Line, Reject


@dataclass
class Candidates:
    """Keys of the drafts in the order of their lines, and the rejects."""

    keys: list[Key] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    def lines(self, batches: Iterable[Drafts]) -> Iterator[str]:
        """Yield the lines of the batches, and collect their keys and rejects."""
        for drafts in batches:
            self.keys.extend(drafts.keys)
            self.rejects.extend(drafts.rejects)
            yield from drafts.lines

    def labels(self) -> list[tuple[str, str, str]]:
        """Return template, id and source of each draft, as ``choose_by_source`` takes them."""
        return [(key.template, key.id, key.source) for key in self.keys]

    def choose(self, chosen: set[str], drafts: Iterable[Line]) -> tuple[list[Key], Iterator[str]]:
        """Return the keys and lines of the chosen drafts; the others become rejects."""
        others = (key for key in self.keys if key.id not in chosen)
        self.rejects += [Reject(key.id, "", 0, "over_quota", "") for key in others]
        pairs = zip(self.keys, drafts, strict=True)
        lines = (line.text.rstrip("\n") for key, line in pairs if key.id in chosen)
        return [key for key in self.keys if key.id in chosen], lines


def limit(
    labels: Sequence[tuple[str, str, str]], weights: Mapping[str, float], max_examples: int
) -> str:
    """Return in words what limits the number of examples: the scarcest template, or the setting."""
    available = Counter(template for template, _, _ in labels)
    used = {name: weight for name, weight in weights.items() if weight > 0}
    scarce = min(used, key=lambda name: available[name] / used[name])
    if max_examples and max_examples * used[scarce] < available[scarce]:
        return f"templatize.max_examples is {max_examples}"
    return f"only {available[scarce]} of {scarce}"


def with_examples(
    keys: Sequence[Key], calls: Iterable[Line], examples: Iterator[Line]
) -> Iterator[tuple[Line, list[Line]]]:
    """Yield each call that has examples, with them; both files are read once, in the same order."""
    n_of_call = Counter(key.call for key in keys)
    for call in calls:
        if n := n_of_call[call.number]:
            yield call, list(islice(examples, n))


def audited(batches: Iterable[Totals]) -> dict[str, dict[str, float]]:
    """Add up the batches of ``auditor``, and return shares."""
    totals: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for found in batches:
        for template, counts in found.items():
            totals[template].update(counts)
    return shares(totals)


def described(
    keys: Sequence[Key], rejects: Sequence[Reject], quotas: Mapping[str, int]
) -> dict[str, object]:
    """Return counts (candidates = examples + rejected) by template and provenance, and tokens."""
    n = len(keys)
    return {
        "candidates": n + len(rejects),
        "examples": n,
        "examples_by_template": dict(quotas),
        "share_by_template": {name: count / n for name, count in quotas.items()},
        "examples_by_provenance": dict(Counter(key.provenance for key in keys)),
        "rejected_by_reason": dict(Counter(reject.reason for reject in rejects)),
        "mean_prompt_tokens": sum(key.n_prompt_tokens for key in keys) / n,
        "mean_answer_tokens": sum(key.n_answer_tokens for key in keys) / n,
        "max_tokens": max(key.n_prompt_tokens + key.n_answer_tokens for key in keys),
    }
