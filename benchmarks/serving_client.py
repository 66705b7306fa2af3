"""A serving engine in a process of its own environment, asked over pipes."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

SCRIPT = Path(__file__).with_name("serving_engine.py")


class ServingEngine:
    """The process of ``serving_engine.py``; it ends with this one."""

    def __init__(
        self, name: str, python: Path, folder: Path, *, n_rows: int, stops: Sequence[int]
    ) -> None:
        self._name, self._python, self._folder = name, python, folder
        self._n_rows, self._stops = n_rows, list(stops)

    def asked(self, ids: list[list[int]], *, new: int) -> Callable[[], dict[int, list[int]]]:
        """Load the engine, answer once unmeasured, and return what answers all prompts.

        Raises
        ------
        RuntimeError
            Where the engine ends; its last line says why.
        """
        log = tempfile.TemporaryFile("w+")  # noqa: SIM115  (open as long as the process)
        process = subprocess.Popen(
            [self._python, "-P", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            text=True,
        )  # fmt: skip
        asked = {
            "engine": self._name, "folder": str(self._folder), "rows": self._n_rows,
            "threads": torch.get_num_threads(), "ids": ids, "new": new, "stops": self._stops,
        }  # fmt: skip

        def line(said: str) -> str:
            try:
                print(said, file=process.stdin, flush=True)
                found = process.stdout.readline()
            except BrokenPipeError:
                found = ""
            if not found:
                log.seek(0)
                lines = log.read().strip().splitlines() or ["it said nothing"]
                raise RuntimeError(f"{self._name}: {lines[-1]}")
            return found

        def answers() -> dict[int, list[int]]:
            rows = json.loads(line("again"))
            return {i: self._until_stop(row) for i, row in enumerate(rows)}

        line(json.dumps(asked))
        answers()
        return answers

    def _until_stop(self, row: list[int]) -> list[int]:
        ends = [row.index(stop) for stop in self._stops if stop in row]
        return row[: min(ends, default=len(row))]
