"""Screen output of a stage: one line and a progress bar; library output goes to a log file.

DVC sets ``DVC_STAGE``. Under DVC, the standard streams of a stage go to the file ``logs/NAME.log``,
and only messages printed with this module reach the terminal. Nothing is redirected when a stage is
run by hand (``python -m stages.NAME``), or in the copy that DVC makes for a queued experiment
(``dvc queue logs`` shows its output).
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from tqdm import tqdm

from finllm.runtime.environment import outside

LOGS = Path("logs")
STAGE, ROOT, RANK = "DVC_STAGE", "DVC_ROOT", "RANK"  # set by DVC, DVC, and a multi-process launch
COPIES = "/.dvc/tmp/exps/"
BAR = "{desc:<16}{percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} {unit}s, {remaining} left{postfix}"
CLEAR = "\r\x1b[K"
GO_ON = "run `make repro` or `dvc repro` to resume"


@dataclass
class _Screen:
    out: TextIO | None = None  # the terminal; None if the standard streams are not redirected
    err: TextIO | None = None
    log: Path | None = None
    waiting: bool = False  # the last line is a progress message, to be cleared
    ended: bool = False  # the final message has been printed
    started: float = 0.0


_screen = _Screen()


def stage() -> str:
    """Return the name of the stage that this process runs under DVC, else that of the script."""
    name = os.environ.get(STAGE, "").split(":")[-1]
    if not name and sys.argv[0] == "-m":  # the module itself is not imported yet
        return sys.orig_argv[sys.orig_argv.index("-m") + 1].split(".")[-1]
    return name or Path(sys.argv[0]).stem


def begin() -> None:
    """Start the clock, and the stage's log if DVC runs it in the project's own folder."""
    _screen.started = time.perf_counter()
    sys.excepthook = _last_words
    if os.environ.get(STAGE) and COPIES not in Path(os.environ.get(ROOT, "")).as_posix() + "/":
        capture(LOGS / f"{stage()}.log")


def capture(log: Path) -> None:
    """Redirect the standard streams of this process and its children to a file."""
    log.parent.mkdir(exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    _screen.out, _screen.err = (
        os.fdopen(os.dup(fd), "w", buffering=1, encoding="utf-8", errors="replace") for fd in (1, 2)
    )
    _screen.log = log
    _to_log("a" if RANK in os.environ else "w")
    print(time.strftime("%Y-%m-%d %H:%M:%S"), *sys.argv)
    working()


def _to_log(mode: str) -> None:
    with open(_screen.log, mode, encoding="utf-8") as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())
            stream.reconfigure(line_buffering=True)


@contextlib.contextmanager
def released() -> Iterator[None]:
    """Restore the original standard streams, for child processes that write their own logs."""
    if not _screen.log:
        yield
        return
    _clear()
    for stream, screen in ((sys.stdout, _screen.out), (sys.stderr, _screen.err)):
        stream.flush()
        os.dup2(screen.fileno(), stream.fileno())
    try:
        yield
    finally:
        _to_log("a")


def say(text: str) -> None:
    """Print a line for the user, above any progress bar, and also to the log."""
    _line(text, _screen.out or sys.stdout)


def warn(text: str) -> None:
    """Print a line like ``say``, on the error stream."""
    _line(text, _screen.err or sys.stderr)


def note(text: str) -> None:
    """Print a line to the log or, if there is none, to standard output unless it is a terminal."""
    if _screen.log or not sys.stdout.isatty():
        print(text)


def result(text: str) -> None:
    """Print the stage's one line: its name, its result, and its duration if at least a second."""
    seconds = time.perf_counter() - _screen.started if _screen.started else 0.0
    took = f" ({duration(seconds)})" if seconds >= 1 else ""
    say(f"{stage():<16}{text}{took}")
    _screen.ended = bool(_screen.log)


def fail(text: str) -> None:
    """Print an error in one line, and the path of the log."""
    _screen.ended = bool(_screen.log)
    warn(f"{stage()}: {text}")
    if _screen.log:
        _line(f"{stage()}: see {_screen.log}", _screen.err, also_log=False)


def interrupted(text: str = "") -> None:
    """Print how to resume an interrupted stage."""
    _screen.ended = bool(_screen.log)
    warn(f"{stage()}: {text or f'interrupted; {GO_ON}'}")


def duration(seconds: float) -> str:
    """Return a duration in seconds as text.

    >>> duration(7.4), duration(171)
    ('7 s', '2 min 51 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class Bar(tqdm):
    """Progress bar that leaves no line behind, and is disabled without a terminal."""

    def __init__(
        self,
        iterable: Iterable | None = None,
        *,
        total: int | None = None,
        desc: str,
        **others: Any,
    ) -> None:
        _clear()
        if iterable is not None and total is None:
            with contextlib.suppress(TypeError):
                total = len(iterable)  # type: ignore[arg-type]
        layout = {"bar_format": BAR} if total else {}
        fixed = {"file": _screen.err or sys.stderr, "leave": False, "dynamic_ncols": True}
        others.setdefault("disable", None)
        super().__init__(iterable, total=total, desc=desc, **fixed, **layout, **others)

    def close(self) -> None:
        """Clear the bar, and show "..." until the stage prints its line."""
        shown = not self.disable
        super().close()
        if shown:
            working()


def _line(text: str, stream: TextIO, *, also_log: bool = True) -> None:
    _clear()
    tqdm.write(text, file=stream)
    stream.flush()
    if _screen.log and also_log:
        print(text)


def working(on: str = "...") -> None:
    """Show on a terminal what the stage is doing; the next line replaces it."""
    if _screen.err and _screen.err.isatty() and not _screen.ended:
        _screen.err.write(f"{CLEAR}{stage():<16}{on}")
        _screen.err.flush()
        _screen.waiting = True


def _clear() -> None:
    if _screen.waiting:
        _screen.err.write(CLEAR)
        _screen.err.flush()
        _screen.waiting = False


def _last_words(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        interrupted()
        return
    if isinstance(error, ModuleNotFoundError):
        warn(f"{stage()}: {outside(error)}")
        return
    traceback.print_exception(kind, error, trace)
    if _screen.log:
        first = (str(error).splitlines() or [""])[0]
        fail(f"failed with {kind.__name__}: {first}"[:300])
