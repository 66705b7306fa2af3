"""Records that the stages exchange: frozen dataclasses, stored as JSON lines."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import os
import sys
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROLES = ("operator", "executive", "analyst", "unknown")
SECTIONS = ("prepared", "qa", "unknown")
LEXICAL = ("rouge1", "rouge2", "rougeL", "rougeLsum", "bleu", "chrf", "word_overlap")
SEMANTIC = ("bertscore", "similarity")
DOMAIN = ("term_recall", "term_precision", "number_accuracy", "coherence", "composite")
FREE = "free"  # asked of answers that were written without the rules of decoding
METRICS = LEXICAL + SEMANTIC + DOMAIN  # in the order of every table; in 0 to 1, higher is better
NO_SOURCE = "none"  # data.transfer_source where there is no second source
COSTS = ("cost", "timing", "provenance")  # of a stage's metrics, told apart by write_metrics
OPTIONAL = ("ticker", "date", "layout", "language")  # of a Transcript: written only where known
PROVENANCES = ("human", "synthetic", "continuation", "derived")


@dataclass(frozen=True)
class Turn:
    """One speaker's uninterrupted words."""

    speaker: str
    role: str  # one of ROLES
    section: str  # one of SECTIONS
    text: str


@dataclass(frozen=True)
class Transcript:
    """One earnings call."""

    id: str
    company: str
    period: str  # "2021Q3"; empty where unknown
    sector: str  # empty where unknown
    source: str
    turns: tuple[Turn, ...]
    summary: str | None  # bullets, one a line; None where the source has none
    provenance: str = "human"  # of its words: "human", or "synthetic" where a generator wrote them
    ticker: str = ""  # empty where unknown, as are the next three
    date: str = ""  # of the call: "2023-10-25"
    layout: str = ""  # how the text named its speakers; empty where the source itself gives turns
    language: str = ""  # ISO 639 code; empty before cleaning, where the source does not say

    @property
    def text(self) -> str:
        """The words of all turns, a turn per paragraph."""
        return "\n".join(turn.text for turn in self.turns)


@dataclass(frozen=True)
class Reject:
    """A record that went no further: where it was and why."""

    id: str
    file: str
    line: int  # 1-based; 0 where the whole file is meant
    reason: str  # a short code, such as "too_short"
    detail: str


@dataclass(frozen=True)
class Example:
    """One instruction: what the model is asked, and what it should have answered."""

    id: str
    transcript_id: str
    company: str
    period: str
    sector: str
    source: str
    template: str
    provenance: str  # one of PROVENANCES
    instruction: str
    excerpt: str  # the part of the call that the prompt shows
    answer: str
    n_prompt_tokens: int  # 0 where they were not counted
    n_answer_tokens: int
    # spans of the answer's characters: figures that the excerpt does not state
    unstated: list[list[int]] = field(default_factory=list)


@dataclass(frozen=True)
class Prediction:
    """One model's answer to one example."""

    example_id: str
    model: str
    text: str
    prompt_sha256: str
    n_prompt_tokens: int
    n_new_tokens: int
    hit_limit: bool  # stopped by the length limit and not by the end-of-turn token
    decoding: str = ""  # strategy, limit and batch plan: models are compared under the same
    weights_sha256: str = ""  # of the base model's files, and of what was tuned
    asked: str = ""  # "reworded", "noise": the prompt is not the example's own; or FREE


@dataclass(frozen=True)
class ReferenceLoss:
    """How unlikely one model finds the reference of one example, behind the example's prompt."""

    example_id: str
    model: str
    n_tokens: int  # of the reference, with the token that ends it
    nats: float  # summed over these tokens


@dataclass(frozen=True)
class Score:
    """One model's scores on one example; None if a metric is not defined for the reference."""

    example_id: str
    model: str
    split: str  # "test" or "transfer"
    company: str
    sector: str
    period: str
    template: str
    provenance: str
    values: dict[str, float | None]


def to_json(record: object) -> str:
    """One line of JSON, keys in field order, so that equal records give equal bytes.

    What a transcript's source does not say (``OPTIONAL``) has no key.
    """
    row = dataclasses.asdict(record)
    if isinstance(record, Transcript):
        row = {key: value for key, value in row.items() if value or key not in OPTIONAL}
    return json.dumps(row, ensure_ascii=False)


def transcript_from_dict(row: dict) -> Transcript:
    """The inverse of ``to_json`` for a Transcript."""
    turns = tuple(Turn(**turn) for turn in row["turns"])
    return Transcript(**{**row, "turns": turns})


@dataclass(frozen=True)
class Line:
    """A line of a JSON-lines file that another process may parse."""

    path: Path
    number: int  # from 1
    text: str

    def row(self) -> dict:
        """The object on the line.

        Raises
        ------
        ValueError
            If the line is not JSON; names the file and the line.
        """
        try:
            return json.loads(self.text)
        except json.JSONDecodeError as error:
            raise ValueError(f"{self.path}, line {self.number}: not JSON ({error})") from None

    def transcript(self) -> Transcript:
        """The call on the line."""
        return transcript_from_dict(self.row())


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a JSON-lines file, one at a time, not yet parsed."""
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            yield Line(path, number, line)


def read_jsonl(path: Path) -> Iterator[dict]:
    """The rows of a JSON-lines file, one at a time.

    Raises
    ------
    ValueError
        If a line is not JSON; names the file and the line.
    """
    return (line.row() for line in read_lines(path))


def read_transcripts(path: Path) -> Iterator[Transcript]:
    """The transcripts of a JSON-lines file, one at a time."""
    return (transcript_from_dict(row) for row in read_jsonl(path))


def read_examples(path: Path) -> list[Example]:
    """The examples of a JSON-lines file."""
    return [Example(**row) for row in read_jsonl(path)]


class ExampleFile:
    """A file of examples of which only the keys are in memory, some 400 bytes each.

    ``keys`` are its examples in order, without excerpts and answers.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.keys = [_key(row) for row in read_jsonl(path)]

    def lines(self, ids: Container[str]) -> Iterator[str]:
        """The lines of the examples with these ids, in order."""
        return (line.text.rstrip("\n") for line in self._chosen(ids))

    def examples(self, ids: Container[str]) -> Iterator[Example]:
        """The examples with these ids, whole, one at a time and in order."""
        return (Example(**line.row()) for line in self._chosen(ids))

    def _chosen(self, ids: Container[str]) -> Iterator[Line]:
        lines = zip(self.keys, read_lines(self._path), strict=True)
        return (line for key, line in lines if key.id in ids)


def _key(row: dict) -> Example:
    row |= {"excerpt": "", "answer": ""}
    shared = {k: sys.intern(v) for k, v in row.items() if k != "id" and isinstance(v, str)}
    return Example(**row | shared)


def read_predictions(path: Path) -> list[Prediction]:
    """The predictions of a JSON-lines file."""
    return [Prediction(**row) for row in read_jsonl(path)]


def read_losses(path: Path) -> list[ReferenceLoss]:
    """The reference losses of a JSON-lines file."""
    return [ReferenceLoss(**row) for row in read_jsonl(path)]


def read_scores(path: Path) -> list[Score]:
    """The scores of a JSON-lines file."""
    return [Score(**row) for row in read_jsonl(path)]


def write_text(path: Path, text: str) -> None:
    """Write to a temporary name, then rename: a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as comma-separated text, its lines ended by LF; None is an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def finite(row: Mapping[str, object]) -> dict[str, object]:
    """A row without its NaNs and infinities, which JSON does not have.

    >>> finite({"n": 3, "low": float("nan")})
    {'n': 3}
    """
    return {k: x for k, x in row.items() if not isinstance(x, float) or math.isfinite(x)}


def write_jsonl(path: Path, records: Iterable[object]) -> int:
    """Write records one a line, whole or not at all; the number of records."""
    return write_lines(path, map(to_json, records))


def write_lines(path: Path, lines: Iterable[str]) -> int:
    """Write lines that are JSON already, whole or not at all; the number of lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    count = 0
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            for line in lines:
                file.write(line + "\n")
                count += 1
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return count


def read_json(path: Path, *, mend: str = "") -> Any:
    """The content of a JSON file.

    Raises
    ------
    ValueError
        If it is not JSON; names the file, and says what to do where ``mend`` says it.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON ({error}){mend and f'; {mend}'}") from None


def write_json(path: Path, value: object) -> None:
    """Write JSON with sorted keys and full precision; NaN and infinity are errors."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def write_metrics(details: Path, costs: Path, found: Mapping[str, object]) -> None:
    """Write the metrics of a stage to one file, and its costs to another.

    The keys in ``COSTS`` hold seconds, memory and tokens per second, which differ between runs;
    without them the same code, data and parameters give the same bytes.
    """
    write_json(details, {key: value for key, value in found.items() if key not in COSTS})
    write_json(costs, {key: value for key, value in found.items() if key in COSTS})
