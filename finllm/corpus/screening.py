"""Filter all calls in two passes, in batches: first decide, then collect statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from finllm.corpus.duplicates import check_values, signer
from finllm.corpus.quality import CallMeasures, measure
from finllm.corpus.survey import Survey
from finllm.languages.lexicon import words
from finllm.languages.lexicons import Lexicons
from finllm.numbers.support import trim_summary
from finllm.records import Line, Reject, read_lines, to_json


@dataclass(frozen=True)
class Look:
    """The measures and signature of a call after the first pass, without its text."""

    measures: CallMeasures
    signature: np.ndarray  # MinHash, shape (n_permutations,), uint32


@dataclass
class Stock:
    """A batch of kept calls: lines with trimmed summaries, statistics and counts."""

    lines: list[str] = field(default_factory=list)
    trimmed: list[Reject] = field(default_factory=list)
    survey: Survey = field(default_factory=Survey)
    counts: Counter[str] = field(default_factory=Counter)


def looker(
    *, lexicon: str, n_permutations: int, threshold: float, seed: int
) -> Callable[[Sequence[Line]], list[Look]]:
    """Build a function that measures and signs a batch of calls.

    Parameters
    ----------
    lexicon
        A file of additional terms, or "" for none: see ``Lexicons``.
    """
    check_values(threshold, n_permutations)
    terms = Lexicons(lexicon)
    sign = signer(n_permutations, seed)

    def look(batch: Sequence[Line]) -> list[Look]:
        looks = []
        for line in batch:
            call = line.transcript()
            text = call.text
            tokens = words(text.lower())
            measures = measure(call, text, tokens, lexicon=terms.of(call.language))
            looks.append(Look(measures, sign(tokens)))
        return looks

    return look


def lines_of(
    ids: Container[str], *, path: Path, measures: Sequence[CallMeasures]
) -> Iterator[Line]:
    """Yield the lines of the calls with these ids; ``measures`` has one row per line."""
    lines = zip(measures, read_lines(path), strict=True)
    return (line for call, line in lines if call.id in ids)


def stock_taker(*, min_support: float) -> Callable[[Sequence[Line]], Stock]:
    """Build a function that trims the summaries of a batch of kept calls and surveys the calls."""

    def take_stock(batch: Sequence[Line]) -> Stock:
        stock = Stock()
        for line in batch:
            call = line.transcript()
            stock.survey.add(call)
            trim, bullets, audit = trim_summary(call, min_support=min_support)
            stock.trimmed += bullets
            emptied = bool(bullets) and not trim.summary
            stock.counts.update(**vars(audit), summaries_emptied=emptied)
            stock.lines.append(line.text.rstrip("\n") if trim is call else to_json(trim))
        return stock

    return take_stock
