"""Score answers from any source against references, compared with baselines."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from finllm.commands.files import rows_in
from finllm.corpus import readers
from finllm.corpus.detection import detect
from finllm.corpus.sources import read_described
from finllm.instruct import templates
from finllm.instruct.examples import example_of
from finllm.records import (
    METRICS,
    SEMANTIC,
    Example,
    Reject,
    Transcript,
    read_examples,
    read_jsonl,
)
from finllm.runtime.parallel import map_batches, n_cores
from finllm.scoring import baselines, score_example
from finllm.scoring.example import SIGNATURES
from finllm.settings.params import Evaluate
from finllm.stats import rounding
from finllm.stats.resampling import bootstrap_ci
from finllm.stats.subgroups import MIN_CLUSTERS

PREDICTIONS = "predictions"  # the name of the scored file's column
BATCH = 8  # examples per task of a worker; all answers to a call go together, so it is read once
CONFIDENCE = 0.95

Values = dict[str, dict[str, np.ndarray]]  # by column and metric, shape (n_references,)


@dataclass(frozen=True)
class Estimate:
    """A mean over examples; the bounds are None with fewer than ``MIN_CLUSTERS`` companies."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Outside:
    """The scores of a file of predictions and of the baselines."""

    table: dict[str, dict[str, Estimate]]  # by column and metric
    counts: dict[str, int]
    signatures: dict[str, str]
    seconds: float


def score_predictions(
    predictions: Path,
    *,
    references: Path,
    sources: Path,
    train: Path,
    template: str,
    semantic: bool,
    evaluate: Evaluate,
) -> Outside:
    """Score the answer to each reference, and the answers of the baselines.

    A reference is a file ``<id>.txt`` in the folder or in its ``gt_summaries``; its source is the
    transcript with this id, in a folder that ``finllm.corpus.detection.detect`` can read. A missing
    or empty answer scores 0 and is counted. If ``train`` is missing, the baselines that copy a
    training answer are left out. The neural metrics are computed only if ``semantic`` is true.

    Raises
    ------
    ValueError
        If a prediction has no reference, two have the same id, a reference has no source, or a
        folder has no texts; the message names them.
    """
    if template not in templates.TEMPLATES:
        raise ValueError(f"template {template!r}; allowed: {', '.join(templates.TEMPLATES)}")
    started = time.perf_counter()
    wanted = read_references(references)
    said = read_answers(predictions)
    _refuse(said.keys() - wanted.keys(), f"{predictions}: no reference in {references} for id")
    calls = read_calls(sources, wanted.keys())
    examples = [_example(calls[key], template, wanted[key]) for key in sorted(wanted)]
    texts = {PREDICTIONS: [said.get(e.transcript_id, "") for e in examples]}
    texts |= baseline_texts(
        examples, _training_examples(train) if train.exists() else [], evaluate.seed
    )
    values = light_values(examples, texts)
    signatures, n_truncated = dict(SIGNATURES), 0
    if semantic:
        n_truncated, signatures["semantic"] = _add_semantic(values, examples, texts, evaluate)
    companies = [example.company or example.id for example in examples]
    counts = {
        "references": len(examples),
        "companies": len(set(companies)),
        "missing": len(wanted.keys() - said.keys()),
        "empty": sum(not text.strip() for text in said.values()),
    }
    if semantic:
        counts["texts_longer_than_the_encoder_reads"] = n_truncated
    table = {
        name: {
            metric: _estimate(columns[metric], companies, evaluate)
            for metric in METRICS
            if metric in columns
        }
        for name, columns in values.items()
    }
    return Outside(table, counts, signatures, time.perf_counter() - started)


def read_answers(path: Path) -> dict[str, str]:
    """Read the text of each id in a JSON Lines file; a text that is null or missing is empty.

    Raises
    ------
    ValueError
        If the file is missing, a line is not an object with an ``id``, a text is not a string, or
        an id occurs twice.
    """
    found: dict[str, str] = {}
    n_lines: Counter[str] = Counter()
    what = "JSON objects with id and text, one per line"
    for number, row in enumerate(rows_in(read_jsonl, path, what), 1):
        key = row.get("id") if isinstance(row, dict) else None
        if not isinstance(key, str) or not key:
            raise ValueError(
                f"{path}, line {number}: it must be a JSON object with id and text, such as "
                '{"id": "ACME_q3_2023", "text": "..."}'
            )
        text = row.get("text")
        if not isinstance(text, str | None):
            raise ValueError(f"{path}, line {number}: text of {key} is {text!r}; must be a string")
        found[key] = text or ""
        n_lines[key] += 1
    _refuse({key for key, n in n_lines.items() if n > 1}, f"{path}: more than one line for id")
    return found


def _training_examples(path: Path) -> list[Example]:
    return list(rows_in(read_examples, path, "examples of the stage `split`"))


def read_references(folder: Path) -> dict[str, str]:
    """Read the files ``<id>.txt`` in a folder, or in its ``gt_summaries`` if it has one.

    Raises
    ------
    ValueError
        If there is no such file, or a file cannot be read or is empty; the message names it.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; expected one reference <id>.txt per call")
    below = folder / "gt_summaries"
    paths = sorted((below if below.is_dir() else folder).glob("*.txt"))
    if not paths:
        raise ValueError(f"{folder}: no references; expected <id>.txt, or gt_summaries/<id>.txt")
    found = {}
    for path in paths:
        text = readers.read_text_file(path, encoding="utf-8")
        if isinstance(text, Reject):
            raise ValueError(f"{path}: {text.reason}: {text.detail}")
        found[path.stem] = text.strip()
    return found


def read_calls(folder: Path, ids: AbstractSet[str]) -> dict[str, Transcript]:
    """Read the transcripts with these ids; other transcripts in the folder are ignored.

    Raises
    ------
    ValueError
        If an id has no transcript; the message names it and says why its file could not be read.
    """
    found: dict[str, Transcript] = {}
    reasons: dict[str, str] = {}
    for record in read_described(detect(folder)):
        if isinstance(record, Reject):
            reasons[record.id] = f" ({record.reason}: {record.detail})"
        elif record.id in ids:
            found[record.id] = record
    missing = {f"{key}{reasons.get(key, '')}" for key in ids - found.keys()}
    _refuse(missing, f"{folder}: no source for the reference")
    return found


def baseline_texts(
    examples: Sequence[Example], train: Sequence[Example], seed: int
) -> dict[str, list[str]]:
    """Return the baselines' answers by name; a baseline without any answer is left out.

    Like ``baselines.baseline_answers``, but counts the figures of whole calls on all cores.
    """
    batches = map_batches(_densest, examples, n_workers=n_cores(), batch_size=BATCH)
    dense = [text for batch in batches for text in batch]
    rng = np.random.default_rng(seed)
    nearest = baselines.nearest_training_answers(examples, train)
    own = baselines.nearest_company_answers(examples, train)
    found = {
        "lead": [baselines.lead(example) for example in examples],
        "dense": dense,
        "random": list(baselines.random_training_answers(examples, train, rng=rng).values()),
        "nearest": [nearest[example.id] for example in examples],
    }
    if own:
        found["nearest_company"] = [
            own.get(example.id, nearest[example.id]) for example in examples
        ]
    return {name: texts for name, texts in found.items() if any(texts)}


def _densest() -> Callable[[list[Example]], list[str]]:
    return lambda batch: [baselines.number_dense_lead(example) for example in batch]


def light_values(examples: Sequence[Example], texts: dict[str, list[str]]) -> Values:
    """Compute the metrics that need no neural model, on all cores."""
    rows = [
        (tuple(texts[name][i] for name in texts), example.answer, example.excerpt)
        for i, example in enumerate(examples)
    ]
    bar = tqdm(total=len(rows), desc="score", unit="call", disable=None)
    scored: list[list[dict[str, float]]] = []
    for batch in map_batches(_scorer, rows, n_workers=n_cores(), batch_size=BATCH):
        scored += batch
        bar.update(len(batch))
    bar.close()
    return {
        name: {metric: np.array([row[k][metric] for row in scored]) for metric in scored[0][k]}
        for k, name in enumerate(texts)
    }


def _scorer() -> Callable[[list[tuple[tuple[str, ...], str, str]]], list[list[dict[str, float]]]]:
    def score(batch: list[tuple[tuple[str, ...], str, str]]) -> list[list[dict[str, float]]]:
        return [
            [score_example(answer, reference, source) for answer in answers]
            for answers, reference, source in batch
        ]

    return score


def _add_semantic(
    values: Values, examples: Sequence[Example], texts: dict[str, list[str]], p: Evaluate
) -> tuple[int, str]:
    """Add the neural metrics; return the number of truncated texts and the signature."""
    from finllm.scoring.semantic import encoder_folder, semantic_scores, signature

    found = semantic_scores(
        [text for column in texts.values() for text in column],
        [example.answer for example in examples] * len(texts),
        encoder=encoder_folder(p.encoder, package=p.encoder_package),
        layer=p.encoder_layer,
        batch_size=p.encoder_batch_size,
    )
    for metric in SEMANTIC:
        columns = np.array(vars(found)[metric]).reshape(len(texts), len(examples))
        for name, column in zip(texts, columns, strict=True):
            values[name][metric] = column
    return found.n_truncated, signature(p.encoder, layer=p.encoder_layer)


def _estimate(values: np.ndarray, companies: Sequence[str], p: Evaluate) -> Estimate:
    """Return the mean and its studentised bootstrap interval over companies, clipped to [0, 1]."""
    if len(set(companies)) < MIN_CLUSTERS:
        return Estimate(float(values.mean()), None, None)
    found = bootstrap_ci(
        values,
        n_bootstrap=p.n_bootstrap,
        confidence=CONFIDENCE,
        clusters=companies,
        rng=np.random.default_rng(p.seed),
    )
    return Estimate(found.estimate, max(0.0, found.low), min(1.0, found.high))


def show(scores: Outside, *, width: int) -> str:
    """Return the table as text, one line per metric, with the counts above it.

    Columns that do not fit the width follow below, with the names of the metrics again.
    """
    counts = scores.counts
    metrics = list(scores.table[PREDICTIONS])
    first = ["", *metrics]
    columns = [
        [name, *(_cell(cells[metric]) for metric in metrics)]
        for name, cells in scores.table.items()
    ]
    lines = [
        f"{counts['references']} references of {counts['companies']} companies; scored 0: "
        f"{counts['missing']} without a prediction, {counts['empty']} empty",
        "mean [95% interval, companies resampled]"
        if counts["companies"] >= MIN_CLUSTERS
        else f"means; an interval needs at least {MIN_CLUSTERS} companies",
    ]
    for block in _blocks(first, columns, width):
        lines += ["", *block] if len(lines) > 2 else block
    return "\n".join(lines)


def _blocks(
    first: Sequence[str], columns: Sequence[Sequence[str]], width: int
) -> Iterator[list[str]]:
    """Yield the lines of as many columns as fit beside the first, at least one, until all are."""
    rest = list(columns)
    while rest:
        shown = [first]
        while rest and (len(shown) == 1 or _width([*shown, rest[0]]) <= width):
            shown.append(rest.pop(0))
        widths = [max(map(len, column)) for column in shown]
        yield [
            "  ".join(cell.ljust(n) for cell, n in zip(row, widths, strict=True)).rstrip()
            for row in zip(*shown, strict=True)
        ]


def _width(columns: Sequence[Sequence[str]]) -> int:
    return sum(max(map(len, column)) + 2 for column in columns) - 2


def _cell(one: Estimate) -> str:
    interval = "" if one.low is None else " " + rounding.interval(one.low, one.high)
    return (rounding.score(one.mean) + interval).translate(rounding.PLAIN)


def _example(call: Transcript, template: str, reference: str) -> Example:
    return example_of(
        call,
        id=call.id,
        template=template,
        provenance=call.provenance,
        instruction=templates.wordings(template)[0],
        excerpt=call.text,
        answer=reference,
        n_prompt_tokens=0,
        n_answer_tokens=0,
    )


def _refuse(ids: AbstractSet[str], what: str) -> None:
    if ids:
        more = f" and {len(ids) - 5} more" if len(ids) > 5 else ""
        raise ValueError(f"{what} {', '.join(sorted(ids)[:5])}{more}")
