"""Pairs of answers to one prompt, of which the first is preferred, and where they come from.

There are three kinds. *corrupted*: the reference of a training example, against the same text with
one error (`finllm.preference.corrupted`). *sampled*: of several answers that the tuned model
samples for a training prompt, the one that ranks highest by its figures against the one that ranks
lowest. *rated*: of the base model's and the tuned model's answers to a training prompt, the one
that people preferred against the other.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from finllm.instruct import splits
from finllm.instruct.templates import apportion
from finllm.rating.answered import Answered
from finllm.rating.clicks import PREFERENCE, Click, latest, tuned_preferred
from finllm.records import Example, read_jsonl
from finllm.scoring.domain import number_accuracy
from finllm.scoring.figures import number_report

CORRUPTED, SAMPLED, RATED = "corrupted", "sampled", "rated"
WRITTEN = ("human", "synthetic")  # provenances of references written as an answer
EQUAL_RANK = "equal_rank"  # prompts
FEW_COMPLETE = "few_complete"  # prompts with fewer than two answers that were not cut
CUT = "cut"  # sampled answers that the length limit cut
RATED_OTHERS = "rated_of_other_examples"  # or of answers whose text is missing
RATED_EVEN = "rated_even"
RATED_CUT = "rated_cut"  # one of the two answers was cut by the length limit


@dataclass(frozen=True)
class Pair:
    """Two answers to the prompt of one training example."""

    example_id: str
    company: str
    kind: str  # CORRUPTED, SAMPLED or RATED
    fault: str  # of the rejected answer: a key of corrupted.EDITS, "lower rank", "not preferred"
    chosen: str
    rejected: str
    part: str = "train"  # "val" for pairs that choose the best step of preference training


def read_pairs(path: Path) -> list[Pair]:
    """Read pairs from a JSON-lines file."""
    return [Pair(**row) for row in read_jsonl(path)]


def with_reference(examples: Sequence[Example]) -> list[Example]:
    """Return examples with a written reference, not one made by a rule or taken from the call."""
    return [example for example in examples if example.provenance in WRITTEN]


def rank(answer: str, example: Example) -> tuple[float, float]:
    """Return an answer's rank: number accuracy, then its figures' support in the excerpt.

    An answer that states no figure has support 1, for it states none that the excerpt lacks. An
    empty answer ranks lowest.
    """
    if not answer.strip():
        return 0.0, 0.0
    found = number_report(answer, "", example.excerpt)
    support = found.support if found.n_candidate else 1.0
    return number_accuracy(answer, example.answer, example.excerpt), support


def sampled_pairs(
    examples: Sequence[Example], samples: Sequence[Sequence[str | None]]
) -> tuple[list[Pair], Counter[str]]:
    """Pair each prompt's best and worst sample, and count prompts without a pair by reason.

    ``samples`` are in the order of the examples; one that was cut is None and is only counted. If
    all samples of a prompt have the same rank, there is no pair. Among equals, the first is used.
    """
    found, left_out = [], Counter({CUT: 0, FEW_COMPLETE: 0, EQUAL_RANK: 0})
    for example, all_drawn in zip(examples, samples, strict=True):
        drawn = [text for text in all_drawn if text is not None]
        left_out[CUT] += len(all_drawn) - len(drawn)
        if len(drawn) < 2:
            left_out[FEW_COMPLETE] += 1
            continue
        ranks = [rank(text, example) for text in drawn]
        best, worst = ranks.index(max(ranks)), ranks.index(min(ranks))
        if ranks[best] == ranks[worst]:
            left_out[EQUAL_RANK] += 1
            continue
        found.append(
            Pair(example.id, example.company, SAMPLED, "lower rank", drawn[best], drawn[worst])
        )
    return found, left_out


def rated_pairs(
    clicks: Sequence[Click],
    answered: Sequence[Answered],
    examples: Sequence[Example],
    prompts: Mapping[str, str],
) -> tuple[list[Pair], Counter[str]]:
    """Pair each preferred answer with the other, and count ratings without a pair by reason.

    With several raters, the mean counts; if it is even, there is no pair. Answers count whichever
    models wrote them, as long as their prompt is still that of a training example.

    Parameters
    ----------
    prompts
        Hash of the prompt of each training example, by example id.
    """
    texts = {row.sha256: row for row in answered}
    by_id = {example.id: example for example in examples}
    votes: dict[str, list[float]] = defaultdict(list)
    for click in latest(clicks):
        if click.question == PREFERENCE:
            votes[click.pair_sha256].append(tuned_preferred(click))
    found, left_out = [], Counter({RATED_OTHERS: 0, RATED_CUT: 0, RATED_EVEN: 0})
    for sha256, values in votes.items():
        row, mean = texts.get(sha256), sum(values) / len(values)
        if row is None or prompts.get(row.example_id) != row.prompt_sha256:
            left_out[RATED_OTHERS] += 1
        elif row.base_cut or row.tuned_cut:
            left_out[RATED_CUT] += 1
        elif mean == 0.5:
            left_out[RATED_EVEN] += 1
        else:
            company = by_id[row.example_id].company
            both = (row.tuned, row.base) if mean > 0.5 else (row.base, row.tuned)
            found.append(Pair(row.example_id, company, RATED, "not preferred", *both))
    return found, left_out


def check_kinds(pairs: Sequence[Pair], weights: Mapping[str, float]) -> None:
    """Raise if a kind with a weight above 0 has no pair.

    Raises
    ------
    ValueError
        For the first such kind, with its weight and the reason.
    """
    there = {pair.kind for pair in pairs}
    for kind, weight in weights.items():
        if weight > 0 and kind not in there:
            raise ValueError(f"prefer.weights.{kind} is {weight:g}, and {_REASONS[kind]}")


def mixed(
    pairs: Sequence[Pair],
    weights: Mapping[str, float],
    *,
    max_pairs: int,
    rng: np.random.Generator,
) -> list[Pair]:
    """Draw as many pairs as the weights of the kinds allow, at most ``max_pairs`` (0: no limit).

    Raises
    ------
    ValueError
        If a kind with a weight above 0 has no pair.
    """
    check_kinds(pairs, weights)
    used = {kind: weight for kind, weight in weights.items() if weight > 0}
    by_kind = {kind: [pair for pair in pairs if pair.kind == kind] for kind in used}
    scale = sum(used.values())
    total = min(int(len(rows) * scale / used[kind] + 1e-9) for kind, rows in by_kind.items())
    total = min(total, max_pairs) if max_pairs else total
    kept: set[int] = set()
    for kind, n in apportion(total, used).items():
        places = [i for i, pair in enumerate(pairs) if pair.kind == kind]
        kept |= {places[i] for i in rng.permutation(len(places))[:n]}
    return [pair for i, pair in enumerate(pairs) if i in kept]


_REASONS = {
    CORRUPTED: "no training example has a reference that can be made wrong (its provenance must be "
    f"{' or '.join(WRITTEN)}, and its excerpt must state its figures); set it to 0",
    SAMPLED: "no pair is left after ranking: the samples of every prompt rank the same or were "
    "cut; raise prefer.samples, prefer.temperature, prefer.max_prompts or "
    "predict.max_new_tokens, or set it to 0",
    RATED: "no human preference refers to complete answers to a training example; rate some with "
    "`python -m finllm rate --split train`, or set it to 0",
}


def with_parts(
    pairs: Sequence[Pair],
    units: Sequence[Sequence[str]],
    *,
    val_share: float,
    rng: np.random.Generator,
) -> list[Pair]:
    """Return the pairs, with those of some units of companies (at least one) marked as ``val``.

    These are left out of the preference training only: the tuned adapter has learned from their
    references. ``units`` are those of ``finllm.instruct.splits.company_units``.

    Raises
    ------
    ValueError
        If fewer than two units have pairs.
    """
    companies = {pair.company for pair in pairs}
    units = [unit for unit in units if not companies.isdisjoint(unit)]
    if len(units) < 2:
        raise ValueError(
            f"{len(pairs)} preference pairs of {len(companies)} companies are left, but at "
            "least two companies without a common call are needed, one of them for validation; "
            "raise prefer.max_pairs, prefer.samples or split.max_train_examples"
        )
    n = min(max(1, round(val_share * len(units))), len(units) - 1)
    left_out = {company for i in rng.permutation(len(units))[:n] for company in units[i]}
    return [replace(pair, part="val") if pair.company in left_out else pair for pair in pairs]


def audited(
    pairs: Sequence[Pair],
    sets: Mapping[str, Sequence[Example]],
    groups: Mapping[str, str],
) -> splits.Audit:
    """Audit what the pairs share with the validation, test and transfer sets.

    Parameters
    ----------
    sets
        The four sets of the split; the pairs must be from the set ``train``.
    groups
        The near-duplicate group of each transcript that is in one.

    Raises
    ------
    ValueError
        If a pair is not from a training example, its answers are equal, or anything is shared.
    """
    train = {example.id: example for example in sets["train"]}
    for pair in pairs:
        if pair.example_id not in train:
            raise ValueError(
                f"{pair.example_id} has a preference pair and is no training example; run "
                "`dvc repro prefer` again"
            )
        if pair.chosen.strip() == pair.rejected.strip():
            raise ValueError(
                f"{pair.example_id}: both answers of a {pair.kind} pair are equal; leave it out"
            )
    used = [
        replace(train[pair.example_id], answer=answer)
        for pair in pairs
        for answer in (pair.chosen, pair.rejected)
    ]
    audit = splits.audit({**sets, "train": used}, groups)
    if audit.leaks:
        raise ValueError(f"the preference pairs leak into the other sets: {audit}")
    return audit


def counted(pairs: Sequence[Pair]) -> dict[str, object]:
    """Return the number of pairs, in total and by kind, fault and part, and of companies."""
    return {
        "pairs": len(pairs),
        "companies": len({pair.company for pair in pairs}),
        "by_kind": dict(sorted(Counter(pair.kind for pair in pairs).items())),
        "by_fault": dict(sorted(Counter(pair.fault for pair in pairs).items())),
        "by_part": dict(sorted(Counter(pair.part for pair in pairs).items())),
    }
