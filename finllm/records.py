"""Records that the stages exchange, as frozen dataclasses stored as JSON lines."""

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
FREE = "free"  # value of ``asked`` for answers that were written without the decoding rules
METRICS = LEXICAL + SEMANTIC + DOMAIN  # in the order of every table; in 0 to 1, higher is better
NO_SOURCE = "none"  # data.transfer_source without a second source
COSTS = ("cost", "timing", "provenance")  # keys that write_metrics writes to a separate file
OPTIONAL = ("ticker", "date", "layout", "language")  # of a Transcript: written only if known
PROVENANCES = ("human", "synthetic", "continuation", "derived")


@dataclass(frozen=True)
class Turn:
    """Speaker turn: the uninterrupted words of one speaker."""

    speaker: str
    role: str  # one of ROLES
    section: str  # one of SECTIONS
    text: str


@dataclass(frozen=True)
class Transcript:
    """Earnings call as a sequence of speaker turns."""

    id: str
    company: str
    period: str  # "2021Q3"; empty if unknown
    sector: str  # empty if unknown
    source: str
    turns: tuple[Turn, ...]
    summary: str | None  # bullets, one per line; None if the source has no summary
    provenance: str = "human"  # who wrote the words: "human", or "synthetic" for a generator
    ticker: str = ""  # empty if unknown, as are the next three
    date: str = ""  # of the call: "2023-10-25"
    layout: str = ""  # how the text names its speakers; if the source gives turns, "turns" or empty
    language: str = ""  # ISO 639 code; before cleaning, empty if the source does not give it

    @property
    def text(self) -> str:
        """Words of all turns, one paragraph per turn."""
        return "\n".join(turn.text for turn in self.turns)


@dataclass(frozen=True)
class Reject:
    """Rejected record, with its place in the source and the reason."""

    id: str
    file: str
    line: int  # 1-based; 0 if the whole file is meant
    reason: str  # a short code, such as "too_short"
    detail: str


@dataclass(frozen=True)
class Example:
    """One instruction with its excerpt and reference answer."""

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
    n_prompt_tokens: int  # 0 if they were not counted
    n_answer_tokens: int
    # character spans of the answer's figures that the excerpt does not state
    unstated: list[list[int]] = field(default_factory=list)


@dataclass(frozen=True)
class Prediction:
    """Answer of one model to one example."""

    example_id: str
    model: str
    text: str
    prompt_sha256: str
    n_prompt_tokens: int
    n_new_tokens: int
    hit_limit: bool  # stopped by the length limit, not by the end-of-turn token
    decoding: str = ""  # strategy, limit and batch plan; the same for all models compared
    weights_sha256: str = ""  # of the base model's files and of the tuned weights
    asked: str = ""  # "reworded" or "noise" if the prompt was changed, or FREE; else empty


@dataclass(frozen=True)
class ReferenceLoss:
    """Negative log-likelihood of one example's reference under one model, given the prompt."""

    example_id: str
    model: str
    n_tokens: int  # of the reference, including its end token
    nats: float  # summed over these tokens


@dataclass(frozen=True)
class Score:
    """Scores of one model on one example; None if a metric is not defined for the reference."""

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
    """Return a record as one line of JSON, with keys in field order.

    Equal records give equal bytes. Unknown fields of a transcript (``OPTIONAL``) are left out.
    """
    row = dataclasses.asdict(record)
    if isinstance(record, Transcript):
        row = {key: value for key, value in row.items() if value or key not in OPTIONAL}
    return json.dumps(row, ensure_ascii=False)


def transcript_from_dict(row: dict) -> Transcript:
    """Return the Transcript of a parsed row, the inverse of ``to_json``."""
    turns = tuple(Turn(**turn) for turn in row["turns"])
    return Transcript(**{**row, "turns": turns})


@dataclass(frozen=True)
class Line:
    """Unparsed line of a JSON-lines file, which another process may parse."""

    path: Path
    number: int  # from 1
    text: str

    def row(self) -> dict:
        """Parse the line and return its object.

        Raises
        ------
        ValueError
            If the line is not JSON; the message names the file and the line.
        """
        try:
            return json.loads(self.text)
        except json.JSONDecodeError as error:
            raise ValueError(f"{self.path}, line {self.number}: not JSON ({error})") from None

    def transcript(self) -> Transcript:
        """Parse the line as a transcript."""
        return transcript_from_dict(self.row())


def read_lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a JSON-lines file one at a time, unparsed."""
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            yield Line(path, number, line)


def read_jsonl(path: Path) -> Iterator[dict]:
    """Iterate over the rows of a JSON-lines file, one at a time.

    Raises
    ------
    ValueError
        If a line is not JSON; the message names the file and the line.
    """
    return (line.row() for line in read_lines(path))


def read_transcripts(path: Path) -> Iterator[Transcript]:
    """Iterate over the transcripts of a JSON-lines file, one at a time."""
    return (transcript_from_dict(row) for row in read_jsonl(path))


def read_examples(path: Path) -> list[Example]:
    """Read all examples of a JSON-lines file."""
    return [Example(**row) for row in read_jsonl(path)]


class ExampleFile:
    """File of examples that keeps only their keys in memory, about 400 bytes each.

    ``keys`` are the examples in order, with empty excerpts and answers.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.keys = [_key(row) for row in read_jsonl(path)]

    def lines(self, ids: Container[str]) -> Iterator[str]:
        """Iterate over the lines of the examples with these ids, in order."""
        return (line.text.rstrip("\n") for line in self._chosen(ids))

    def examples(self, ids: Container[str]) -> Iterator[Example]:
        """Iterate over the complete examples with these ids, one at a time and in order."""
        return (Example(**line.row()) for line in self._chosen(ids))

    def _chosen(self, ids: Container[str]) -> Iterator[Line]:
        lines = zip(self.keys, read_lines(self._path), strict=True)
        return (line for key, line in lines if key.id in ids)


def _key(row: dict) -> Example:
    row |= {"excerpt": "", "answer": ""}
    shared = {k: sys.intern(v) for k, v in row.items() if k != "id" and isinstance(v, str)}
    return Example(**row | shared)


def read_predictions(path: Path) -> list[Prediction]:
    """Read all predictions of a JSON-lines file."""
    return [Prediction(**row) for row in read_jsonl(path)]


def read_losses(path: Path) -> list[ReferenceLoss]:
    """Read all reference losses of a JSON-lines file."""
    return [ReferenceLoss(**row) for row in read_jsonl(path)]


def read_scores(path: Path) -> list[Score]:
    """Read all scores of a JSON-lines file."""
    return [Score(**row) for row in read_jsonl(path)]


def write_text(path: Path, text: str) -> None:
    """Write a text file under a temporary name, then rename it: readers never see half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table as comma-separated text with LF line endings; None becomes an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def finite(row: Mapping[str, object]) -> dict[str, object]:
    """Return a row without its NaNs and infinities, which JSON cannot represent.

    >>> finite({"n": 3, "low": float("nan")})
    {'n': 3}
    """
    return {k: x for k, x in row.items() if not isinstance(x, float) or math.isfinite(x)}


def write_jsonl(path: Path, records: Iterable[object]) -> int:
    """Write records, one per line, all or none of them; return their number."""
    return write_lines(path, map(to_json, records))


def write_lines(path: Path, lines: Iterable[str]) -> int:
    """Write lines that are JSON already, all or none of them; return their number."""
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
    """Return the content of a JSON file.

    Raises
    ------
    ValueError
        If it is not JSON; the message names the file and ends with the remedy ``mend``, if given.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON ({error}){mend and f'; {mend}'}") from None


def write_json(path: Path, value: object) -> None:
    """Write JSON with sorted keys and full precision; raise ValueError for NaN and infinity."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def write_metrics(details: Path, costs: Path, found: Mapping[str, object]) -> None:
    """Write the metrics of a stage to one file and its costs to another.

    The values of the keys in ``COSTS``, such as seconds, memory and tokens per second, differ
    between runs. Without them, the same code, data and parameters give the same bytes.
    """
    write_json(details, {key: value for key, value in found.items() if key not in COSTS})
    write_json(costs, {key: value for key, value in found.items() if key in COSTS})
