"""Assign examples to train, validation, test and transfer sets that share no company or text."""

from __future__ import annotations

import heapq
import math
from array import array
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from finllm.instruct.folds import assign_fold
from finllm.instruct.templates import apportion
from finllm.records import NO_SOURCE, Example

TRAIN_SHARE = 0.2  # smallest share of training companies for which a larger test set is suggested
SPLITS = ("train", "val", "test", "transfer")
FOLDS = 5  # of the cross-validation suggested if a test set is too small
NGRAM = 13  # consecutive words, too many for a coincidence
LOOK_UP = 1_000_000  # training n-grams that are looked up together
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Audit:
    """Overlap of the sets: every count must be 0; the contamination is a share."""

    shared_companies: int
    shared_transcripts: int
    shared_duplicate_groups: int
    test_answer_contamination: float  # share of the test answers' 13-grams seen in training
    test_excerpt_contamination: float  # the same for the test excerpts

    @property
    def leaks(self) -> int:
        """Number of companies, calls and near-duplicate groups that several sets share."""
        return self.shared_companies + self.shared_transcripts + self.shared_duplicate_groups


def company_units(examples: Sequence[Example], groups: Mapping[str, str]) -> list[list[str]]:
    """Return the units of companies that must stay together.

    A unit is one company, or several that near-duplicate calls join. ``groups`` maps the ids of
    transcripts to their near-duplicate groups, for those that are in one.
    """
    parent = {example.company: example.company for example in examples}

    def root(company: str) -> str:
        while parent[company] != company:
            company = parent[company]
        return company

    first_of_group: dict[str, str] = {}
    for example in examples:
        group = groups.get(example.transcript_id)
        if group is not None:
            other = first_of_group.setdefault(group, example.company)
            parent[root(example.company)] = root(other)
    units: dict[str, list[str]] = defaultdict(list)
    for company in sorted(parent):
        units[root(company)].append(company)
    return sorted(units.values())


def assign_companies(
    examples: Sequence[Example],
    *,
    groups: Mapping[str, str],
    val_share: float,
    test_share: float,
    transfer_sectors: Sequence[str],
    rng: np.random.Generator,
    transfer_source: str = NO_SOURCE,
    fold: int = 0,
    n_folds: int = 0,
) -> dict[str, str]:
    """Return the split of every company, drawn at random; sectors and a source are held out.

    A company that the held-out source shares with another goes to transfer with it:
    ``shared_with_source`` returns the examples that must then be left out.

    With ``n_folds`` above 0 the test set is the part ``fold`` of so many, and ``test_share`` is
    ignored: see ``folds.assign_fold``.

    Raises
    ------
    ValueError
        If a transfer sector or the transfer source does not occur, or a split would be empty.
    """
    sectors = {example.company: example.sector for example in examples}
    check_transfer_sectors(transfer_sectors, sectors.values())
    held_out = _companies_of(examples, transfer_source)
    split_of: dict[str, str] = {}
    units = []
    for unit in company_units(examples, groups):
        if any(sectors[c] in transfer_sectors or c in held_out for c in unit):
            split_of.update(dict.fromkeys(unit, "transfer"))
        else:
            units.append(unit)
    units = [units[i] for i in rng.permutation(len(units))]
    if n_folds:
        return split_of | assign_fold(
            units, examples, fold=fold, n_folds=n_folds, val_share=val_share
        )
    n_test = round(test_share * len(units))
    n_val = max(1, round(val_share * len(units)))
    if n_test < 1 or n_val + n_test >= len(units):
        raise ValueError(
            f"{len(units)} companies cannot be split into train, val and test with split.val_share "
            f"{val_share} and split.test_share {test_share}; each set needs at least one company"
        )
    for i, unit in enumerate(units):
        name = "test" if i < n_test else "val" if i < n_test + n_val else "train"
        split_of.update(dict.fromkeys(unit, name))
    return split_of


def check_transfer_sectors(wanted: Iterable[str], sectors: Iterable[str]) -> None:
    """Raise a ValueError if a sector to be held out does not occur in the source."""
    found = set(sectors) - {""}
    for sector in wanted:
        if sector not in found:
            if not found:
                raise ValueError(
                    f"split.transfer_sectors names {sector!r}, but this source has no sectors; "
                    "set split.transfer_sectors to []"
                )
            raise ValueError(
                f"split.transfer_sectors names {sector!r}; the sectors of this source are: "
                f"{', '.join(sorted(found))}"
            )


def shared_with_source(
    examples: Sequence[Example],
    groups: Mapping[str, str],
    *,
    transfer_source: str,
    transfer_sectors: Sequence[str] = (),
) -> dict[str, str]:
    """Return the reasons, by id, why examples of other sources may be in no set.

    Their company, or one joined to it by near-duplicate calls, is in the transfer source: in
    training they would leak, and in the transfer set they would not be of that source. Those of a
    sector that is also held out stay in the transfer set: the same companies in two languages.
    """
    held_out = _companies_of(examples, transfer_source)
    if not held_out:
        return {}
    units = company_units(examples, groups)
    joined = {c for unit in units if not held_out.isdisjoint(unit) for c in unit}
    return {
        example.id: "shared_with_transfer_source"
        for example in examples
        if example.company in joined
        and example.source != transfer_source
        and example.sector not in transfer_sectors
    }


def _companies_of(examples: Sequence[Example], transfer_source: str) -> set[str]:
    if transfer_source == NO_SOURCE:
        return set()
    found = {example.company for example in examples if example.source == transfer_source}
    if not found:
        raise ValueError(
            f"data.transfer_source is {transfer_source!r}, but no example comes from it"
        )
    return found


def cap(examples: Sequence[Example], limit: int, rng: np.random.Generator) -> list[Example]:
    """Draw at most ``limit`` examples (0 is all): same template shares, many companies.

    Within a template the companies take turns, so that few examples still mean many companies.
    """
    if not limit or len(examples) <= limit:
        return list(examples)
    by_template: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_template[example.template].append(example)
    quotas = apportion(limit, {name: len(rows) for name, rows in by_template.items()})
    kept: set[str] = set()
    load: dict[str, int] = defaultdict(int)
    for name, rows in by_template.items():
        queues: dict[str, deque[tuple[int, str]]] = defaultdict(deque)
        for place, i in enumerate(rng.permutation(len(rows)).tolist()):
            queues[rows[i].company].append((place, rows[i].id))
        waiting = [(load[company], queue[0][0], company) for company, queue in queues.items()]
        heapq.heapify(waiting)  # the least served company first, then the first drawn
        for _ in range(quotas[name]):
            _, _, company = heapq.heappop(waiting)
            kept.add(queues[company].popleft()[1])
            load[company] += 1
            if queues[company]:
                heapq.heappush(waiting, (load[company], queues[company][0][0], company))
    return [example for example in examples if example.id in kept]


def check_test_companies(
    sets: Mapping[str, Sequence[Example]],
    minimum: int,
    *,
    val_share: float,
    test_share: float,
    n_folds: int = 0,
) -> None:
    """Raise a ValueError if the test set is too small for the statistics, or train or val is empty.

    With folds the statistics come from all folds together, which test every company once.
    """
    companies = {name: {example.company for example in rows} for name, rows in sets.items()}
    n_test, n = len(companies["test"]), sum(len(companies[x]) for x in ("train", "val", "test"))
    if n_folds and n < minimum:
        raise ValueError(
            f"{n} companies in all folds together and split.min_test_companies is {minimum}: "
            "too few for statistics. Use a source with more companies, or lower "
            "split.min_test_companies (at least 2)"
        )
    if not n_folds and n_test < minimum:
        raise ValueError(_too_few(n_test, n, minimum, val_share=val_share, test_share=test_share))
    for name in ("train", "val", *(["test"] if n_folds else [])):
        if not sets[name]:
            raise ValueError(f"the {name} set has no example; lower split.embargo_quarters")


def check_shares(
    n: int, *, val_share: float, test_share: float, minimum: int, n_folds: int = 0
) -> None:
    """Raise a ValueError if ``n`` companies cannot fill three sets, with ``minimum`` for testing.

    With ``n_folds`` above 0 the shares do not matter.
    """
    if n_folds:
        if n < n_folds + 1:
            raise ValueError(
                f"{n} companies for split.n_folds {n_folds}; need more companies than folds"
            )
        return
    n_test = round(test_share * n)
    if n_test < minimum:
        raise ValueError(_too_few(n_test, n, minimum, val_share=val_share, test_share=test_share))
    if max(1, round(val_share * n)) + n_test >= n:
        raise ValueError(
            f"{n} companies cannot be split into train, val and test with split.val_share "
            f"{val_share} and split.test_share {test_share}; each set needs at least one company"
        )


def _too_few(n_test: int, n: int, minimum: int, *, val_share: float, test_share: float) -> str:
    """Return an error message with a remedy for a test set of ``n_test`` of ``n`` companies."""
    wanted = math.ceil(100 * minimum / max(n, 1)) / 100
    n_val = max(1, round(val_share * n))
    helps = n - n_val - round(wanted * n) >= TRAIN_SHARE * n
    needed = math.ceil(minimum / test_share)
    if round(test_share * n) >= minimum:
        remedy = "They have too few examples, or split.max_test_examples is too low"
    elif helps:
        remedy = f"Set split.test_share to {wanted:g} (now {test_share:g}){_by_folds(n, minimum)}"
    else:
        remedy = (
            f"No test share is large enough: split.test_share {test_share:g} needs about {needed} "
            f"companies. Use a source with more{_by_folds(n, minimum)}"
        )
    return (
        f"{n_test} of {n} companies are in the test set, and split.min_test_companies is "
        f"{minimum}: too few for statistics. {remedy}. (Or lower split.min_test_companies to no "
        "less than 2; the verdict is then weak.)"
    )


def _by_folds(n: int, minimum: int) -> str:
    """Return the command that tests every company once; "" if there are fewer than three."""
    if n < 3:
        return ""
    lower = f" -S split.min_test_companies={n}" if n < minimum else ""
    return (
        f", or test each of the {n} once, by cross-validation: `python -m finllm crossvalidate "
        f"--folds {min(FOLDS, n - 1)}{lower}` (with the -S of this run)"
    )


def describe(rows: Sequence[Example]) -> dict[str, object]:
    """Count the examples, companies and calls of a set, and its examples by template."""
    return {
        "examples": len(rows),
        "companies": len({e.company for e in rows}),
        "transcripts": len({e.transcript_id for e in rows}),
        "examples_by_template": dict(Counter(e.template for e in rows)),
    }


def audit(
    sets: Mapping[str, Sequence[Example]],
    groups: Mapping[str, str],
    texts: Callable[[str], Iterable[Example]] | None = None,
) -> Audit:
    """Count what any two sets share.

    Parameters
    ----------
    texts
        Returns the examples of "train" or "test" with their texts, one at a time and as often as
        called, if ``sets`` has only their keys; None if ``sets`` has the texts.
    """
    read = texts or sets.__getitem__
    return Audit(
        shared_companies=_shared([{e.company for e in rows} for rows in sets.values()]),
        shared_transcripts=_shared([{e.transcript_id for e in rows} for rows in sets.values()]),
        shared_duplicate_groups=_shared(
            [
                {groups[e.transcript_id] for e in rows if e.transcript_id in groups}
                for rows in sets.values()
            ]
        ),
        **contamination(read),
    )


def _shared(sets: Sequence[set[str]]) -> int:
    union = set().union(*sets)
    return sum(sum(item in one for one in sets) > 1 for item in union)


def contamination(texts: Callable[[str], Iterable[Example]]) -> dict[str, float]:
    """Return the share of the test set's 13-grams that occur in training, for answers and excerpts.

    Only the n-grams of the test set stay in memory, 8 bytes each, whatever the size of training.
    """
    grams = array("q")
    for example in texts("test"):
        grams.extend(_ngrams(example.answer))
        grams.extend(_ngrams(example.excerpt))
    known = np.frombuffer(grams, dtype=np.int64) if grams else np.zeros(0, dtype=np.int64)
    known.sort()
    known = known[np.concatenate([[True], known[1:] != known[:-1]])] if known.size else known
    seen = np.zeros(known.size, dtype=bool)
    waiting = array("q")
    for example in texts("train"):
        waiting.extend(_ngrams(f"{example.excerpt} {example.answer}"))
        if len(waiting) >= LOOK_UP:
            _mark(known, seen, waiting)
            waiting = array("q")
    _mark(known, seen, waiting)
    n, hits = Counter(), Counter()
    for example in texts("test"):
        for key, text in (("answer", example.answer), ("excerpt", example.excerpt)):
            found = seen[np.searchsorted(known, np.asarray(_ngrams(text), dtype=np.int64))]
            n[key] += found.size
            hits[key] += int(found.sum())
    return {
        f"test_{key}_contamination": hits[key] / max(1, n[key]) for key in ("answer", "excerpt")
    }


def _mark(known: np.ndarray, seen: np.ndarray, grams: array) -> None:
    if not known.size or not grams:
        return
    wanted = np.asarray(grams, dtype=np.int64)
    at = np.minimum(np.searchsorted(known, wanted), known.size - 1)
    seen[at[known[at] == wanted]] = True


def _ngrams(text: str) -> list[int]:
    """Return a 64-bit hash of every run of thirteen words, the same in every process."""
    codes = [crc32(word.encode()) for word in text.lower().split()]
    if len(codes) < NGRAM:
        return []
    words = np.asarray(codes, dtype=np.uint64)
    runs = np.zeros(len(codes) - NGRAM + 1, dtype=np.uint64)
    for offset in range(NGRAM):
        runs = runs * _MULTIPLIER + words[offset : offset + runs.size]
    return runs.view(np.int64).tolist()
