"""``finllm search``: search hyperparameters by validation loss, one DVC experiment per trial."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import fcntl
import math
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from finllm.commands.arguments import add_json, add_path, new_command


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the parser of the command."""
    command = new_command(
        commands,
        "search",
        run,
        summary="search hyperparameters by validation loss",
        description=(
            "Sample settings (Optuna's TPE, seeded by search.seed), train each as a DVC "
            "experiment of the train stage in a copy of the project, and rank them by their "
            "lowest validation loss. Stages that read the test set do not run. With "
            "search.prune, a trial that is worse than the median of the others at the same "
            "evaluation is stopped and leaves no experiment. After Ctrl-C, run the same "
            "command again to resume, including the running trial from its last checkpoint."
        ),
        example=(
            "search --trials 20\n"
            "search --trials 40 --timeout 7200\n"
            "search --trials 10 --space mine.yaml --json"
        ),
        reads="params.yaml and the search space (--space)",
        writes=(
            "one experiment per trial (see `dvc exp show`); journal, logs and checkpoints in "
            ".search"
        ),
    )
    command.add_argument(
        "--trials",
        type=int,
        metavar="N",
        required=True,
        help="total number of trials, including those of earlier calls",
    )
    add_path(command, "--space", "presets/search/lora.yaml", "search space")
    command.add_argument(
        "--timeout",
        type=float,
        metavar="SECONDS",
        default=math.inf,
        help="seconds after which no new trial starts (default: no limit)",
    )
    add_path(command, "--folder", ".search", "folder of journal, logs and checkpoints")
    add_json(command, "all trials and the best one")


def run(parsed: argparse.Namespace) -> int:
    """Run the search and print its trials; on Ctrl-C, print those finished so far."""
    from finllm.commands.terminal import print_json
    from finllm.experiments import experiment, result_text, trials
    from finllm.experiments.identity import study_name
    from finllm.experiments.space import read_space
    from finllm.settings.params import load_params

    if parsed.trials < 1:
        raise ValueError(f"--trials is {parsed.trials}; it must be at least 1")
    params, project = load_params(Path("params.yaml")), Path()
    space = read_space(parsed.space, params=Path("params.yaml"))
    experiment.repro_data(project)
    name = study_name(space, parsed.space, project=project, stage=experiment.STAGE)
    p, folder = params.search, parsed.folder / name
    interrupted = False
    with alone(folder):
        found = trials.open_study(
            folder / "journal.log", n_startup_trials=p.n_startup_trials, prune=p.prune
        )
        before = len(trials.finished(found))
        _say(f"search: {name} in {folder}, {before} trials before this call")
        n_evaluations = params.train.evals_per_run
        try:
            with interruptible():
                trials.search(
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
        rows, top = trials.finished(found), trials.best(found)
    if parsed.json:
        result = {
            "study": name,
            "trials": [dataclasses.asdict(row) for row in rows],
            "best": dataclasses.asdict(top) if top else None,
            "commands": result_text.apply_commands(top) if top else [],
        }
        print_json(result)
    else:
        print(result_text.page(rows, top, space))
    if interrupted:
        return 130
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Lock a folder for this process; the kernel releases the lock however the process ends.

    Raises
    ------
    ValueError
        If another process has locked the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "held", "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"{folder}: another search or cross-validation is running here; wait until it ends"
            ) from None
        yield


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` on SIGINT and SIGTERM, so that both end a search like Ctrl-C.

    Schedulers send SIGTERM. Background jobs of a shell script ignore SIGINT, and so would the
    processes that they start.
    """

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {one: signal.signal(one, interrupt) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
