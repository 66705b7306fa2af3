"""The record of one finding: ok, warning or problem."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

OK, WARNING, PROBLEM = "ok", "warning", "problem"
INSTALL = "python -m pip install -r requirements.txt"


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it is, and the command that fixes it."""

    name: str
    state: str  # ok, warning (a run works, but), problem (a run fails)
    says: str
    mend: str = ""  # a command; empty where nothing is to be done


def ok(name: str, says: str) -> Finding:
    """In order."""
    return Finding(name, OK, says)


def warning(name: str, says: str, mend: str) -> Finding:
    """A run works, but slower, or not for long, or not for others."""
    return Finding(name, WARNING, says, mend)


def problem(name: str, says: str, mend: str) -> Finding:
    """A run fails."""
    return Finding(name, PROBLEM, says, mend)


def looked_at(name: str, look: Callable[[], Finding]) -> Finding:
    """What a look finds; one that fails is a problem in words, for others must still be looked at.

    >>> looked_at("disk", lambda: open("/nowhere")).says
    "check failed: [Errno 2] No such file or directory: '/nowhere'"
    """
    try:
        return look()
    except ImportError as error:
        return problem(name, f"a package is missing or broken: {error}", INSTALL)
    except ValueError as error:
        return problem(name, str(error), "git diff params.yaml")
    except Exception as error:  # whatever is broken here is what the user wants to hear of
        return problem(name, f"check failed: {error}", "git status")
