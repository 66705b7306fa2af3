"""Examples shown side by side: the largest regressions first, then the largest gains."""

from __future__ import annotations

import math
import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from itertools import count

from finllm.records import Example, Prediction, Score
from finllm.report.marked import CONTRADICTED, INVENTED, Piece, marked
from finllm.report.passages import passages

EXCERPT_CHARACTERS = 6000  # of a longer excerpt, only passages with judged figures are shown


@dataclass(frozen=True)
class Pair:
    """Scores of both models on the primary metric for one test example; NaN for no score."""

    example_id: str
    company: str
    template: str
    provenance: str
    base: float
    tuned: float

    @property
    def difference(self) -> float:
        """Tuned minus base."""
        return self.tuned - self.base


@dataclass(frozen=True)
class Texts:
    """Question, excerpt, reference and both answers, with their figures marked."""

    instruction: str
    excerpt: Sequence[Piece]
    reference: Sequence[Piece]
    base: Sequence[Piece]
    tuned: Sequence[Piece]
    base_is_cut: bool  # stopped by the length limit
    tuned_is_cut: bool


@dataclass(frozen=True)
class Shown:
    """Pair with the contents that the page shows."""

    pair: Pair
    anchor: str  # the element's id, to link to it
    n_unsupported_base: int  # figures of the answer that are in neither excerpt nor reference
    n_unsupported_tuned: int
    note: str  # why an answer without figures scores 1; empty if no answer does
    texts: Texts | None  # None if the report must not contain any text


def paired_scores(scores: Sequence[Score], metric: str) -> list[Pair]:
    """Return the test examples with a defined metric, in the order of the base's scores."""
    return [p for p in all_pairs(scores, metric) if math.isfinite(p.difference)]


def all_pairs(scores: Sequence[Score], metric: str) -> list[Pair]:
    """Return each test example that both models answered, in the order of the base's scores."""
    values: dict[str, dict[str, float | None]] = {"base": {}, "tuned": {}}
    for row in scores:
        if row.split == "test" and row.model in values:
            values[row.model][row.example_id] = row.values[metric]
    rows = [s for s in scores if s.split == "test" and s.model == "base"]
    pairs = []
    for row in rows:
        if row.example_id not in values["tuned"]:
            continue
        found = [values[model][row.example_id] for model in ("base", "tuned")]
        base, tuned = (math.nan if value is None else value for value in found)
        pairs.append(Pair(row.example_id, row.company, row.template, row.provenance, base, tuned))
    return pairs


def extremes(pairs: Sequence[Pair], n: int) -> list[Pair]:
    """Return at most ``n`` pairs: regressions, then gains, each from the largest.

    Half of ``n`` are of each kind, and more of one if the other has too few. If all of them fit,
    unchanged examples follow, and then those without a score.
    """
    down = [pair for pair in pairs if pair.difference < 0]
    up = [pair for pair in pairs if pair.difference > 0]
    down.sort(key=lambda pair: (pair.difference, pair.example_id))
    up.sort(key=lambda pair: (-pair.difference, pair.example_id))
    n_down = min(len(down), max((n + 1) // 2, n - len(up)))
    rest = [p for p in pairs if p.difference == 0 or math.isnan(p.difference)]
    rest.sort(key=lambda pair: (math.isnan(pair.difference), pair.example_id))
    return [*down[:n_down], *up[: n - n_down], *rest][:n]


def showcase(
    pairs: Sequence[Pair],
    examples: Sequence[Example],
    base: Sequence[Prediction],
    tuned: Sequence[Prediction],
    *,
    n: int,
    include_text: bool,
    metric: str,
) -> list[Shown]:
    """Return the chosen pairs, scored by ``metric``, with the contents that the page shows.

    Raises
    ------
    ValueError
        If a scored example is not among the examples or the answers.
    """
    asked = {example.id: example for example in examples}
    by_base = {p.example_id: p for p in base}
    by_tuned = {p.example_id: p for p in tuned}
    shown: list[Shown] = []
    taken: set[str] = set()
    for pair in extremes(pairs, n):
        i = pair.example_id
        if not (i in asked and i in by_base and i in by_tuned):
            raise ValueError(f"{i} was scored, but its text is missing; run `dvc repro`")
        name = anchor(i, taken)
        taken.add(name)
        shown.append(_shown(pair, name, asked[i], by_base[i], by_tuned[i], include_text, metric))
    return shown


def anchor(example_id: str, taken: Container[str]) -> str:
    """Return an id for the example's element that links can use without escaping.

    >>> anchor("FNEI_q3 2019:completion", ()), anchor("a b", {"example-a-b"})
    ('example-FNEI_q3-2019-completion', 'example-a-b-2')
    """
    name = "example-" + re.sub(r"[^A-Za-z0-9_.-]+", "-", example_id)
    tries = (name if i == 1 else f"{name}-{i}" for i in count(1))
    return next(one for one in tries if one not in taken)


def _shown(
    pair: Pair,
    name: str,
    example: Example,
    base: Prediction,
    tuned: Prediction,
    include_text: bool,
    metric: str,
) -> Shown:
    known = [example.excerpt, example.answer]
    pieces = [marked(answer.text, known) for answer in (base, tuned)]
    reference = marked(example.answer, [example.excerpt])
    texts = None
    if include_text:
        answers = [example.answer, base.text, tuned.text]
        texts = Texts(
            example.instruction,
            passages(example.excerpt, answers, n_characters=EXCERPT_CHARACTERS),
            reference,
            *pieces,
            base.hit_limit,
            tuned.hit_limit,
        )
    silent = not any(piece.mark for piece in reference)
    note = _note(pair, *pieces) if silent and metric == "number_accuracy" else ""
    return Shown(pair, name, *map(_n_unsupported, pieces), note, texts)


def _n_unsupported(pieces: Sequence[Piece]) -> int:
    return sum(piece.mark in (CONTRADICTED, INVENTED) for piece in pieces)


def _note(pair: Pair, base: Sequence[Piece], tuned: Sequence[Piece]) -> str:
    """Explain which answers score 1 because neither they nor the reference state any figure."""
    scores = (("base", pair.base, base), ("tuned", pair.tuned, tuned))
    full = [
        model
        for model, score, pieces in scores
        if score == 1 and not any(piece.mark for piece in pieces)
    ]
    if not full:
        return ""
    who = "both answers" if len(full) > 1 else f"the {full[0]} answer"
    return (
        f"The reference and {who} state no figure. Where the reference has none, the score is the "
        "share of the answer’s figures that the excerpt supports, and 1.000 for an answer without "
        "figures: it states nothing false."
    )
