"""Fit the weights of ``finllm/instruct/quoted.tsv``, and measure the excerpts that they choose.

    python -m benchmarks.quoted data/raw/ectsum --fit
    python -m benchmarks.quoted data/raw/ectsum --rooms 233 505 841

The folder is a source with a ``source.yaml`` whose calls have summaries. ``--fit`` writes the file:
for each of five folds of companies, a logistic regression on the sentences of the other four.
In either case the weights on disk are measured: the share of the summaries' figures stated by the
sentences that the rule and the regression choose within a number of tokens, and by the whole call.
Each call is scored with the weights fitted without its company.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from benchmarks.windows import read_calls
from finllm.instruct import quoted, windows
from finllm.instruct.examples import n_prepared_sentences
from finllm.languages.files import ENGLISH
from finllm.languages.lexicons import Lexicons
from finllm.model.tokenizer import load_tokenizer
from finllm.model.weights import base_folder
from finllm.numbers import is_stated
from finllm.numbers.support import stated_figures
from finllm.records import Transcript
from finllm.settings.params import load_params

N_WORDS = 1000  # inputs (words and word pairs), the ones that occur in the most calls
STRENGTH = 0.03  # inverse strength of the L2 penalty, scikit-learn's C
DECIMALS = 3


@dataclass(frozen=True)
class Call:
    """The data of a call that fitting and choosing need."""

    company: str
    contents: list[windows.Content]
    figures: list[quoted.Figures]
    costs: list[int]
    inputs: list[dict[str, float] | None]
    states: list[set[int]]  # for each sentence, the summary's figures that it states
    n_figures: int  # in the summary


def prepared(call: Transcript, tokenizer, lexicon) -> Call:  # noqa: ANN001
    """Return a call with its inputs and targets."""
    sentences = windows.sentences(call.text)
    contents = [windows.content(s, (term for term, *_ in lexicon.find(s))) for s in sentences]
    costs = [len(ids) + 1 for ids in tokenizer(sentences, add_special_tokens=False)["input_ids"]]
    figures = quoted.figures_of(sentences)
    rows = quoted.inputs(sentences, figures, contents, costs, n_prepared_sentences(call))
    wanted = stated_figures(call.summary)
    states = []
    for sentence, row in zip(sentences, rows, strict=True):
        known = stated_figures(sentence) if row else []
        states.append({j for j, figure in enumerate(wanted) if is_stated(figure, known)})
    return Call(call.company, contents, figures, costs, rows, states, len(wanted))


def fit(calls: Sequence[Call]) -> dict[str, list[float]]:
    """Return the weights of each input, one per fold."""
    n_calls: Counter[str] = Counter()
    for call in calls:
        n_calls.update({name for row in call.inputs if row for name in row})
    common = [name for name, _ in n_calls.most_common(N_WORDS)]
    names = sorted({*common, *(name for name in n_calls if name.startswith("("))})
    column = {name: i for i, name in enumerate(names)}
    found: dict[str, list[float]] = {name: [] for name in [quoted.CONSTANT, *names]}
    for fold in range(quoted.N_FOLDS):
        others = [call for call in calls if quoted.fold_of(call.company) != fold]
        pairs = [
            (row, bool(states))
            for call in others
            for row, states in zip(call.inputs, call.states, strict=True)
            if row
        ]
        cells = [
            (i, column[name], value)
            for i, (row, _) in enumerate(pairs)
            for name, value in row.items()
            if name in column
        ]
        at, where, values = zip(*cells, strict=True)
        table = sparse.csr_matrix((values, (at, where)), shape=(len(pairs), len(names)))
        targets = [target for _, target in pairs]
        model = LogisticRegression(C=STRENGTH, max_iter=400).fit(table, targets)
        for name, weight in zip(names, model.coef_[0], strict=True):
            found[name].append(float(weight))
        found[quoted.CONSTANT].append(float(model.intercept_[0]))
    return found


def write(weights: dict[str, list[float]]) -> None:
    """Write the file of weights, without inputs that round to zero in every fold."""
    lines = [
        "# Weights of finllm/instruct/quoted.py in log-odds, a column a fold of companies;"
        " written by benchmarks/quoted.py"
    ]
    for name, values in weights.items():
        rounded = [f"{value:.{DECIMALS}f}" for value in values]
        if any(float(value) for value in rounded):
            lines.append("\t".join([name, *rounded]))
    quoted.WEIGHTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def recall(calls: Sequence[Call], room: int) -> dict[str, float]:
    """Return the share of the summaries' figures shown by the rule, the regression and the call."""
    shown: Counter[str] = Counter()
    for call in calls:
        odds = quoted.log_odds(call.inputs, call.company)
        chosen = {
            "rule": windows.most_telling(call.contents, call.costs, room),
            "quoted": windows.most_quoted(odds, call.figures, call.costs, room),
            "call": range(len(call.costs)),
        }
        for name, indexes in chosen.items():
            shown[name] += len(set().union(*(call.states[i] for i in indexes)))
    n = sum(call.n_figures for call in calls)
    return {name: count / n for name, count in shown.items()}


def main() -> None:
    """Fit the weights if asked, then measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--calls", type=int, default=1_000_000, help="calls to read at most")
    parser.add_argument("--rooms", type=int, nargs="+", default=[505], help="tokens of an excerpt")
    parser.add_argument("--fit", action="store_true", help="write finllm/instruct/quoted.tsv")
    given = parser.parse_args()
    params = load_params(Path("params.yaml"))
    tokenizer = load_tokenizer(base_folder(params.model), revision=params.model.revision)
    lexicon = Lexicons(params.filter.lexicon).of(ENGLISH)
    calls = [
        prepared(call, tokenizer, lexicon) for call in read_calls(given.folder, given.calls, seed=7)
    ]
    if given.fit:
        write(fit(calls))
        quoted.load_weights.cache_clear()
    found = {room: recall(calls, room) for room in given.rooms}
    print(f"{len(calls)} calls\n{'tokens':>8}{'rule':>8}{'quoted':>8}{'call':>8}")
    for room, shares in found.items():
        print(f"{room:8}" + "".join(f"{shares[name]:8.3f}" for name in ("rule", "quoted", "call")))
    kept = len(quoted.load_weights())
    print(json.dumps({"calls": len(calls), "inputs": kept, "recall": found}))


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    main()
