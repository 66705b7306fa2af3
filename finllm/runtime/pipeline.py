"""Pipeline runs through DVC: its messages in a log file, one line per stage on the screen."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Sequence
from pathlib import Path

from dvc.exceptions import DvcException, ReproductionError
from dvc.repo import Repo
from dvc.stage.exceptions import StageCmdFailedError, StageNotFound

from finllm.runtime import screen

LOG = screen.LOGS / "dvc.log"
INTERRUPTED = (130, -2)  # exit codes of a process that Ctrl-C ended
FROM_CACHE = "is cached - skipping run"  # in DVC's message for a stage in its run cache


class _Listener(logging.FileHandler):
    """Handler that writes DVC's log, and shows and counts stages restored from its run cache."""

    n_restored = 0

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        text = record.getMessage()
        if FROM_CACHE in text:
            self.n_restored += 1
            screen.say(f"{text.split(chr(39))[1]:<16}restored from DVC's run cache")


def reproduce(root: Path, targets: Sequence[str] = ()) -> int:
    """Run the stages that changed and those that depend on them; return the exit code.

    A folder that is not in Git (a downloaded archive) works too, but has no experiments.
    """
    started = time.perf_counter()
    (root / LOG).parent.mkdir(exist_ok=True)
    listener = _Listener(root / LOG, mode="w", encoding="utf-8")
    listener.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("dvc")
    logger.setLevel(logging.INFO)
    logger.handlers[:] = [listener]  # replaces the handlers that write to the terminal
    if not in_git(root):
        screen.say(
            "Not a Git repository: the pipeline runs; `dvc exp` and `dvc metrics diff` need one:"
        )
        screen.say("  git init && git add -A && git commit -m start")
    try:
        with Repo(str(root), config=_config(root)) as repo:
            ran = repo.reproduce(targets=list(targets) or None)
    except ReproductionError as error:
        logger.exception("failed")
        return _failed(error)
    except KeyboardInterrupt:
        screen.warn(f"repro: interrupted; {screen.GO_ON}")
        return 130
    except StageNotFound as error:
        logger.exception("failed")
        screen.warn(f"repro: {_unknown_stage(error.name, root)}")
        return 1
    except DvcException as error:
        logger.exception("failed")
        screen.warn(f"repro: {_words(error)} (DVC log: {LOG})")
        return 1
    finally:
        logger.removeHandler(listener)
        listener.close()
    seconds = screen.duration(time.perf_counter() - started)
    if ran:
        again = (
            f", {listener.n_restored} were restored from the cache," if listener.n_restored else ""
        )
        n_run = len(ran) - listener.n_restored
        n_stages = "1 stage" if n_run == 1 else f"{n_run} stages"
        screen.say(f"\n{n_stages} ran{again} in {seconds}; logs are in {screen.LOGS}/")
    else:
        screen.say("Nothing has changed: all stages are up to date")
    return 0


def status(root: Path) -> tuple[int, str, str]:
    """Return exit code, output and errors of ``dvc status --json``, also outside of Git."""
    logger = logging.getLogger("dvc")
    handlers, level = logger.handlers, logger.level
    logger.handlers, logger.level = [logging.NullHandler()], logging.CRITICAL  # no bars either
    try:
        with Repo(str(root), config=_config(root)) as repo:
            return 0, json.dumps(repo.status()), ""
    except DvcException as error:
        return 1, "", _words(error)
    finally:
        logger.handlers, logger.level = handlers, level


def in_git(root: Path) -> bool:
    """Return whether the folder is in a Git repository."""
    place = root.resolve()
    return any((folder / ".git").exists() for folder in (place, *place.parents))


def _config(root: Path) -> dict[str, dict[str, object]]:
    return {} if in_git(root) else {"core": {"no_scm": True}}


def _failed(error: ReproductionError) -> int:
    """Report a failed stage unless it has reported its error itself, and return the exit code."""
    cause = error.__cause__
    if not isinstance(cause, StageCmdFailedError):
        screen.warn(f"repro: {_words(cause or error)} (DVC log: {LOG})")
        return 1
    name = str(error).split("'")[1]
    exited = re.search(r"exited with (-?\d+)$", str(cause))  # DVC gives it only in the message
    code = int(exited[1]) if exited else 1
    if code in INTERRUPTED:
        return 130
    if code < 0 or code > 128:
        signal = -code if code < 0 else code - 128
        hint = (
            " (out of memory? `python -m finllm plan` estimates the memory)" if signal == 9 else ""
        )
        screen.warn(f"{name}: ended by signal {signal}{hint}; {screen.GO_ON}")
        screen.warn(f"{name}: see {screen.LOGS / name}.log")
    return 1


def _unknown_stage(name: str, root: Path) -> str:
    with Repo(str(root), config=_config(root)) as repo:
        names = [stage.name for stage in repo.index.stages if stage.name]
    return f"dvc.yaml has no stage {name!r}; its stages are {', '.join(names)}"


def _words(error: BaseException) -> str:
    return " ".join(str(error).split())
