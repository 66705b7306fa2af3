"""Answers to training examples that people rate, saved with the ratings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from finllm.rating.ballot import pair_hash
from finllm.records import read_jsonl, write_jsonl

FILE = Path("answers", "answers.jsonl")  # a subfolder: each *.jsonl above it is a rater's


@dataclass(frozen=True)
class Answered:
    """One training example with the answers of both models."""

    example_id: str
    prompt_sha256: str  # an example with this id may later have another prompt
    weights_sha256: str  # of the tuned model
    base: str
    tuned: str
    base_cut: bool = False  # by the length limit; False in files from before this was saved
    tuned_cut: bool = False

    @property
    def sha256(self) -> str:
        """Hash that identifies the pair of answers in the clicks."""
        return pair_hash(self.example_id, self.base, self.tuned)


def read_answered(ratings: Path) -> list[Answered]:
    """Read the answers in a folder of ratings, oldest first; an empty list if there is no file.

    Raises
    ------
    ValueError
        If a line is not such a record; the message names the file.
    """
    file = ratings / FILE
    if not file.is_file():
        return []
    try:
        return [Answered(**row) for row in read_jsonl(file)]
    except TypeError as error:
        raise ValueError(f"{file}: not the answers of `finllm rate` ({error})") from None


def keep_answered(ratings: Path, more: Sequence[Answered]) -> None:
    """Add answers to those of the folder; the file is replaced atomically."""
    if more:
        (ratings / FILE).parent.mkdir(parents=True, exist_ok=True)
        write_jsonl(ratings / FILE, [*read_answered(ratings), *more])
