"""Stages of dvc.yaml: those that a cell needs, and keys to find those that have already run."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from finllm.commands.study.file import read_yaml

CHECK = "check"  # runs in every cell and takes a second; no result depends on it


@dataclass(frozen=True)
class Stage:
    """A stage of dvc.yaml, with its template variables replaced."""

    name: str
    params: tuple[str, ...]
    deps: tuple[str, ...]
    outs: tuple[str, ...]


def read_stages(project: Path, params: Mapping) -> dict[str, Stage]:
    """Read the stages of dvc.yaml by name; ``foreach`` is expanded as in DVC (predict@base)."""
    document = read_yaml(project / "dvc.yaml")
    found = {}
    for name, raw in document["stages"].items():
        if "foreach" not in raw:
            found[name] = _stage(name, raw, params, {})
            continue
        items = raw["foreach"]
        rows = items.items() if isinstance(items, dict) else ((str(one), one) for one in items)
        for key, item in rows:
            known = {"key": key, "item": item}
            found[f"{name}@{key}"] = _stage(f"{name}@{key}", raw["do"], params, known)
    return found


def upstream(stages: Mapping[str, Stage], last: str) -> list[str]:
    """Return the stages that ``last`` needs, and itself, in an order in which they can run.

    The stage `check` is left out.

    Raises
    ------
    ValueError
        If dvc.yaml has no such stage.
    """
    if last not in stages:
        raise ValueError(f"dvc.yaml has no stage {last}; it has {', '.join(stages)}")
    order: list[str] = []

    def visit(name: str) -> None:
        for other in _before(stages, name):
            visit(other)
        if name not in order and name != CHECK:
            order.append(name)

    visit(last)
    return order


def stage_keys(
    stages: Mapping[str, Stage], order: Sequence[str], params: Mapping
) -> dict[str, str]:
    """Return, for each stage, a hash of the parameters that it and its upstream stages depend on.

    If two cells have the same key, the stage runs once: the second cell takes the outputs from
    DVC's run cache.
    """
    keys: dict[str, str] = {}
    for name in order:
        read = {key: _at(params, key) for key in stages[name].params}
        above = [keys[other] for other in _before(stages, name) if other in keys]
        text = json.dumps([name, read, above, stages[name].deps], sort_keys=True, default=str)
        keys[name] = hashlib.sha256(text.encode()).hexdigest()
    return keys


def code_of(stages: Mapping[str, Stage], order: Sequence[str]) -> list[str]:
    """Return the files and folders of code that these stages depend on."""
    deps = {dep for name in order for dep in stages[name].deps}
    return sorted(dep for dep in deps if dep.startswith(("finllm/", "stages/")))


def _before(stages: Mapping[str, Stage], name: str) -> list[str]:
    """Return the stages whose outputs this stage reads."""
    return [
        other
        for other, stage in stages.items()
        if other != name and any(_same(dep, out) for dep in stages[name].deps for out in stage.outs)
    ]


def _same(dep: str, out: str) -> bool:
    return dep == out or dep.startswith(f"{out}/") or out.startswith(f"{dep}/")


def _stage(name: str, raw: Mapping, params: Mapping, known: Mapping) -> Stage:
    def filled(row: object) -> str:
        text = str(next(iter(row))) if isinstance(row, Mapping) else str(row)
        return re.sub(r"\$\{([^}]+)\}", lambda m: str(_at({**params, **known}, m[1])), text)

    rows = {kind: tuple(map(filled, raw.get(kind, []))) for kind in ("params", "deps", "outs")}
    return Stage(name, **rows)


def _at(tree: Mapping, path: str) -> object:
    for key in path.split("."):
        tree = tree[key]
    return tree
