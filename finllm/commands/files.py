"""Files that a command reads and writes; a wrong path is reported before the work starts."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finllm.records import Score

NOT_ROWS = (TypeError, KeyError, AttributeError)  # of a line that lacks fields or has others


def rows_in(
    read: Callable[[Path], Iterable[Any]], path: Path, what: str, *, mend: str = ""
) -> Iterator[Any]:
    """Yield the records of a file, read by a function of ``finllm.records``.

    Raises
    ------
    ValueError
        If there is no such file or its lines are not such records; the message names the file,
        ``what`` it must be, such as "scores of the stage `evaluate`", and the remedy ``mend``.
    """
    check_input(path, mend or f"it must hold {what}")
    try:
        yield from read(path)
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not {what} (not text in UTF-8)") from None
    except NOT_ROWS as error:
        raise ValueError(f"{path}: not {what} ({_why(error)})") from None


def read_runs(paths: Sequence[Path], *, of: str) -> dict[str, list[Score]]:
    """Return the scores of each run by its path; ``of`` names the runs, such as "folds".

    Raises
    ------
    ValueError
        If there are fewer than two paths, one is given twice, or one is not a file of scores.
    """
    from finllm.records import read_scores

    if len(paths) < 2:
        raise ValueError(f"{paths[0]}: one file of scores; give those of at least two {of}")
    twice = next((path for path in paths if paths.count(path) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice} is given twice; give the scores of different {of}")
    what = "scores of the stage `evaluate`"
    return {str(path): list(rows_in(read_scores, path, what)) for path in paths}


def _why(error: Exception) -> str:
    """Return what is wrong with a line, without the name of the record that does not fit it."""
    says = str(error)
    if found := re.search(r"unexpected keyword argument ('\w+')", says):
        return f"a line has the unknown field {found[1]}"
    if found := re.search(r"missing \d+ required .* arguments?: (.*)$", says):
        return f"a line has no {found[1]}"
    return f"a line has no {error}" if isinstance(error, KeyError) else "a line has no fields"


def read_object(path: Path, *, mend: str = "") -> dict:
    """Return the JSON object in a file.

    Raises
    ------
    ValueError
        If it is none; the message names the file and ends with the remedy ``mend``, if given.
    """
    from finllm.records import read_json

    try:
        found = read_json(path, mend=mend)
    except UnicodeDecodeError:
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"{path}: not a JSON object{mend and f'; {mend}'}")
    return found


def check_input(path: Path, hint: str) -> None:
    """Raise an error unless there is a file to read; its message ends with the hint.

    Raises
    ------
    ValueError
        If the path is missing or a folder.
    OSError
        If the file cannot be opened.
    """
    if path.is_dir():
        raise ValueError(f"{path}: a folder, not a file; {hint}")
    if not path.exists():
        raise ValueError(f"{path}: no such file; {hint}")
    if path.is_file():  # not a pipe, which can be read only once
        path.open("rb").close()


def check_output(path: Path | None) -> None:
    """Raise an error if a file cannot be written there, which would lose the work before it.

    Raises
    ------
    ValueError
        If the path is a folder or a device, or its folder cannot be made or written.
    """
    if path is None:
        return
    if path.is_dir():
        raise ValueError(f"{path}: a folder; name the file to write")
    if path.exists() and not path.is_file():
        raise ValueError(f"{path}: not a file that can be replaced; name another")
    place = existing(path.parent)
    try:
        try_to_write(place)
    except OSError as error:
        why = (error.strerror or "it cannot be written").lower()
        raise ValueError(f"{path}: cannot be written: {place}: {why}") from None


def existing(folder: Path) -> Path:
    """Return the folder, or its nearest parent that exists."""
    while not folder.exists():
        folder = folder.parent
    return folder


def try_to_write(folder: Path) -> None:
    """Write an empty file to the folder and remove it; an OSError says why it cannot be done."""
    with tempfile.TemporaryFile(dir=folder):
        pass
