"""The plan of one or several studies: the runs, their minutes, and the power."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Sequence
from pathlib import Path

from finllm.commands.study.file import Study
from finllm.commands.study.power import chances
from finllm.commands.study.record import asked
from finllm.commands.study.schedule import present, schedule
from finllm.experiments.crossvalidation import duration

COLUMNS = 100  # of a line of text
UNLIKELY = "most likely undecided: raise the margin, the seeds or the companies before it runs"


def plan(studies: Sequence[Study], project: Path) -> list[dict]:
    """Return one plan per study, in order; a stage that an earlier study runs takes no time."""
    done = set() if all(study.command for study in studies) else present(project)
    found = []
    for study in studies:
        cells = schedule(study, project, done=done)
        simulated = chances(study)
        found.append(
            {
                "study": study.name,
                "claim": study.claim,
                "asked": asked(study),
                "runs": [
                    {
                        "level": cell.level.name,
                        "seed": cell.seed,
                        "minutes": cell.seconds / 60,
                        "stages": cell.n_stages,
                    }
                    for cell in cells
                ],
                "minutes": sum(cell.seconds for cell in cells) / 60,
                "limit_hours": study.hours,
                "sequential": study.sequential,
                "timed": not study.command,
                "chances": dataclasses.asdict(simulated) if simulated else None,
            }
        )
    return found


def as_text(plans: Sequence[dict]) -> str:
    """Return the plans as text; for a study that may stop early, the minutes are an upper limit."""
    lines = []
    for one in plans:
        lines += [
            *_wrapped(f"{one['study']}: {one['claim']}"),
            *_wrapped(f"  asked: {one['asked']}"),
        ]
        by_level: dict[str, list[float]] = {}
        for run in one["runs"]:
            by_level.setdefault(run["level"], []).append(run["minutes"])
        for level, minutes in by_level.items() if one["timed"] else ():
            lines.append(f"  {level:24} {' + '.join(f'{m:.1f}' for m in minutes)} min")
        lines += [*_wrapped(f"  {_total(one)}"), *_wrapped(_power(one))]
        if one["chances"] and one["chances"]["undecided"] > 0.5:
            lines.append(f"  {UNLIKELY}")
        lines.append("")
    total = 60 * sum(one["minutes"] for one in plans)
    if len(plans) > 1:
        untimed = sum(not one["timed"] for one in plans)
        unknown = f"; the time of {untimed} is not known" if untimed else ""
        lines.append(f"all {len(plans)} studies: at most about {duration(total)}{unknown}")
    return "\n".join(lines).rstrip()


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, COLUMNS, subsequent_indent="    ")


def _total(one: dict) -> str:
    n_runs = len(one["runs"])
    runs, allowed = f"{n_runs} run{'s' * (n_runs != 1)}", duration(3600 * one["limit_hours"])
    if not one["timed"]:
        return f"{runs} of a command, whose time is not known; limit {allowed}"
    at_most = "at most about" if one["sequential"] else "about"
    over = one["minutes"] > 60 * one["limit_hours"]
    limit = f"limit {allowed}{', not enough' if over else ''}"
    return f"{runs}, {at_most} {duration(60 * one['minutes'])}; {limit}"


def _power(one: dict) -> str:
    found = one["chances"]
    if not found:
        return "  power: not computed (no power section, or exact)"
    said = ", ".join(f"{found[key]:.2f} {key}" for key in ("confirmed", "refuted", "undecided"))
    seeds = f"after {found['mean_seeds']:.1f} seeds on average"
    return f"  power, under its assumptions: {said}; {seeds} ({found['n_simulations']} simulations)"
