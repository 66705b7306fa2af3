"""How often metrics prefer a human summary to a corrupted copy, for use as a study's command.

    python -m benchmarks.study_wins domain 7 wins.jsonl

Writes one JSON line per call and error: the share of pairs (a rewording and the error) in which the
metric is higher for the rewording, with a tie counted as half, as in the area under a ROC curve,
averaged over the metrics of a group. The seed draws the errors and rewordings. There is one call
per company: from ECTSum's validation set if there is a copy in data/raw/ectsum/calls, otherwise
from the calls that the filter kept, whose summaries were generated.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.metric_meta import corrupted, read_folder, reworded
from finllm.commands.study.measure import line
from finllm.records import METRICS, SEMANTIC, read_transcripts, write_lines
from finllm.scoring import score_example
from finllm.settings.params import load_params

ECTSUM = Path("data/raw/ectsum/calls/val")
KEPT = Path("data/filter/kept.jsonl")
GROUPS = {
    "domain": ("term_recall", "number_accuracy", "coherence"),
    "general": ("rouge1", "rouge2", "rougeL", "bleu", "word_overlap", "bertscore", "similarity"),
}
Texts = dict[str, tuple[str, str]]  # name: (summary, call)


def read_calls(limit: int) -> tuple[Texts, dict[str, str]]:
    """Return the first call of each company, and the company of each call, by call name.

    Raises
    ------
    ValueError
        If there are no calls.
    """
    if ECTSUM.is_dir():
        texts = read_folder(ECTSUM, 0)
        companies = {name: name.rsplit("_", 2)[0] for name in texts}
    elif KEPT.is_file():
        calls = [call for call in read_transcripts(KEPT) if call.summary]
        texts = {call.id: (call.summary or "", call.text) for call in calls}
        companies = {call.id: call.company for call in calls}
    else:
        raise ValueError(f"{ECTSUM} and {KEPT}: no such files; run `dvc repro filter` first")
    first = {company: name for name, company in reversed(companies.items())}
    names = sorted(first.values())[:limit]
    return {name: texts[name] for name in names}, companies


def scored(texts: Texts, seed: int, metrics: list[str]) -> dict[tuple[str, str, str], np.ndarray]:
    """Return all metrics of each candidate, by call, kind (reworded, error) and edit name."""
    rows = {}
    for name, (summary, call) in texts.items():
        for kind, text in reworded(name, summary, call, seed).items():
            rows[name, "reworded", kind] = text
        for kind, text in corrupted(name, texts, seed).items():
            rows[name, "error", kind] = text
    columns = {metric: [] for metric in metrics}
    for (name, _, _), text in rows.items():
        found = score_example(text, *texts[name])
        for metric in set(metrics) - set(SEMANTIC):
            columns[metric].append(found[metric])
    if set(metrics) & set(SEMANTIC):
        from finllm.scoring.semantic import encoder_folder, semantic_scores

        p = load_params(Path("params.yaml")).evaluate
        found = semantic_scores(
            list(rows.values()),
            [texts[name][0] for name, _, _ in rows],
            encoder=encoder_folder(p.encoder, package=p.encoder_package),
            layer=p.encoder_layer,
            batch_size=p.encoder_batch_size,
        )
        of = {"bertscore": found.bertscore, "similarity": found.similarity}
        columns |= {metric: of[metric] for metric in metrics if metric in of}
    return dict(zip(rows, np.array([columns[metric] for metric in metrics]).T, strict=True))


def wins(texts: Texts, companies: dict[str, str], seed: int, metrics: list[str]) -> list[str]:
    """Return one line per call and error."""
    values = scored(texts, seed, metrics)
    lines = []
    for (name, kind, error), bad in values.items():
        good = [v for (other, what, _), v in values.items() if (other, what) == (name, "reworded")]
        if kind == "error" and good:
            above = [(one > bad) + 0.5 * (one == bad) for one in good]
            lines.append(line(f"{name}: {error}", companies[name], float(np.mean(above))))
    return lines


def main() -> None:
    """Corrupt, reword and score the summaries, and count the wins."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("metrics", choices=(*GROUPS, *METRICS), metavar="METRIC_OR_GROUP")
    parser.add_argument("seed", type=int)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--calls", type=int, default=30, help="maximum number of calls, one per company"
    )
    args = parser.parse_args()
    texts, companies = read_calls(args.calls)
    metrics = list(GROUPS.get(args.metrics, (args.metrics,)))
    write_lines(args.out, wins(texts, companies, args.seed, metrics))


if __name__ == "__main__":
    main()
