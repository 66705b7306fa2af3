"""Run a study and answer its question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from finllm.commands.study.answer import NOTHING, Answer, answer
from finllm.commands.study.file import MIN_SEEDS, Study
from finllm.commands.study.running import Run, run_cell
from finllm.commands.study.schedule import Cell
from finllm.commands.study.table import Table, table
from finllm.experiments.crossvalidation import duration


@dataclass(frozen=True)
class Outcome:
    """All runs of a study, and its answer."""

    runs: tuple[Run, ...]
    table: Table | None  # None if too few runs can be compared
    answer: Answer
    stopped: str  # why not all planned runs were made; empty if they were


def conduct(
    study: Study,
    cells: Sequence[Cell],
    *,
    project: Path,
    folder: Path,
    copied: Sequence[str],
    say: Callable[[str], None],
) -> Outcome:
    """Run the missing cells, seed by seed, and answer the study's question.

    A sequential study is analysed after each seed from the third on, and stops when the claim is
    confirmed or refuted. After ``study.hours`` no further cell starts; the answer then uses the
    complete seeds. For ``folder`` and ``copied`` see ``run_cell``; ``say`` gets one line per run.

    Raises
    ------
    ValueError
        If every level failed with the first seed, or the runs cannot be compared at all.
    """
    runs: list[Run] = []
    spent = 0.0
    for i, cell in enumerate(cells):
        label = f"run {i + 1} of {len(cells)}, {cell.level.name}, seed {cell.seed}"
        if spent > 3600 * study.hours:
            stopped = f"the limit of {study.hours:g} hours was reached after {i} runs"
            say(f"study: {stopped}")
            return _outcome(study, runs, stopped)
        run = run_cell(
            study, cell, project=project, folder=folder, label=label, copied=copied, say=say
        )  # fmt: skip
        runs.append(run)
        spent += run.seconds
        ending = f"failed: {run.failed}" if run.failed else duration(run.seconds)
        say(f"{label}: {ending}{_left(cells, i, runs)}")
        if (i + 1) % len(study.levels):
            continue
        if all(one.failed for one in runs):
            raise ValueError(f"every level failed with the first seed, the last: {run.failed}")
        n_seeds = (i + 1) // len(study.levels)
        if i + 1 == len(cells) or not study.sequential or n_seeds < MIN_SEEDS:
            continue
        look = _outcome(study, runs, "")
        say(f"look after {n_seeds} seeds: {look.answer.verdict}")
        if look.answer.verdict != "undecided":
            stopped = f"decided after {n_seeds} of {len(study.seeds)} seeds"
            return Outcome(look.runs, look.table, look.answer, stopped)
    return _outcome(study, runs, "")


def _outcome(study: Study, runs: Sequence[Run], stopped: str) -> Outcome:
    cells = {(run.level, run.seed): run.values for run in runs if not run.failed}
    names = [level.name for level in study.levels]
    seeds = list(dict.fromkeys(run.seed for run in runs))
    found = table(cells, names, seeds, at_least=1 if study.exact else MIN_SEEDS)
    if found is None:
        return Outcome(tuple(runs), None, NOTHING, stopped)
    return Outcome(tuple(runs), found, answer(study, found), stopped)


def _left(cells: Sequence[Cell], i: int, runs: Sequence[Run]) -> str:
    """Return the remaining time as text: the planned time, scaled by the runs so far."""
    rest = len(cells) - i - 1
    taken = sum(run.seconds for run in runs)
    if not rest or not taken:
        return ""
    planned = sum(cell.seconds for cell in cells[: i + 1])
    ahead = sum(cell.seconds for cell in cells[i + 1 :])
    seconds = ahead * taken / planned if planned and ahead else rest * taken / len(runs)
    return f"; about {duration(seconds)} left"
