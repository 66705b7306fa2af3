"""Client of a serving engine that runs in its own environment, over pipes."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

SCRIPT = Path(__file__).with_name("serving_engine.py")


def serving_engine(
    name: str,
    python: Path,
    folder: Path,
    ids: list[list[int]],
    *,
    new: int,
    n_rows: int,
    stops: Sequence[int],
) -> Callable[[], dict[int, list[int]]]:
    """Return a function that answers all prompts with ``serving_engine.py``.

    The engine's process ends with this one. Before this function returns, the engine is loaded and
    has answered once, unmeasured.

    Raises
    ------
    RuntimeError
        If the engine ends; the message has the last line of its output.
    """
    log = tempfile.TemporaryFile("w+")  # noqa: SIM115  (open as long as the process)
    process = subprocess.Popen(
        [python, "-P", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
    )
    asked = {
        "engine": name, "folder": str(folder), "rows": n_rows, "threads": torch.get_num_threads(),
        "ids": ids, "new": new, "stops": list(stops),
    }  # fmt: skip

    def line(said: str) -> str:
        try:
            print(said, file=process.stdin, flush=True)
            found = process.stdout.readline()
        except BrokenPipeError:
            found = ""
        if not found:
            log.seek(0)
            lines = log.read().strip().splitlines() or ["no output"]
            raise RuntimeError(f"{name}: {lines[-1]}")
        return found

    def answers() -> dict[int, list[int]]:
        rows = json.loads(line("again"))
        return {i: _until_stop(row, stops) for i, row in enumerate(rows)}

    line(json.dumps(asked))
    answers()
    return answers


def _until_stop(row: list[int], stops: Sequence[int]) -> list[int]:
    ends = [row.index(stop) for stop in stops if stop in row]
    return row[: min(ends, default=len(row))]
