"""Journal of answers on disk, to resume a killed prediction."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from finllm.answering.generate import Answer


class Journal:
    """Answers already written, one JSON object per line, for one set of prompts and one model.

    Parameters
    ----------
    path
        File named by a hash of everything that the answers depend on.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[int, Answer]:
        """Read the answers written so far, by the index of their prompt.

        A last line that a kill cut off is ignored and removed from the file.
        """
        if not self.path.is_file():
            return {}
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            with open(self.path, "r+b") as file:
                file.truncate(len(whole))
        rows = [Answer(**json.loads(line)) for line in whole.splitlines()]
        return {row.index: row for row in rows}

    def keep(self, answers: Iterable[Answer]) -> Iterator[Answer]:
        """Write each answer to the file, then yield it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "ab", buffering=0) as file:
            for answer in answers:
                file.write(json.dumps(dataclasses.asdict(answer)).encode() + b"\n")
                yield answer

    def remove(self) -> None:
        """Delete the file, once the answers are saved elsewhere."""
        self.path.unlink(missing_ok=True)
