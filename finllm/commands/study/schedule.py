"""The runs of a study, with the seconds of each estimated from the costs of the last run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from finllm.commands.study import graph
from finllm.commands.study.file import Level, Study, checked, read_yaml
from finllm.commands.study.measure import figure_files
from finllm.planning.plan_request import plan_params
from finllm.records import read_json
from finllm.settings.checked_record import checked_record
from finllm.settings.params import Params

START_SECONDS = 20.0  # to start a stage and load its inputs; most stages take no longer
PAIR_TIMES = 2.0  # a preference pair over a training example: two answers, the reference model
FULL_TIMES = 2.0  # full fine-tuning over LoRA, roughly: half as many products again


@dataclass(frozen=True)
class Cell:
    """A run of the study, one level with one seed, and its time given the runs before it."""

    level: Level
    seed: int
    seconds: float
    n_stages: int  # to run; the others are taken from DVC's run cache


def schedule(study: Study, project: Path, *, done: set[str]) -> list[Cell]:
    """Return the cells in the order in which they run, seed by seed.

    Every second seed takes the levels backwards, so that a machine that becomes slower or faster
    during the study does not favour a level.

    ``done`` is the set of keys of stages that have run; the keys of this study are added to it, so
    that a stage that is the same in several cells is counted once. The time of a cell that a
    command runs is not known, and is 0 here.

    Raises
    ------
    ValueError
        If a level's parameters cannot be planned.
    """
    order = [
        (level, seed)
        for i, seed in enumerate(study.seeds)
        for level in (reversed(study.levels) if i % 2 else study.levels)
    ]
    if study.command:
        return [Cell(level, seed, 0.0, 1) for level, seed in order]
    document = read_yaml(project / "params.yaml")
    times = _Times.read(project)
    cells = []
    for level, seed in order:
        params = checked(document, study.settings(level, seed), level.name)
        stages = graph.read_stages(project, params)
        names = graph.upstream(stages, study.measure.last_stage)
        keys = graph.stage_keys(stages, names, params)
        new = [name for name in names if keys[name] not in done]
        done |= set(keys.values())
        seconds = sum(times.seconds(name, params, new) for name in new)
        cells.append(Cell(level, seed, seconds, len(new)))
    return cells


def present(project: Path) -> set[str]:
    """Return the keys of the workspace's stages, which count as run; empty without a dvc.lock.

    Their outputs are expected in DVC's cache.
    """
    if not (project / "dvc.lock").is_file():
        return set()
    params = read_yaml(project / "params.yaml")
    stages = graph.read_stages(project, params)
    names = graph.upstream(stages, "evaluate")
    return set(graph.stage_keys(stages, names, params).values())


@dataclass(frozen=True)
class _Times:
    """Estimates of the seconds of stages, from the costs of the last run."""

    project: Path
    found: Mapping[str, Mapping]  # details and costs by stage; empty if there was no run

    @classmethod
    def read(cls, project: Path) -> _Times:
        found = {}
        for name in ("split", "predict_base", "predict_tuned", "predict_fewshot", "evaluate"):
            rows: dict = {}
            for file in (project / "metrics" / one for one in figure_files(name)):
                rows |= read_json(file) if file.is_file() else {}
            found[name] = rows
        return cls(project, found)

    def seconds(self, stage: str, params: Mapping, new: list[str]) -> float:
        """Estimate the seconds of a stage; ``new`` lists the stages that its cell has to run."""
        if stage == "train":
            return START_SECONDS + self._train(params, same_set="split" not in new)
        if stage == "prefer":
            return START_SECONDS + self._prefer(params)
        share = self._answers(params) / max(1, self._answered())
        if stage == "evaluate":
            measured = self.found["evaluate"].get("timing", {}).get("seconds", 0.0)
            return START_SECONDS + measured * share
        if not stage.startswith("predict@"):
            return START_SECONDS
        if stage == "predict@fewshot" and not params["predict"]["few_shot"]:
            return START_SECONDS
        if stage == "predict@preferred" and params["prefer"]["method"] == "none":
            return START_SECONDS
        row = self.found.get(stage.replace("@", "_")) or self.found["predict_tuned"]
        cost = row.get("cost", {})
        alone = cost.get("latency", {}).get("alone", {}).get("median_seconds", 0.0)
        prompts = params["predict"]["latency_prompts"] if "latency" in cost else 0
        return START_SECONDS + cost.get("seconds", 0.0) * share + prompts * alone

    def _prefer(self, params: Mapping) -> float:
        """Estimate the seconds of preference tuning: sampling answers and training on pairs.

        If the number of pairs or prompts is not limited, it is guessed from the training examples.
        """
        p, n_train = params["prefer"], self._train_examples(params)
        if p["method"] == "none":
            return 0.0
        pairs = min(p["max_pairs"] or n_train, 6 * n_train)  # a reference gives six pairs at most
        once = {**params["train"], "epochs": PAIR_TIMES * p["epochs"], "max_steps": 0}
        trained = self._train({**params, "train": once}, examples=pairs)
        drawn = p["samples"] * min(p["max_prompts"] or n_train, n_train)
        answered = self.found["predict_tuned"].get("cost", {}).get("seconds", 0.0)
        share = drawn / max(1, self._answered()) if p["weights"]["sampled"] else 0.0
        return trained + answered * share

    def _train_examples(self, params: Mapping) -> int:
        there = self.found["split"].get("sets", {}).get("train", {}).get("examples", 0)
        return params["split"]["max_train_examples"] or there

    def _train(self, params: Mapping, *, same_set: bool = False, examples: int = 0) -> float:
        train_set = self.project / "data" / "split" / "train.jsonl"
        is_full = params["train"]["method"] == "full"  # which `finllm plan` does not plan
        trained = {**params["train"], "method": "lora"}
        planned = plan_params(
            checked_record(Params, {**params, "train": trained}),
            launcher="",
            devices=0,
            examples=0 if same_set else examples or self._train_examples(params),
            tokens_per_second=0.0,
            train_set=train_set if same_set else None,
            metrics=self.project / "metrics",
        )
        hours = planned.cost.hours if planned.cost else 0.0
        return 3600 * hours * (FULL_TIMES if is_full else 1.0)

    def _answers(self, params: Mapping) -> int:
        """Return the number of scored answers: to test set, transfer set and changed questions."""
        sets = self.found["split"].get("sets", {})
        n = {}
        for name in ("test", "transfer"):
            limit = params["split"][f"max_{name}_examples"]
            there = sets.get(name, {}).get("examples", limit)
            n[name] = min(limit, there) if limit else there
        return sum(n.values()) + 3 * min(params["predict"]["robustness_examples"], n["test"])

    def _answered(self) -> int:
        """Return the same number for the last run's tuned model; 0 if there was no run."""
        answers = self.found["predict_tuned"].get("answers", 0)
        changed = [row["n_examples"] for row in self.found["evaluate"].get("robustness", ())]
        return answers + 3 * max(changed, default=0) if answers else 0
