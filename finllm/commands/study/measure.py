"""The measure of a study: scores by example, or one figure that a stage wrote."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from finllm.instruct.templates import TEMPLATES
from finllm.records import METRICS, Score, read_json
from finllm.settings.checked_record import did_you_mean

SETS = ("test", "transfer", "reworded", "noise", "free")
CHANGED = ("reworded", "noise", "free")  # scored separately, in another file
WHOSE = ("tuned", "base", "gain", "candidate")  # gain: tuned - base; candidate: verdict.candidate
STAGES = (
    *("split", "train", "prefer", "predict_base", "predict_tuned", "predict_preferred"),
    "evaluate",
)
RUN = "run"  # the only "company" of a figure of the whole run


@dataclass(frozen=True)
class Measure:
    """A metric of examples, or a figure of the whole run."""

    text: str  # as in the study file
    metric: str = ""  # one of records.METRICS; empty for a figure or a command
    set: str = ""
    whose: str = ""
    template: str = ""  # only its examples count; empty for all
    stage: str = ""  # the stage that wrote the figure
    keys: tuple[str, ...] = ()  # path of the figure in the stage's file

    @property
    def last_stage(self) -> str:
        """Last stage that a run needs, by its name in dvc.yaml."""
        return self.stage.replace("predict_", "predict@") if self.stage else "evaluate"

    @property
    def files(self) -> tuple[str, ...]:
        """Files of the repository to read the measure from; the first that contains it counts."""
        if self.stage:
            return tuple(f"data/results/metrics/{file}" for file in figure_files(self.stage))
        return (f"data/evaluate/{'changed' if self.set in CHANGED else 'scores'}.jsonl",)


def figure_files(stage: str) -> tuple[str, str]:
    """Return the two files of a stage's figures, relative to the folder of metrics."""
    return f"details/{stage}.json", f"costs/{stage}.json"


Values = dict[str, tuple[str, float]]  # by example: company and value


def read_measure(text: str, *, with_command: bool) -> Measure:
    """Parse the ``metric`` of a study file.

    ``number_accuracy``, ``number_accuracy of base`` or
    ``number_accuracy of gain on reworded for summarization`` names a metric, the model (default:
    tuned), the set (default: test) and the template (default: all). ``train.forgetting.ratio``
    names a figure that a stage wrote. With a command, the measure is the value that the command
    writes, and its name is free.

    Raises
    ------
    ValueError
        If a metric, model, set, template or stage does not exist.
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
    usual = {"of": "tuned", "on": "test", "for": ""}
    said = usual | rest
    if said.keys() != usual.keys() or len(words) % 2 == 0:
        raise ValueError(
            f"metric is {text!r}; it must be METRIC [of MODEL] [on SET] [for TEMPLATE]"
        )
    for what, allowed in (
        (words[0], METRICS), (said["of"], WHOSE), (said["on"], SETS), (said["for"], TEMPLATES),
    ):  # fmt: skip
        if what and what not in allowed:
            hint = did_you_mean(what, allowed)
            raise ValueError(
                f"metric is {text!r}: there is no {what}{hint} (allowed: {', '.join(allowed)}, "
                "or a figure such as train.best_val_loss_nats)"
            )
    return Measure(text, metric=words[0], set=said["on"], whose=said["of"], template=said["for"])


def check_figure(measure: Measure, metrics: Path) -> None:
    """Check, before anything runs, that the last run's files contain the figure.

    Raises
    ------
    ValueError
        If the stage has written both files and neither contains the key.
    """
    files = [metrics / file for file in figure_files(measure.stage)]
    found = [read_json(file) for file in files if file.is_file()]
    if measure.stage and len(found) == 2 and not any(_figure(f, measure.keys) for f in found):
        known = sorted(
            key for one in found for key, x in leaves(one).items() if isinstance(x, int | float)
        )
        hint = did_you_mean(".".join(measure.keys), known, prefix=f"{measure.stage}.", cutoff=0.3)
        raise ValueError(f"metric is {measure.text!r}: not found in {files[0]} or {files[1]}{hint}")


def figure_values(measure: Measure, texts: Iterable[str]) -> Values:
    """Return the figure from the first of the stage's files that contains it.

    Raises
    ------
    ValueError
        If no file contains it.
    """
    for text in texts:
        found = _figure(json.loads(text), measure.keys)
        if found:
            return {RUN: (RUN, found[0])}
    raise ValueError(f"{measure.text}: the run's files do not contain this number")


def score_values(measure: Measure, scores: Iterable[Score], *, candidate: str = "tuned") -> Values:
    """Return the metric of each example that has a value; higher is better.

    ``candidate`` is the run's own ``verdict.candidate``, which may differ between levels.

    Raises
    ------
    ValueError
        If no example has a value.
    """
    by_model: dict[str, dict[str, tuple[str, float]]] = {"base": {}, "tuned": {}, "preferred": {}}
    for score in scores:
        if measure.template not in ("", score.template):
            continue
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
    """Return the output line of a study's command for one example.

    A figure of the whole run has ``RUN`` as both example and company.
    """
    return json.dumps({"example": example, "company": company, "value": value})


def _figure(tree: Mapping, keys: tuple[str, ...]) -> list[float]:
    """Return the number at a path as a list of one; an empty list if there is no number."""
    at: object = tree
    for key in keys:
        at = at.get(key) if isinstance(at, Mapping) else None
    is_number = isinstance(at, int | float) and not isinstance(at, bool) and math.isfinite(at)
    return [float(at)] if is_number else []


def leaves(tree: Mapping, before: str = "") -> dict[str, object]:
    """Return the values of a nested mapping by their dotted keys.

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
