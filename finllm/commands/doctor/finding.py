"""The result of one check: ok, a warning or a problem."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

OK, WARNING, PROBLEM = "ok", "warning", "problem"
INSTALL = "python -m pip install -r requirements.txt"


@dataclass(frozen=True)
class Finding:
    """The result of one check, with a command that fixes what is wrong, or shows it."""

    name: str
    state: str  # ok, warning (a run works with a limitation), problem (a run fails)
    says: str
    mend: str = ""  # a command; empty if there is nothing to fix


def ok(name: str, says: str) -> Finding:
    """Return a finding in the state ``ok``."""
    return Finding(name, OK, says)


def warning(name: str, says: str, mend: str) -> Finding:
    """Return a warning: a run works, but slower, or not for long, or not for others."""
    return Finding(name, WARNING, says, mend)


def problem(name: str, says: str, mend: str) -> Finding:
    """Return a problem: a run fails."""
    return Finding(name, PROBLEM, says, mend)


def looked_at(name: str, look: Callable[[], Finding]) -> Finding:
    """Run a check; report an exception as a problem, so that the other checks still run.

    >>> looked_at("disk", lambda: open("/nowhere")).says
    "check failed: [Errno 2] No such file or directory: '/nowhere'"
    """
    try:
        return look()
    except ImportError as error:
        return problem(name, f"a package is missing or broken: {error}", INSTALL)
    except ValueError as error:
        return problem(name, str(error), "git diff params.yaml")
    except Exception as error:  # whatever is broken, the user wants to know
        return problem(name, f"check failed: {error}", "git status")
