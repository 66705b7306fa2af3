"""Storage of ratings: one file per rater, one line per click, saved before the response."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from finllm.records import to_json

CRITERIA = ("accuracy", "completeness", "usefulness", "fluency")
PREFERENCE = "preference"
POINTS = (1, 2, 3, 4, 5)
CHOICES = ("A", "B", "tie")
RATER = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


@dataclass(frozen=True)
class Click:
    """One answer to one question about one pair of answers."""

    rater: str
    example_id: str
    question: str  # one of CRITERIA, or PREFERENCE
    answer: str  # the rated answer, "A" or "B"; empty for the preference
    value: int | str  # one of POINTS; for the preference one of CHOICES
    a_model: str  # the model shown as A: "base" or "tuned"
    pair_sha256: str  # of the two texts, to recognise ratings of other answers
    time: str  # UTC, ISO 8601


def rater_name(text: str) -> str:
    """Return a rater's name as a file name: trimmed, in lower case.

    Raises
    ------
    ValueError
        If it is not 1 to 32 characters of ``a-z 0-9 - _``, the first a letter or digit. So no name
        can be a path.
    """
    name = text.strip().lower()
    if not RATER.fullmatch(name):
        raise ValueError(
            f"the rater's name is {text!r}; 1 to 32 letters a-z, digits, - and _ are allowed, "
            "a letter or a digit first"
        )
    return name


def check(click: Click) -> Click:
    """Return the click unchanged if it is valid.

    Raises
    ------
    ValueError
        If a field has a value that the page does not offer; the message names the field and the
        allowed values.
    """
    preference = click.question == PREFERENCE
    allowed = {
        "question": (*CRITERIA, PREFERENCE),
        "answer": ("",) if preference else ("A", "B"),
        "value": CHOICES if preference else POINTS,
        "a_model": ("base", "tuned"),
    }
    for field, values in allowed.items():
        value = vars(click)[field]
        if isinstance(value, bool) or value not in values:
            raise ValueError(f"{field} is {value!r}; one of {', '.join(map(str, values))}")
    if rater_name(click.rater) != click.rater:
        raise ValueError(f"rater is {click.rater!r}; names are in lower case")
    return click


def append(folder: Path, click: Click) -> None:
    """Write a click to its rater's file and wait until it is on the disk.

    An incomplete last line, left by a crash, is removed first. Once this function returns, the
    click survives a power failure.

    Raises
    ------
    ValueError
        If the click is not valid, see ``check``.
    OSError
        If it cannot be written completely.
    """
    path = folder / f"{check(click).rater}.jsonl"
    is_new = not path.exists()
    folder.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b", buffering=0) as file:
        file.seek(0)
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)
        line = to_json(click).encode() + b"\n"
        if file.write(line) != len(line):
            raise OSError(f"{path}: the click was not written whole; is the disk full?")
        os.fsync(file.fileno())
    if is_new and os.name == "posix":  # a new file's name is safe once its folder is synced
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_clicks(path: Path) -> list[Click]:
    """Read a rater's clicks, oldest first; ignore an incomplete last line, left by a crash.

    Raises
    ------
    ValueError
        If a complete line is not a click, or belongs to another rater; the message names file and
        line.
    """
    if not path.is_file():
        return []
    content = path.read_bytes()
    clicks = []
    for number, line in enumerate(content[: content.rfind(b"\n") + 1].splitlines(), 1):
        try:
            click = check(Click(**json.loads(line)))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}, line {number}: not a rating ({error})") from None
        if click.rater != path.stem:
            raise ValueError(f"{path}, line {number}: rater is {click.rater!r}, not {path.stem!r}")
        clicks.append(click)
    return clicks


def read_folder(folder: Path) -> list[Click]:
    """Read all raters' clicks, rater by rater; an empty list if the folder has no ``*.jsonl``."""
    return [click for path in sorted(folder.glob("*.jsonl")) for click in read_clicks(path)]


def latest(clicks: Sequence[Click]) -> list[Click]:
    """Return the last click of each rater on each question about each pair of answers."""
    found: dict[tuple[str, ...], Click] = {}
    for click in clicks:
        key = (click.rater, click.example_id, click.pair_sha256, click.question, click.answer)
        found[key] = click
    return list(found.values())


def model_points(click: Click) -> tuple[str, int]:
    """Return the model that got the points, "base" or "tuned", and the points."""
    other = {"base": "tuned", "tuned": "base"}[click.a_model]
    return (click.a_model if click.answer == "A" else other), int(click.value)


def tuned_preferred(click: Click) -> float:
    """Return 1 if the tuned model's answer was preferred, 0 if the base's, 0.5 for a tie."""
    if click.value == "tie":
        return 0.5
    return float((click.value == "A") == (click.a_model == "tuned"))
