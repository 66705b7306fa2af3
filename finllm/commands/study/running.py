"""Run the cells of a study, each once; results are saved, so that a killed study resumes."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from finllm.commands.study import graph
from finllm.commands.study.file import Study, read_yaml
from finllm.commands.study.measure import Values, figure_values, score_values
from finllm.commands.study.schedule import Cell
from finllm.experiments import crossvalidation, experiment
from finllm.experiments.identity import add_files
from finllm.records import Score, read_json, read_jsonl, write_json


@dataclass(frozen=True)
class Run:
    """The result of a cell, successful or failed."""

    level: str
    seed: int
    seconds: float
    experiment: str  # its name in `dvc exp show`; empty for a command
    failed: str  # reason of the failure; empty if there was none
    values: Values


def identity(study: Study, project: Path) -> str:
    """Return the study's name with a hash of its file and of everything its cells depend on.

    With another file, other code, parameters or calls it is another study, so runs never mix.

    Raises
    ------
    ValueError
        If the folder of a source is missing.
    """
    digest = hashlib.sha256(study.digest.encode())
    digest.update(json.dumps(study.fixed, sort_keys=True).encode())
    if study.command:
        code = [name for name in ("finllm", "benchmarks") if (project / name).is_dir()]
    else:
        params = read_yaml(project / "params.yaml")
        kept = {key: x for key, x in params.items() if key not in crossvalidation.UNREAD}
        digest.update(json.dumps(kept, sort_keys=True).encode())
        digest.update((project / "dvc.yaml").read_bytes())
        stages = graph.read_stages(project, params)
        code = graph.code_of(stages, graph.upstream(stages, study.measure.last_stage))
        made = crossvalidation.made_by_stages(project)
        code += [one for one in sources(study, params) if one not in made]
    for path in code:
        add_files(digest, project / path)
    return f"{study.name}-{digest.hexdigest()[:8]}"


def sources(study: Study, params: Mapping) -> list[str]:
    """Return the folders of calls that the study's cells read."""
    every = [study.settings(level, 0) for level in study.levels]
    return sorted({one for settings in every for one in crossvalidation.sources(params, settings)})


def run_cell(
    study: Study,
    cell: Cell,
    *,
    project: Path,
    folder: Path,
    label: str,
    copied: Sequence[str],
    say: Callable[[str], None],
) -> Run:
    """Run a cell, or read its saved result. A failure is recorded, not raised.

    Parameters
    ----------
    folder
        Folder of the study, with a result file per cell, logs, and checkpoints of interrupted
        cells. Its name, from ``identity``, is the prefix of the experiments' names.
    copied
        Untracked files, from ``crossvalidation.untracked``, which DVC copies unchanged.
    """
    place = study.levels.index(cell.level)
    name = re.sub(r"[^A-Za-z0-9]+", "-", cell.level.name).strip("-")
    name = f"{folder.name}-{place}-{name}-s{cell.seed}"
    kept = folder / f"{name}.json"
    if kept.is_file():
        row = read_json(kept)
        values = {key: (company, value) for key, (company, value) in row.pop("values").items()}
        return Run(**row, values=values)
    began, failed, values = time.monotonic(), "", {}
    try:
        if study.command:
            values = _by_command(study, cell, project, folder / name)
        else:
            _by_dvc(study, cell, project, folder / name, label=label, copied=copied, say=say)
            values = _measured(study, cell, project, name)
    except ValueError as error:
        failed = " ".join(str(error).split())
    seconds = time.monotonic() - began
    run = Run(cell.level.name, cell.seed, seconds, "" if study.command else name, failed, values)
    write_json(kept, vars(run))
    return run


def _by_dvc(
    study: Study,
    cell: Cell,
    project: Path,
    at: Path,
    *,
    label: str,
    copied: Sequence[str],
    say: Callable[[str], None],
) -> None:
    """Run the cell as an experiment in a copy of the project, unless one of its name exists."""
    if crossvalidation.exists(project, at.name):
        return
    settings = study.settings(cell.level, cell.seed)
    last = study.measure.last_stage
    crossvalidation.run_watched(
        crossvalidation.run_command(at.name, settings, stage=last, copied=copied),
        project,
        log=at.with_name(f"{at.name}.log"),
        checkpoints=at.with_name(f"{at.name}-checkpoints"),
        label=label,
        say=say,
    )


def _measured(study: Study, cell: Cell, project: Path, name: str) -> Values:
    texts = (experiment.read_result(project, name, file) for file in study.measure.files)
    if study.measure.stage:
        return figure_values(study.measure, texts)
    rows = [Score(**json.loads(line)) for line in next(texts).splitlines()]
    settings = study.settings(cell.level, cell.seed)
    otherwise = read_yaml(project / "params.yaml").get("verdict", {}).get("candidate", "tuned")
    candidate = settings.get("verdict.candidate", otherwise)
    return score_values(study.measure, rows, candidate=candidate)


def _by_command(study: Study, cell: Cell, project: Path, at: Path) -> Values:
    """Run the command, which writes a JSON line with example, company and value per example."""
    out = at.with_name(f"{at.name}.jsonl")
    filled = {"{level}": cell.level.name, "{seed}": str(cell.seed), "{out}": str(out.absolute())}
    words = [filled.get(word, word) for word in shlex.split(study.command)]
    if words[0] == "python":
        words[0] = sys.executable
    try:
        done = subprocess.run(words, cwd=project, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ValueError(f"{words[0]}: {error.strerror}") from None
    if done.returncode or not out.is_file():
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise ValueError((said or [f"the command wrote no {out}"])[-1])
    try:
        values = {row["example"]: (row["company"], float(row["value"])) for row in read_jsonl(out)}
    except (KeyError, TypeError):
        raise ValueError("the command wrote a line without example, company and value") from None
    out.unlink()
    if not values:
        raise ValueError("the command wrote no value")
    return values


def forget_failed(folder: Path) -> None:
    """Remove the results of failed cells, so that they run again."""
    for kept in folder.glob("*.json"):
        if read_json(kept)["failed"]:
            kept.unlink()
