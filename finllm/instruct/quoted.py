"""Estimate the probability that a reporter quotes a sentence of a call, by logistic regression.

The target is whether the bullets that reporters wrote about a call (ECTSum's training set) state a
figure of the sentence. The inputs are the sentence's words and word pairs, its place in the call,
how many figures it states, and how many of them are new. ``python -m benchmarks.quoted FOLDER
--fit`` writes the weights to ``quoted.tsv``.

The weights are cross-fitted. Companies are assigned to folds by a hash of their name, and the
weights of a fold are fitted without its companies, so no excerpt is chosen with the help of its own
reference, nor of another reference about its company.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from finllm.instruct.windows import Content
from finllm.numbers import ends
from finllm.numbers.support import stated_figures
from finllm.runtime.hashing import text_hash

WEIGHTS = Path(__file__).with_name("quoted.tsv")
N_FOLDS = 5
MOST_LIKELY = 3.0  # log-odds above which sentences count as equally likely
CONSTANT = "(constant)"
_WORD = re.compile(r"[a-z]+(?:[-'][a-z]+)*|[$%€£]|\d[\d,.]*")

Figures = frozenset[tuple[str, float, str]]  # kind, value, unit of each end of each quantity


@cache
def load_weights() -> dict[str, tuple[float, ...]]:
    """Read the weight of each input in log-odds from ``quoted.tsv``, one number per fold.

    An input that is not listed has no weight. The file is read once per process.
    """
    lines = WEIGHTS.read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if not line.startswith("# "))
    return {name: tuple(map(float, values)) for name, *values in rows}


def fold_of(company: str) -> int:
    """Return the fold of a company, which depends only on its name."""
    return text_hash(company) % N_FOLDS


def figures_of(sentences: Sequence[str]) -> list[Figures]:
    """Return the figures that each sentence states, without periods and years."""
    return [
        frozenset((end.kind, end.value, end.unit) for q in stated_figures(s) for end in ends(q))
        for s in sentences
    ]


def inputs(
    sentences: Sequence[str],
    figures: Sequence[Figures],
    contents: Sequence[Content],
    costs: Sequence[int],
    n_prepared: int,
) -> list[dict[str, float] | None]:
    """Return the inputs of the regression for each sentence of a call; None without a figure.

    Parameters
    ----------
    sentences
        Of the whole call, in order.
    figures, contents, costs
        Of each sentence: its figures, its worth by rule, and its number of tokens.
    n_prepared
        The number of sentences before the first question.
    """
    n_said = Counter(figure for stated in figures for figure in stated)
    known: set[tuple[str, float, str]] = set()
    found: list[dict[str, float] | None] = []
    for i, (sentence, stated) in enumerate(zip(sentences, figures, strict=True)):
        if not stated:
            found.append(None)
            continue
        n_new = len(stated - known)
        known |= stated
        kinds = Counter(kind for kind, *_ in stated)
        row = dict.fromkeys(words(sentence), 1.0)
        row |= {f"(figures: {kind})": n / 2 for kind, n in kinds.items()}
        row |= {
            "(place)": i / len(sentences),
            "(log place)": math.log1p(i) / 6,
            "(prepared)": float(i < n_prepared),
            "(log figures)": math.log1p(len(stated)),
            "(log new figures)": math.log1p(n_new),
            "(log times said)": math.log1p(max(n_said[figure] for figure in stated)),
            "(worth)": contents[i].worth / 4,
            "(log tokens)": math.log1p(costs[i]) / 4,
        }
        found.append(row)
    return found


def words(sentence: str) -> set[str]:
    """Return the words and adjacent word pairs of a sentence, in lower case; a number is ``#``.

    >>> sorted(words("Sales rose 5%"))
    ['#', '# %', '%', 'rose', 'rose #', 'sales', 'sales rose']
    """
    single = ["#" if word[0].isdigit() else word for word in _WORD.findall(sentence.lower())]
    return {*single, *(f"{one} {two}" for one, two in zip(single, single[1:], strict=False))}


def log_odds(rows: Sequence[dict[str, float] | None], company: str) -> list[float | None]:
    """Return the log-odds, at most ``MOST_LIKELY``, that each sentence of a call is quoted.

    ``rows`` come from ``inputs``; ``company`` selects the weights. The result is None for a
    sentence without a figure.
    """
    weights, fold = load_weights(), fold_of(company)
    found: list[float | None] = []
    for row in rows:
        if row is None:
            found.append(None)
            continue
        total = weights[CONSTANT][fold]
        for name, value in row.items():
            if name in weights:
                total += value * weights[name][fold]
        found.append(min(total, MOST_LIKELY))
    return found
