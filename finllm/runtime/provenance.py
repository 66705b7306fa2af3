"""Provenance of a run: commit, state of the tree, date, processor, libraries, compute type.

Greedy answers depend on near-ties between tokens, which another kind of processor may round
differently. Figures are therefore reproduced on the same kind of processor, and are close on
others; the provenance tells a reader which kind it was.
"""

from __future__ import annotations

import dataclasses
import datetime
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

KEY = "provenance"  # in a stage's costs, because it differs from run to run
WRITTEN = ("metrics", "plots", "reports", "dvc.lock")  # written by the pipeline as it runs
REPEATS = (
    "On the same kind of processor, everything except time and memory is reproduced exactly; on "
    "another kind, answers can differ where two tokens are almost equally probable."
)


@dataclass(frozen=True)
class Provenance:
    """The code, machine and libraries of a run."""

    commit: str  # abbreviated; empty outside of Git
    clean: bool  # whether all tracked files, except those that the pipeline writes, were unchanged
    date: str  # UTC, ISO 8601
    processor: str  # its name, and the instruction set used for matrix products
    torch: str
    python: str
    dtype: str  # of the matrix products


def provenance(*, processor: str, dtype: str, folder: Path = Path()) -> Provenance:
    """Return the provenance of the current run; ``folder`` must be in the repository."""
    commit = _git(folder, "rev-parse", "--short", "HEAD")
    return Provenance(
        commit=commit,
        clean=bool(commit) and not _changed(folder),
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        processor=processor,
        torch=version("torch"),
        python=platform.python_version(),
        dtype=dtype.removeprefix("torch."),
    )


def from_costs(costs: Mapping[str, object], *, file: str = "") -> Provenance | None:
    """Return the provenance in a stage's costs, or None if an older version wrote them without it.

    Raises
    ------
    ValueError
        If it cannot be read; the message names the file.
    """
    found = costs.get(KEY)
    if found is None:
        return None
    names = [field.name for field in dataclasses.fields(Provenance)]
    if not isinstance(found, Mapping) or set(found) != set(names):
        raise ValueError(f"{file}: {KEY} must have {', '.join(names)}; run `dvc repro`")
    return Provenance(**found)


def line(found: Provenance) -> str:
    """Return the provenance as one line for the reader.

    >>> line(Provenance("e88ba7e", True, "2026-11-29T08:30:00+00:00", "Intel Xeon, AMX, bfloat16",
    ...     "2.13.0", "3.11.7", "bfloat16"))
    'commit e88ba7e (clean), 2026-11-29, Intel Xeon (AMX, bfloat16), in bfloat16, torch 2.13.0'
    """
    state = "clean" if found.clean else "not clean"
    commit = f"commit {found.commit} ({state})" if found.commit else "no commit"
    name, _, instructions = found.processor.partition(", ")
    processor = f"{name} ({instructions})" if instructions else name
    return f"{commit}, {found.date[:10]}, {processor}, in {found.dtype}, torch {found.torch}"


def _changed(folder: Path) -> str:
    """Return the changed tracked files, except those that the pipeline writes."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    without = [f":(exclude,top){name}" for name in WRITTEN]
    options = ["--porcelain", "--untracked-files=no"]
    return _git(Path(top), "status", *options, "--", ":(top)", *without)


def _git(folder: Path, *words: str) -> str:
    """Return Git's output, or "" if Git is not installed or there is no repository."""
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
