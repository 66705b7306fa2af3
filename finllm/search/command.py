"""``finllm search``: hyperparameters by validation loss, each trial a DVC experiment."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import fcntl
import json
import math
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from finllm.params import load_params

DESCRIPTION = (
    "Draws settings (Optuna's TPE, seeded by search.seed), trains each as a DVC experiment of the "
    "train stage in a copy of the project, and compares their lowest validation loss. The stages "
    "that read the test set do not run. A trial behind the median of the others at the same "
    "evaluation is stopped (search.prune) and leaves no experiment. Ctrl-C loses nothing: the "
    "same command goes on, the running trial from its last checkpoint."
)
EPILOG = (
    "examples: finllm search --trials 20; finllm search --trials 40 --timeout 7200; "
    "finllm search --trials 10 --space mine.yaml --json"
)


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    command = commands.add_parser(
        "search",
        help="find hyperparameters by validation loss",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    command.add_argument(
        "--trials", type=int, required=True, help="in all, those of earlier calls among them"
    )
    command.add_argument(
        "--space", type=Path, default=Path("presets/search/lora.yaml"), help="what may change"
    )
    command.add_argument(
        "--timeout", type=float, default=math.inf, help="seconds after which no trial begins"
    )
    command.add_argument("--json", action="store_true", help="print the result as JSON, on stdout")
    command.add_argument("--folder", type=Path, default=Path(".search"), help="what it remembers")
    command.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Search, and print what was found; Ctrl-C prints it as far as it is."""
    from finllm.search import experiment, page, study
    from finllm.search.identity import study_name
    from finllm.search.space import read_space

    if parsed.trials < 1:
        raise ValueError(f"--trials is {parsed.trials}; it must be at least 1")
    params, project = load_params(Path("params.yaml")), Path()
    space = read_space(parsed.space, params=Path("params.yaml"))
    experiment.repro_data(project)
    name = study_name(space, parsed.space, project=project, stage=experiment.STAGE)
    p, folder = params.search, parsed.folder / name
    interrupted = False
    with _alone(folder):
        found = study.open_study(
            folder / "journal.log", n_startup_trials=p.n_startup_trials, prune=p.prune
        )
        before = len(study.finished(found))
        _say(f"search: {name} in {folder}, {before} trials before this call")
        n_evaluations = params.train.evals_per_run
        try:
            with _terminated_as_interrupted():
                study.search(
                    found,
                    space,
                    experiment.trainer(project, folder, n_evaluations=n_evaluations),
                    n_trials=parsed.trials,
                    n_startup_trials=p.n_startup_trials,
                    seed=p.seed,
                    prefix=name,
                    until=time.monotonic() + parsed.timeout,
                    say=_say,
                )
        except KeyboardInterrupt:
            interrupted = True
        rows, top = study.finished(found), study.best(found)
    if parsed.json:
        result = {
            "study": name,
            "trials": [dataclasses.asdict(row) for row in rows],
            "best": dataclasses.asdict(top) if top else None,
            "commands": page.apply_commands(top) if top else [],
        }
        print(json.dumps(result, indent=2))
    else:
        print(page.page(rows, top, space))
    if interrupted:
        sys.exit(130)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the search's folder for this process; the kernel frees it on any death."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "held", "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"{folder}: another search is running here; wait for it") from None
        yield


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM, as a scheduler sends it, end a search as Ctrl-C does."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
