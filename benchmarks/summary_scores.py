"""Compute the scores used in publications on earnings-call summaries, for a file of answers.

    python -m finllm predict --input CALLS --output answers.jsonl
    python -m benchmarks.summary_scores answers.jsonl data/raw/ectsum

The folder is a source with a ``source.yaml`` whose calls have summaries; each answer is compared
with the summary of the call that has its id. ROUGE is computed by rouge_score with its stemmer, and
averaged over calls. Number recall is the share of the figures in all summaries that the answers
state; number precision is the share of the figures in all answers that the calls state. Both allow
for rounding (``finllm.numbers.support``).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from finllm.corpus.sources import read_source
from finllm.numbers.support import stated_figures, support
from finllm.records import Transcript, read_jsonl
from finllm.scoring.lexical import rouge

ROUGE = ("rouge1", "rouge2", "rougeL", "rougeLsum")
COLUMNS = (*ROUGE, "number_recall", "number_precision", "words", "lines")


@dataclass(frozen=True)
class Summary:
    """An answer, its human-written reference and the source text."""

    answer: str
    reference: str
    source: str


def scores(rows: Sequence[Summary]) -> dict[str, float]:
    """Return the figures of ``COLUMNS``, by name."""
    by_call = [rouge(row.answer, row.reference) for row in rows]
    found = {name: sum(one[name] for one in by_call) / len(rows) for name in ROUGE}
    recall = [support(row.reference, stated_figures(row.answer)) for row in rows]
    precision = [support(row.answer, stated_figures(row.source)) for row in rows]
    for name, parts in (("number_recall", recall), ("number_precision", precision)):
        n = sum(part.n_figures for part in parts)
        found[name] = sum(part.n_supported for part in parts) / max(1, n)
    found["words"] = sum(len(row.answer.split()) for row in rows) / len(rows)
    found["lines"] = sum(len(row.answer.strip().split("\n")) for row in rows) / len(rows)
    return found


def table(named: Iterable[tuple[str, dict[str, float]]]) -> str:
    """Return a table with one line per system."""
    heads = ("R1", "R2", "RL", "RLsum", "recall", "precision", "words", "lines")
    lines = [f"{'':<20}" + "".join(f"{head:>10}" for head in heads)]
    for name, found in named:
        cells = (f"{found[key]:10.3f}" if i < 6 else f"{found[key]:10.1f}"
                 for i, key in enumerate(COLUMNS))  # fmt: skip
        lines.append(f"{name:<20}" + "".join(cells))
    return "\n".join(lines)


def main() -> None:
    """Score a file of answers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("answers", type=Path, help="JSON lines with id and text")
    parser.add_argument("folder", type=Path, help="the calls with their summaries")
    given = parser.parse_args()
    texts = {row["id"]: row["text"] for row in read_jsonl(given.answers)}
    calls = [
        call
        for call in read_source(given.folder)
        if isinstance(call, Transcript) and call.summary and call.id in texts
    ]
    if not calls:
        raise SystemExit(f"{given.answers}: no id of a call in {given.folder}")
    found = scores([Summary(texts[call.id], call.summary, call.text) for call in calls])
    print(f"{len(calls)} calls\n{table([(given.answers.stem, found)])}")
    print(json.dumps({"calls": len(calls), **found}))


if __name__ == "__main__":
    main()
