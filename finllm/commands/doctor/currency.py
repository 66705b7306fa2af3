"""Check whether the results of the last run are up to date with the workspace."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from finllm.commands.doctor import project
from finllm.commands.doctor.finding import OK


@dataclass(frozen=True)
class Currency:
    """The stages that are out of date, and one line that says so."""

    stages: list[str] | None  # None if DVC could not tell
    says: str  # empty if everything is up to date


def currency(root: Path) -> Currency:
    """Return which stages of the pipeline in ``root`` are out of date, by ``dvc status``."""
    try:
        from finllm.runtime.pipeline import status

        code, output, errors = status(root)
    except (ImportError, OSError) as error:
        return Currency(None, f"Could not check whether the results are up to date: {error}")
    found = project.pipeline(code, output, errors, has_remote=False)
    if found.state == OK:
        return Currency([], "")
    if code:
        return Currency(None, f"Could not check whether the results are up to date: {found.says}")
    stages = project.stage_names(json.loads(output))
    names = project.some([name for name in stages if name != "check"] or stages, most=4)
    if found.says.startswith(project.ABSENT):
        return Currency(
            stages,
            f"Results are from the last commit: outputs of {names} are missing; run `make repro`",
        )
    return Currency(stages, f"Out of date: {names} changed since the run; run `make repro`")
