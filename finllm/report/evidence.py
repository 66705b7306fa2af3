"""Inputs of the report, read from the outputs of the stages."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from finllm.records import (
    Example,
    Prediction,
    Score,
    read_examples,
    read_json,
    read_predictions,
    read_scores,
)
from finllm.report.candidate import metrics_with_candidate, with_candidate
from finllm.report.studies import StudyResult, read_studies

STAGES = (
    "clean",
    "filter",
    "templatize",
    "split",
    "train",
    "prefer",
    "predict_base",
    "predict_fewshot",
    "predict_tuned",
    "predict_preferred",
    "evaluate",
    "significance",
    "bayes_stats",
    "ratings",
)


@dataclass(frozen=True)
class Evidence:
    """Metrics by stage, plotted series, and the scores, examples and answers of the run."""

    metrics: Mapping[str, Mapping]  # by the names in STAGES
    curves: Mapping[str, Sequence[tuple[float, float]]]  # train_loss, ...: (step, value)
    posterior: Sequence[tuple[float, float]]  # (bin centre, density); empty without a posterior
    gradient_by_layer: Sequence[Mapping[str, float]]  # layer, first, median, last
    corpus: Mapping[str, Sequence[Mapping[str, float]]]  # rows of plots/corpus/NAME.csv, by NAME
    scores: Sequence[Score]
    examples: Sequence[Example]  # of the test set
    base: Sequence[Prediction]
    tuned: Sequence[Prediction]
    studies: Sequence[StudyResult] = ()


def read_evidence(
    *,
    metrics: Path,
    plots: Path,
    scores: Path,
    examples: Path,
    base: Path,
    compared: Path,
    studies: Path,
    candidate: str,
) -> Evidence:
    """Read the inputs of the report from the files and folders of the other stages.

    ``compared`` has the answers of ``candidate``, the model that the verdict is about; scores and
    metrics name it ``tuned``.

    Raises
    ------
    ValueError
        If a metrics file is missing, or a file is not JSON; the message names it.
    """
    training = plots / "training"
    return Evidence(
        metrics=metrics_with_candidate(read_metrics(metrics), candidate),
        curves=read_curves(training),
        posterior=read_series(plots / "posterior.csv"),
        gradient_by_layer=read_rows(training / "gradient_by_layer.csv"),
        corpus=read_corpus(plots / "corpus"),
        scores=with_candidate(read_scores(scores), candidate),
        examples=read_examples(examples),
        base=read_predictions(base),
        tuned=read_predictions(compared),
        studies=read_studies(studies),
    )


def read_metrics(folder: Path) -> dict[str, dict]:
    """Read the details and, if present, the costs of every stage except the report.

    Raises
    ------
    ValueError
        If the details are missing, or either file is not JSON; the message names the file.
    """
    found = {}
    for stage in STAGES:
        details, costs = (folder / kind / f"{stage}.json" for kind in ("details", "costs"))
        if not details.is_file():
            raise ValueError(f"{details}: no such file; run `dvc repro`")
        found[stage] = {**(read_json(costs) if costs.is_file() else {}), **read_json(details)}
    return found


def read_series(path: Path) -> list[tuple[float, float]]:
    """Read the rows of a two-column CSV or TSV file with a header; empty without the file."""
    if not path.is_file():
        return []
    delimiter = "\t" if path.suffix == ".tsv" else ","
    with open(path, newline="", encoding="utf-8") as file:
        return [(float(x), float(y)) for x, y in list(csv.reader(file, delimiter=delimiter))[1:]]


def read_rows(path: Path) -> list[dict[str, float]]:
    """Read the rows of a CSV file of numbers by the names in its header; empty without the file."""
    if not path.is_file():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return [{name: float(x) for name, x in row.items()} for row in csv.DictReader(file)]


def read_corpus(folder: Path) -> dict[str, list[dict[str, float]]]:
    """Read the plots of the filter stage, by name."""
    return {path.stem: read_rows(path) for path in sorted(folder.glob("*.csv"))}


def read_curves(folder: Path) -> dict[str, list[tuple[float, float]]]:
    """Read the training curves written by DVCLive; a missing curve is empty."""
    files = {
        "train_loss": "train/loss_nats",
        "val_loss": "val/loss_nats",
        "gradient_norm": "train/gradient_norm",
    }
    return {
        name: read_series(folder / "plots" / "metrics" / f"{file}.tsv")
        for name, file in files.items()
    }
