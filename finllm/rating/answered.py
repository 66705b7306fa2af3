"""Answers to training examples that people rate, kept with the ratings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from finllm.rating.ballot import pair_hash
from finllm.records import read_jsonl, write_jsonl

FILE = Path("answers", "answers.jsonl")  # below the ratings' folder, whose files are raters'


@dataclass(frozen=True)
class Answered:
    """One training example with the answers of both models."""

    example_id: str
    prompt_sha256: str  # an example of this id may once have another prompt
    weights_sha256: str  # of the tuned model
    base: str
    tuned: str

    @property
    def sha256(self) -> str:
        """The hash that names the pair of answers in the clicks."""
        return pair_hash(self.example_id, self.base, self.tuned)


def read_answered(ratings: Path) -> list[Answered]:
    """The answers of a folder of ratings, oldest first; none where there is no file.

    Raises
    ------
    ValueError
        If a line is no such record; names the file.
    """
    file = ratings / FILE
    if not file.is_file():
        return []
    try:
        return [Answered(**row) for row in read_jsonl(file)]
    except TypeError as error:
        raise ValueError(f"{file}: not the answers of `finllm rate` ({error})") from None


def keep_answered(ratings: Path, more: Sequence[Answered]) -> None:
    """Add answers to those of the folder; the file is whole at any moment."""
    if more:
        (ratings / FILE).parent.mkdir(parents=True, exist_ok=True)
        write_jsonl(ratings / FILE, [*read_answered(ratings), *more])
