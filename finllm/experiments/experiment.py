"""A search trial as a DVC experiment: only the train stage, monitored, in a copy of the project.

Only the train stage runs, and only its outputs are read, so a search never sees an example of the
test set.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from finllm.experiments.space import Value
from finllm.experiments.trials import WATCH, Outcome

STAGE = "train"
STARTED = f"Running stage '{STAGE}'"  # DVC prints it after removing the stage's outputs
METRIC = "best_val_loss_nats"
CURVE = "data/results/plots/training/plots/metrics/val/loss_nats.tsv"  # in an output of the stage
METRICS = "data/results/metrics/details/train.json"
PATIENCE = 120.0  # seconds that DVC has to clean up before it is killed


def trainer(
    project: Path, folder: Path, *, n_evaluations: int, poll_seconds: float = 0.5
) -> Callable[[str, Mapping[str, Value], WATCH], Outcome]:
    """Return a function that trains one trial, for `finllm.experiments.trials.search`.

    The workspace does not change: DVC copies it, including modified files, and trains in the copy.
    The output of the stage goes to ``<name>.log`` in the folder. Checkpoints are in the folder's
    ``checkpoints``, so that an interrupted trial can resume; they are removed when a trial ends.

    Parameters
    ----------
    project
        Root of the repository.
    folder
        Folder of the search, ignored by Git and DVC.
    n_evaluations
        Evaluations in a training, without the one at its start. A trial is not stopped after its
        last evaluation.
    poll_seconds
        Seconds between two readings of the validation curve.
    """

    def train(name: str, settings: Mapping[str, Value], watch: WATCH) -> Outcome:
        folder.mkdir(parents=True, exist_ok=True)
        log, seen = folder / f"{name}.log", 0
        before = _starts(log)  # starts of this trial that were interrupted
        checkpoints = folder.absolute() / "checkpoints"
        environment = {
            **own_environment(),
            "FINLLM_CHECKPOINTS": str(checkpoints),
            "PYTHONUNBUFFERED": "1",  # the log is read while it is written
        }
        process = start(command(name, settings), project, environment, log)
        try:
            while process.poll() is None:
                time.sleep(poll_seconds)
                # until the stage starts, the copy may contain the curve of another run
                curve = read_curve(project, name) if _starts(log) > before else []
                for loss_nats in curve[seen:]:
                    stop = watch(seen, loss_nats) and seen < n_evaluations
                    seen += 1
                    if stop:
                        halt(process)
                        shutil.rmtree(checkpoints, ignore_errors=True)
                        return Outcome("pruned", loss_nats, f"after evaluation {seen - 1}")
        finally:  # also after Ctrl-C
            halt(process)
        shutil.rmtree(checkpoints, ignore_errors=True)
        if process.returncode:
            return Outcome("failed", None, f"{_last_words(log)} ({log})")
        curve = _losses(read_result(project, name, CURVE))
        for evaluation, loss_nats in enumerate(curve[seen:], start=seen):
            watch(evaluation, loss_nats)  # those after the last reading
        return Outcome("complete", read_loss(project, name))

    return train


def command(name: str, settings: Mapping[str, Value]) -> list[str]:
    """Return the command that trains a trial as an experiment, without other stages."""
    dvc = [sys.executable, "-m", "dvc"]
    run = ["exp", "run", "--temp", "--single-item", "--name", name, *flags(settings)]
    return [*dvc, *run, STAGE]


def flags(settings: Mapping[str, Value]) -> list[str]:
    """Return the settings as ``-S`` options of ``dvc exp run``."""
    text = {key: json.dumps(v) if isinstance(v, bool) else str(v) for key, v in settings.items()}
    return [part for key, value in text.items() for part in ("-S", f"{key}={value}")]


def repro_data(project: Path) -> None:
    """Bring the training and validation sets of the workspace up to date, which the trials read.

    Raises
    ------
    ValueError
        If a stage fails.
    """
    command = [sys.executable, "-m", "dvc", "repro", "--quiet", "split"]
    done = subprocess.run(
        command, cwd=project, env=own_environment(), stdout=sys.stderr, check=False
    )
    if done.returncode:
        raise ValueError("`dvc repro split` failed; it creates the training and validation sets")


def read_loss(project: Path, name: str) -> float:
    """Return the lowest validation loss of an experiment, in nats.

    Raises
    ------
    ValueError
        If the experiment does not exist or has no validation loss.
    """
    try:
        return float(json.loads(read_result(project, name, METRICS))[METRIC])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"experiment {name}: no {METRIC} in {METRICS} ({error})") from None


def read_result(project: Path, name: str, path: str) -> str:
    """Return the content of a file that a stage of an experiment wrote, from DVC's cache.

    DVC stores an experiment as a commit under ``refs/exps``, by name; the commit's dvc.lock has the
    hash of the file.

    Raises
    ------
    ValueError
        If there is no such experiment, or its file is not in the cache.
    """
    import dvc.api  # takes a second
    from dvc.exceptions import DvcException

    revision = git(project, "rev-parse", reference(project, name)).strip()
    try:
        return dvc.api.read(path, repo=str(project), rev=revision)
    except (DvcException, OSError) as error:
        raise ValueError(f"experiment {name}: no {path} in DVC's cache ({error})") from None


def reference(project: Path, name: str) -> str:
    """Return the Git reference of an experiment.

    Raises
    ------
    ValueError
        If there is no such experiment.
    """
    listed = git(project, "for-each-ref", "--format=%(refname)", "refs/exps")
    found = [line for line in listed.splitlines() if line.endswith(f"/{name}")]
    if not found:
        raise ValueError(f"no experiment {name}")
    return found[0]


def git(project: Path, *arguments: str) -> str:
    """Run a Git command and return its output.

    Raises
    ------
    ValueError
        If the command fails.
    """
    done = subprocess.run(
        ["git", *arguments], cwd=project, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ValueError(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def read_curve(project: Path, name: str) -> list[float]:
    """Return the validation losses, in nats, that a running experiment has written so far."""
    for file in (project / ".dvc" / "tmp" / "exps" / "run").glob("*/*.run"):
        with contextlib.suppress(OSError, ValueError, KeyError):  # DVC may be writing it
            running = json.loads(file.read_text(encoding="utf-8"))
            if running["name"] == name:
                return _losses((Path(running["root_dir"]) / CURVE).read_text(encoding="utf-8"))
    return []


def _losses(text: str) -> list[float]:
    """Return the last column of a curve's file, without an incomplete last line."""
    whole = text[: text.rfind("\n") + 1].splitlines()[1:]
    return [float(line.split("\t")[-1]) for line in whole]


def start(
    parts: list[str], project: Path, environment: Mapping[str, str], log: Path
) -> subprocess.Popen:
    """Start a command in the background; its output is appended to ``log``."""
    with open(log, "ab") as out:
        return subprocess.Popen(
            parts,
            cwd=project,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that Ctrl-C reaches it only through ``halt``
        )


def halt(process: subprocess.Popen) -> None:
    """Interrupt DVC and the training, as Ctrl-C does, and wait until the copy is removed."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(PATIENCE)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def own_environment() -> dict[str, str]:
    """Return the environment of this process, with its own Python first in PATH for the stages."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1"}


def _starts(log: Path) -> int:
    """Return how often the stage has started, according to the log."""
    return log.read_text(errors="replace").count(STARTED) if log.is_file() else 0


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line.strip() for line in lines if line.strip()]
    own = [line for line in said if line.startswith(f"{STAGE}: ")]
    return (own or said or ["no output"])[-1]
