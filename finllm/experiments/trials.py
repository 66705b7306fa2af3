"""The search loop: Optuna samples settings, a trainer runs them, a journal stores the results.

Each trial is drawn by a new sampler, seeded by the search's seed and the number of finished trials,
so that a resumed search draws the same settings as an uninterrupted one.

Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization" (the sampler, TPE); Golovin et
al. 2017, "Google Vizier", section 3.2.2 (stopping by the median).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from finllm.experiments.space import Space, Value

FAILURES = 3  # a search ends once so many trials have run and all have failed
WATCH = Callable[[int, float], bool]  # (evaluation, loss in nats) -> whether to stop


@dataclass(frozen=True)
class Outcome:
    """The outcome of a trial: ``complete``, ``pruned`` or ``failed``."""

    state: str
    val_loss_nats: float | None
    message: str = ""


@dataclass(frozen=True)
class Trial:
    """One row of the search's table; ``val_loss_nats`` is the lowest loss of the trial, if any."""

    number: int
    state: str
    settings: dict[str, Value]
    val_loss_nats: float | None
    seconds: float
    experiment: str
    message: str


def open_study(journal: Path, *, n_startup_trials: int, prune: bool) -> optuna.Study:
    """Open the study in a journal, or create it."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    journal.parent.mkdir(parents=True, exist_ok=True)
    pruner = optuna.pruners.NopPruner()
    if prune:  # the first evaluation is of the untrained adapter
        pruner = optuna.pruners.MedianPruner(n_startup_trials, n_warmup_steps=1)
    return optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(journal))),
        study_name="search",
        direction="minimize",
        pruner=pruner,
        load_if_exists=True,
    )


def search(
    study: optuna.Study,
    space: Space,
    train: Callable[[str, Mapping[str, Value], WATCH], Outcome],
    *,
    n_trials: int,
    n_startup_trials: int,
    seed: int,
    prefix: str,
    until: float = math.inf,
    say: Callable[[str], None] = print,
) -> None:
    """Train until the study has ``n_trials`` finished trials, including those of earlier calls.

    The first trial has the values of params.yaml, if the space contains them. A trial that was
    running when an earlier call ended is trained again, before new ones.

    Parameters
    ----------
    study
        Study from `open_study`.
    space
        Parameters to search.
    train
        Function that trains one trial, given an experiment's name, settings, and a function to
        call with each evaluation, which returns whether to stop. A ``KeyboardInterrupt`` is not
        caught.
    n_trials, n_startup_trials
        Number of all trials, and of random ones before the sampler learns from results.
    seed
        Seed of the sampler.
    prefix
        Prefix of the experiments' names.
    until
        Time (``time.monotonic``) after which no trial starts.
    say
        Called with each line for the user.

    Raises
    ------
    ValueError
        If the first ``FAILURES`` trials all failed; the message is that of the last.
    """
    _settle(study, space)
    while (done := len(finished(study))) < n_trials and time.monotonic() < until:
        entropy = np.random.SeedSequence([seed, done]).generate_state(1)
        study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=n_startup_trials, seed=int(entropy[0])
        )
        trial = study.ask()
        name = f"{prefix}-{trial.number:03d}"
        settings = suggest(trial, space)
        said = " ".join(f"{key}={value}" for key, value in settings.items())
        say(f"search: trial {done + 1} of {n_trials}, {name}: {said}")
        outcome = _trained(study, trial, space, train, name, settings)
        loss = "" if outcome.val_loss_nats is None else f" {outcome.val_loss_nats:.4f} nats"
        say(f"search: {name} {outcome.state}{loss}{outcome.message and ': '}{outcome.message}")
        rows = finished(study)
        if len(rows) >= FAILURES and all(row.state == "failed" for row in rows):
            raise ValueError(f"all of the {len(rows)} trials failed, the last: {rows[-1].message}")


def suggest(trial: optuna.Trial, space: Space) -> dict[str, Value]:
    """Return a trial's settings; fractions have three significant digits, within their range."""
    found: dict[str, Value] = {}
    for one in space.dimensions:
        if one.values:
            found[one.key] = trial.suggest_categorical(one.key, one.values)
        elif one.whole:
            found[one.key] = trial.suggest_int(one.key, int(one.low), int(one.high), log=one.log)
        else:
            drawn = trial.suggest_float(one.key, one.low, one.high, log=one.log)
            found[one.key] = min(max(float(f"{drawn:.3g}"), one.low), one.high)
    return found


def finished(study: optuna.Study) -> list[Trial]:
    """Return the trials that ended (complete, pruned or failed), in order of their number."""
    rows = [row for row in study.get_trials(deepcopy=False) if "state" in row.user_attrs]
    return [Trial(row.number, **row.user_attrs) for row in rows]


def best(study: optuna.Study) -> Trial | None:
    """Return the complete trial with the lowest validation loss, the first of equals, or None."""
    rows = [row for row in finished(study) if row.state == "complete"]
    return min(rows, key=lambda row: row.val_loss_nats, default=None)


def _settle(study: optuna.Study, space: Space) -> None:
    """Queue unfinished trials again.

    In a new study, queue the values of params.yaml first, if the space contains them.
    """
    for row in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if "state" in row.user_attrs:  # killed between the last two entries of the journal
            _tell(study, row.number, row.user_attrs)
        else:
            study.tell(row.number, state=TrialState.FAIL)
            study.enqueue_trial(row.params)
    current = space.current()
    if not study.get_trials(deepcopy=False) and all(
        one.holds(current[one.key]) for one in space.dimensions
    ):
        study.enqueue_trial(current)


def _trained(
    study: optuna.Study,
    trial: optuna.Trial,
    space: Space,
    train: Callable[[str, Mapping[str, Value], WATCH], Outcome],
    name: str,
    settings: dict[str, Value],
) -> Outcome:
    seen: list[float] = []

    def watch(evaluation: int, loss_nats: float) -> bool:
        seen.append(loss_nats)
        trial.report(loss_nats, evaluation)
        return trial.should_prune()

    began = time.monotonic()
    try:
        space.check(settings)
        outcome = train(name, settings, watch)
    except ValueError as error:
        outcome = Outcome("failed", None, str(error))
    if outcome.state == "pruned":
        outcome = Outcome("pruned", min(seen), outcome.message)
    row = {
        "settings": settings,
        "val_loss_nats": outcome.val_loss_nats,
        "seconds": time.monotonic() - began,
        "experiment": name if outcome.state == "complete" else "",
        "message": outcome.message,
        "state": outcome.state,  # written last: with it the row is complete
    }
    for key, value in row.items():
        trial.set_user_attr(key, value)
    _tell(study, trial.number, row)
    return outcome


def _tell(study: optuna.Study, number: int, row: Mapping[str, Any]) -> None:
    states = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED}
    value = row["val_loss_nats"] if row["state"] == "complete" else None
    study.tell(number, value, state=states.get(row["state"], TrialState.FAIL))
