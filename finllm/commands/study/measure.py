"""What a study measures of a run: scores by example, or one figure that a stage wrote."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from finllm.records import METRICS, Score, read_json
from finllm.settings.checked_record import did_you_mean

SETS = ("test", "transfer", "reworded", "noise", "free")
CHANGED = ("reworded", "noise", "free")  # scored apart, in another file
WHOSE = ("tuned", "base", "gain", "candidate")  # gain: tuned minus base; of verdict.candidate
STAGES = (
    *("split", "train", "prefer", "predict_base", "predict_tuned", "predict_preferred"),
    "evaluate",
)
RUN = "run"  # the one "company" of a figure that is the run's


@dataclass(frozen=True)
class Measure:
    """A metric of examples, or a figure of the whole run."""

    text: str  # as the study says it
    metric: str = ""  # of records.METRICS; empty for a figure, and for what a command writes
    set: str = ""
    whose: str = ""
    stage: str = ""  # that wrote the figure
    keys: tuple[str, ...] = ()  # where it is in what the stage wrote

    @property
    def last_stage(self) -> str:
        """The stage up to which a run has to go, as dvc.yaml names it."""
        return self.stage.replace("predict_", "predict@") if self.stage else "evaluate"

    @property
    def files(self) -> tuple[str, ...]:
        """What it is read from, in the repository; the first that holds it counts."""
        if self.stage:
            return tuple(f"data/results/metrics/{file}" for file in figure_files(self.stage))
        return (f"data/evaluate/{'changed' if self.set in CHANGED else 'scores'}.jsonl",)


def figure_files(stage: str) -> tuple[str, str]:
    """The two files of a stage's figures, below the folder of metrics."""
    return f"details/{stage}.json", f"costs/{stage}.json"


Values = dict[str, tuple[str, float]]  # by example: its company, and its value


def read_measure(text: str, *, with_command: bool) -> Measure:
    """The measure that ``metric`` names.

    ``number_accuracy``, ``number_accuracy of base``, ``number_accuracy of gain on reworded``: a
    metric of whose answers (tuned) on which set (test). ``train.forgetting.ratio``: a figure in
    what a stage wrote. With a command it is what the command writes, and its name is free.

    Raises
    ------
    ValueError
        For a metric, model, set or stage that does not exist.
    """
    if with_command:
        return Measure(text)
    words = text.split()
    stage, *keys = words[0].split(".")
    if keys:
        if stage not in STAGES or len(words) > 1:
            raise ValueError(f"metric is {text!r}; a figure is STAGE.KEY, of {', '.join(STAGES)}")
        return Measure(text, stage=stage, keys=tuple(keys))
    rest = dict(zip(words[1::2], words[2::2], strict=False))
    said = {"of": rest.get("of", "tuned"), "on": rest.get("on", "test")}
    if set(rest) - set(said) or len(words) % 2 == 0:
        raise ValueError(f"metric is {text!r}; it must be METRIC [of MODEL] [on SET]")
    for what, allowed in ((words[0], METRICS), (said["of"], WHOSE), (said["on"], SETS)):
        if what not in allowed:
            hint = did_you_mean(what, allowed)
            raise ValueError(
                f"metric is {text!r}: there is no {what}{hint} (allowed: {', '.join(allowed)}, "
                "or a figure such as train.best_val_loss_nats)"
            )
    return Measure(text, metric=words[0], set=said["on"], whose=said["of"])


def check_figure(measure: Measure, metrics: Path) -> None:
    """Refuse a figure that the last run's files do not hold, before anything runs.

    Raises
    ------
    ValueError
        If the stage has written both files and neither holds the key.
    """
    files = [metrics / file for file in figure_files(measure.stage)]
    found = [read_json(file) for file in files if file.is_file()]
    if measure.stage and len(found) == 2 and not any(_figure(f, measure.keys) for f in found):
        known = sorted(
            key for one in found for key, x in leaves(one).items() if isinstance(x, int | float)
        )
        hint = did_you_mean(".".join(measure.keys), known, prefix=f"{measure.stage}.", cutoff=0.3)
        raise ValueError(f"metric is {measure.text!r}: {files[0]} and {files[1]} have none{hint}")


def figure_values(measure: Measure, texts: Iterable[str]) -> Values:
    """The figure in the first of the stage's files that holds it.

    Raises
    ------
    ValueError
        If none does.
    """
    for text in texts:
        found = _figure(json.loads(text), measure.keys)
        if found:
            return {RUN: (RUN, found[0])}
    raise ValueError(f"{measure.text}: the run has written no such number")


def score_values(measure: Measure, scores: Iterable[Score], *, candidate: str = "tuned") -> Values:
    """The metric of every example that has one, higher where the answer is better.

    ``candidate`` is the run's own ``verdict.candidate``, which may differ between levels.

    Raises
    ------
    ValueError
        If no example has one.
    """
    by_model: dict[str, dict[str, tuple[str, float]]] = {"base": {}, "tuned": {}, "preferred": {}}
    for score in scores:
        value = score.values.get(measure.metric)
        if score.split == measure.set and score.model in by_model and value is not None:
            by_model[score.model][score.example_id] = score.company, float(value)
    if measure.whose != "gain":
        found = by_model[candidate if measure.whose == "candidate" else measure.whose]
    else:
        base = by_model["base"]
        found = {
            key: (company, value - base[key][1])
            for key, (company, value) in by_model["tuned"].items()
            if key in base
        }
    if not found:
        raise ValueError(f"{measure.text}: the run has no such scores")
    return found


def line(example: str, company: str, value: float) -> str:
    """What a study's command writes of an example; ``RUN`` is both names of a figure of the run."""
    return json.dumps({"example": example, "company": company, "value": value})


def _figure(tree: Mapping, keys: tuple[str, ...]) -> list[float]:
    """The number at a path, as a list of one; an empty one where there is none."""
    at: object = tree
    for key in keys:
        at = at.get(key) if isinstance(at, Mapping) else None
    is_number = isinstance(at, int | float) and not isinstance(at, bool) and math.isfinite(at)
    return [float(at)] if is_number else []


def leaves(tree: Mapping, before: str = "") -> dict[str, object]:
    """The values of a nested mapping by their dotted keys.

    >>> leaves({"lora": {"r": 8}, "seed": 1})
    {'lora.r': 8, 'seed': 1}
    """
    found: dict[str, object] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            found |= leaves(value, f"{before}{key}.")
        else:
            found[f"{before}{key}"] = value
    return found
