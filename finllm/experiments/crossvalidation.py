"""Cross-validation folds as DVC experiments, each in a copy of the project, up to the scores.

The name of a fold's experiment contains a hash of everything that the fold depends on, so the same
command resumes where it stopped and does not run a fold twice.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from finllm.experiments import experiment
from finllm.experiments.identity import add_files
from finllm.experiments.space import Value

STAGE = "evaluate"  # the last stage of a fold; later steps are for all folds together
SCORES = Path("data/evaluate/scores.jsonl")
UNREAD = ("search", "plan", "report")  # sections of params.yaml that no score depends on
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Fold:
    """A finished fold."""

    number: int  # from 0
    experiment: str
    scores: Path
    seconds: float  # 0 if it was finished before


def check_project(project: Path) -> None:
    """Raise an error unless DVC experiments can run in the project.

    Raises
    ------
    ValueError
        If the folder is not a Git and DVC repository with a commit; the message says what to do.
    """
    try:
        experiment.git(project, "rev-parse", "--verify", "HEAD")
    except (ValueError, OSError):
        raise ValueError(
            "the runs are DVC experiments, which need a Git repository with a commit: `git init`, "
            "`git add -A` and `git commit` first"
        ) from None
    if not (project / ".dvc").is_dir():
        raise ValueError("the runs are DVC experiments: run `dvc init` first")


def run_name(n_folds: int, settings: Mapping[str, Value], params: Mapping, *, project: Path) -> str:
    """Return the name of a cross-validation: a hash of its code, parameters and source.

    Raises
    ------
    ValueError
        If a source's folder is missing.
    """
    digest = hashlib.sha256()
    kept = {key: value for key, value in params.items() if key not in UNREAD}
    facts = [n_folds, dict(settings), kept]
    digest.update(json.dumps(facts, sort_keys=True, default=str).encode())
    digest.update((project / "dvc.yaml").read_bytes())
    for folder in ("finllm", "stages"):
        add_files(digest, project / folder)
    made = made_by_stages(project)
    for source in sources(params, settings):
        if source not in made:
            add_files(digest, project / source)
    return f"cv{n_folds}-{digest.hexdigest()[:8]}"


def sources(params: Mapping, settings: Mapping[str, Value]) -> list[str]:
    """Return the folders of the source and the transfer source that these settings name."""
    keys = ("source", "transfer_source")
    names = [str(settings.get(f"data.{key}", params["data"][key])) for key in keys]
    return [f"data/raw/{name}" for name in dict.fromkeys(names)]


def made_by_stages(project: Path) -> set[str]:
    """Return the outputs of dvc.yaml's stages; a copy makes them or takes them from the cache."""
    document = YAML(typ="safe").load((project / "dvc.yaml").read_text(encoding="utf-8"))
    outs = [out for stage in document["stages"].values() for out in stage.get("outs", [])]
    return {next(iter(out)) if isinstance(out, dict) else str(out) for out in outs}


def untracked(project: Path, folders: Sequence[str]) -> list[str]:
    """Return the paths of the sources that neither Git nor DVC tracks, for DVC to copy unchanged.

    Raises
    ------
    ValueError
        If a source's folder is missing.
    """
    found, made = [], made_by_stages(project)
    for folder in folders:
        if folder in made or (project / f"{folder}.dvc").is_file():
            continue
        if not (project / folder).is_dir():
            raise ValueError(f"{folder}: no such source folder (data.source, data.transfer_source)")
        tracked = experiment.git(project, "ls-files", folder).split("\n")
        if not any(tracked):
            found.append(folder)
            continue
        parts = {Path(path).relative_to(folder).parts[0] for path in tracked if path}
        parts |= {name.removesuffix(".dvc") for name in parts}
        found += [f"{folder}/{p.name}" for p in sorted((project / folder).iterdir())
                  if p.name not in parts]  # fmt: skip
    return found


def run_command(
    name: str, settings: Mapping[str, Value], *, stage: str, copied: Sequence[str]
) -> list[str]:
    """Return the command that runs the pipeline up to a stage, as an experiment in a copy.

    ``copied``, from ``untracked``, lists the paths that DVC copies unchanged.
    """
    copies = [part for path in copied for part in ("--copy-paths", path)]
    run = ["exp", "run", "--temp", "--name", name, *copies, *experiment.flags(settings)]
    return [sys.executable, "-m", "dvc", *run, stage]


def run_folds(
    project: Path,
    folder: Path,
    *,
    name: str,
    n_folds: int,
    settings: Mapping[str, Value],
    copied: Sequence[str],
    say: Callable[[str], None],
) -> list[Fold]:
    """Run the folds that do not exist yet, one after the other, and fetch the scores of all.

    Parameters
    ----------
    folder
        Folder of the run, for scores, logs, and checkpoints of interrupted folds.
    copied
        Paths from ``untracked``.
    say
        Called with a line when a stage starts and when a fold ends, with the remaining time.

    Raises
    ------
    ValueError
        If a fold fails, or its scores are no longer in DVC; a failed fold's message has the
        decisive line of its log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folds: list[Fold] = []
    for number in range(n_folds):
        one, scores = f"{name}-fold{number}", folder / f"fold-{number}.jsonl"
        label = f"fold {number + 1} of {n_folds}"
        if scores.is_file() and exists(project, one):
            folds.append(Fold(number, one, scores, 0.0))
            say(f"{label}: already done")
            continue
        seconds = 0.0
        if not exists(project, one):
            fold = {**settings, "split.n_folds": n_folds, "split.fold": number}
            command = run_command(one, fold, stage=STAGE, copied=copied)
            log, kept = folder / f"fold-{number}.log", folder / f"checkpoints-{number}"
            try:
                seconds = run_watched(
                    command, project, log=log, checkpoints=kept, label=label, say=say
                )
            except ValueError as error:
                raise ValueError(f"{label} failed: {error}") from None
        fetch_scores(project, one, scores)
        folds.append(Fold(number, one, scores, seconds))
        say(f"{label}: {duration(seconds)}{_left(folds, n_folds)}")
    return folds


def run_watched(
    command: list[str], project: Path, *, log: Path, checkpoints: Path, label: str,
    say: Callable[[str], None],
) -> float:  # fmt: skip
    """Run an experiment and report the stage it is at; return the seconds that it took.

    Parameters
    ----------
    log
        New file for its output.
    checkpoints
        Folder of its training checkpoints, from which it resumes after Ctrl-C.

    Raises
    ------
    ValueError
        If it fails; the message has the decisive line of its log.
    """
    log.unlink(missing_ok=True)
    environment = {
        **experiment.own_environment(),
        "FINLLM_CHECKPOINTS": str(checkpoints.absolute()),
        "PYTHONUNBUFFERED": "1",
    }
    began, at = time.monotonic(), ""
    process = experiment.start(command, project, environment, log)
    try:
        while process.poll() is None:
            time.sleep(POLL_SECONDS)
            stage = current_stage(log.read_text(encoding="utf-8", errors="replace"))
            if stage != at:
                at = stage
                say(f"{label}: {at} ({duration(time.monotonic() - began)} so far)")
    finally:  # also after Ctrl-C
        experiment.halt(process)
    if process.returncode:
        raise ValueError(f"{last_words(log)} ({log})")
    return time.monotonic() - began


def current_stage(log: str) -> str:
    """Return the stage that DVC is running, according to its log; "" before the first."""
    found = re.findall(r"^(?:Running stage|Stage) '([^']+)'(?::| is cached)", log, re.M)
    return found[-1] if found else ""


def last_words(log: Path) -> str:
    """Return the line of a log in which a stage reports its error, or else the last line."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line.strip() for line in lines if line.strip()]
    own = [line for line in said if re.match(r"(?:ERROR: )?[a-z_]+: \S.* ", line)
           and not line.startswith("ERROR: failed")]  # fmt: skip
    return (own or said or ["no output"])[-1]


def fetch_scores(project: Path, name: str, target: Path) -> None:
    """Write the scores of an experiment to a file, completely or not at all.

    Raises
    ------
    ValueError
        If DVC no longer has them.
    """
    revision = experiment.git(project, "rev-parse", experiment.reference(project, name)).strip()
    temporary = target.with_name(target.name + ".tmp")
    temporary.unlink(missing_ok=True)
    get = ["get", ".", str(SCORES), "--rev", revision, "-o", str(temporary.absolute())]
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *get],
        cwd=project, env=experiment.own_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode or not temporary.is_file():
        why = (done.stderr.strip() or "no output").splitlines()[-1]
        raise ValueError(
            f"experiment {name}: no {SCORES} ({why}); `dvc exp remove {name}`, then run it again"
        )
    temporary.replace(target)


def duration(seconds: float) -> str:
    """Return seconds as readable text.

    >>> duration(42.4), duration(194), duration(3700)
    ('42 s', '3 min 14 s', '1 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _left(folds: Sequence[Fold], n_folds: int) -> str:
    times = [fold.seconds for fold in folds if fold.seconds]
    n_left = n_folds - len(folds)
    if not (times and n_left):
        return ""
    return f"; about {duration(n_left * sum(times) / len(times))} left"


def exists(project: Path, name: str) -> bool:
    """Return whether there is an experiment with this name."""
    try:
        experiment.reference(project, name)
    except ValueError:
        return False
    return True
