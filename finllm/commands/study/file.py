"""Study files: claim, levels, question, metric, margin and sample size."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from finllm.commands.study.measure import Measure, leaves, read_measure
from finllm.experiments.space import Value, with_settings
from finllm.settings.checked_record import (
    checked_record,
    did_you_mean,
    parsed_yaml,
    shown,
    text_of,
)
from finllm.settings.params import Params

QUESTIONS = ("better", "best", "equivalent", "at_least", "between", "trend")
MARGIN = ("better", "best", "equivalent", "trend")  # questions that need a margin
MIN_SEEDS = 3  # fewer say too little about the variance between seeds, and were not calibrated
KEYS = (
    *("claim", "question", "factor", "levels", "reference", "fixed", "where_present", "seeds"),
    *("metric", "better", "margin", "times", "low", "high", "direction", "alpha", "stop"),
    *("hours", "power", "command", "exact"),
)


@dataclass(frozen=True)
class Level:
    """One level of the factor: its name and its parameters."""

    name: str
    settings: dict[str, Value]


@dataclass(frozen=True)
class Power:
    """Assumptions of a power calculation: true means of the levels, and spread of the scores."""

    means: tuple[float, ...]  # by level
    company_sd: float  # of a level's true mean over companies, without what levels share
    seed_sd: float  # of a level's mean over seeds
    rest_sd: float  # of a company's mean in one run, without the other two
    companies: int  # 1 if a run has a single value


@dataclass(frozen=True)
class Study:
    """A checked study file."""

    name: str
    claim: str
    question: str
    levels: tuple[Level, ...]
    reference: int  # index of the level that the others are compared with; -1 for a trend
    fixed: dict[str, Value]
    seeds: tuple[int, ...]
    measure: Measure
    higher_is_better: bool
    margin: float  # NaN if the question has none
    relative: bool  # whether the margin is a share of the reference's mean
    low: float  # bounds of the ratio, for at_least and between
    high: float
    rising: bool  # direction of a trend
    alpha: float
    sequential: bool
    hours: float
    power: Power | None
    command: str  # runs a cell; empty if cells are DVC experiments
    exact: bool  # values are counted, not measured: no seeds, no error
    digest: str  # hash of the file's content

    def settings(self, level: Level, seed: int) -> dict[str, Value]:
        """Return the parameters of a cell that replace those of params.yaml."""
        found = {**self.fixed, **level.settings, "train.seed": seed}
        if found.get("prefer.method", "none") != "none":
            found["prefer.seed"] = seed
        return found


def read_study(path: Path, *, params: Path) -> Study:
    """Read a study file, and check the parameters of each level like those of params.yaml.

    Raises
    ------
    ValueError
        If the file is missing, or a key or value is not allowed; the message names them.
    """
    if not path.exists():
        raise ValueError(f"{path}: no such file; see studies/ for some")
    raw = parsed_yaml(text_of(path), str(path))
    try:
        return _study(path, raw, params)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def read_yaml(path: Path) -> dict:
    """Return the parsed content of a file, cached until it changes; do not modify it."""
    return _parsed(path.read_text(encoding="utf-8"), str(path))


_parsed = cache(parsed_yaml)


def digest(raw: Mapping) -> str:
    """Return a hash of a study file's content; comments and the order of keys do not matter."""
    return hashlib.sha256(json.dumps(raw, sort_keys=True, default=str).encode()).hexdigest()


def _study(path: Path, raw: object, params: Path) -> Study:
    if not isinstance(raw, dict):
        raise ValueError(f"it must be a mapping, not {shown(raw)}")
    for key in raw:
        if key not in KEYS:
            hint = did_you_mean(str(key), KEYS)
            raise ValueError(f"unknown key {key}{hint} (allowed: {', '.join(KEYS)})")
    question = _choice(raw, "question", QUESTIONS)
    command, exact = _text(raw, "command", ""), _flag(raw, "exact")
    fixed = _fixed(raw)
    levels = _levels(raw)
    if command:
        if fixed or any(key != "level" for level in levels for key in level.settings):
            raise ValueError("command: levels and fixed cannot be parameters beside a command")
        _check_distinct(levels, [level.settings for level in levels])
    else:
        document = read_yaml(params)
        resolved = [checked(document, {**fixed, **one.settings}, one.name) for one in levels]
        _check_distinct(levels, resolved)
    margin, relative = _margin(raw, question)
    low, high = _bounds(raw, question)
    return Study(
        name=path.stem,
        claim=_text(raw, "claim"),
        question=question,
        levels=levels,
        reference=-1 if question == "trend" else _reference(raw, levels),
        fixed=fixed,
        seeds=_seeds(raw, exact),
        measure=read_measure(_text(raw, "metric"), with_command=bool(command)),
        higher_is_better=_choice(raw, "better", ("higher", "lower"), "higher") == "higher",
        margin=margin,
        relative=relative,
        low=low,
        high=high,
        rising=_choice(raw, "direction", ("rising", "falling"), "rising") == "rising",
        alpha=_number(raw, "alpha", 0.05, low=0, high=0.5),
        sequential=_choice(raw, "stop", ("all", "sequential"), "all") == "sequential",
        hours=_number(raw, "hours", low=0, high=10_000),
        power=_power(raw, levels),
        command=command,
        exact=exact,
        digest=digest(raw),
    )


def checked(document: Mapping, settings: Mapping[str, Value], name: str) -> dict:
    """Return the content of params.yaml with these settings, checked as the stages check it.

    Raises
    ------
    ValueError
        If a parameter does not exist or a value is not allowed; the message names the level.
    """
    every = leaves(document)
    for key in settings:
        if key not in every:
            hint = did_you_mean(key, every)
            raise ValueError(f"level {name}: params.yaml has no {key}{hint}")
    changed = with_settings(document, settings)
    try:
        checked_record(Params, changed)
    except ValueError as error:
        raise ValueError(f"level {name}: {error}") from None
    return changed


def _check_distinct(levels: tuple[Level, ...], resolved: list[dict]) -> None:
    for i, one in enumerate(resolved):
        for j in range(i):
            if one == resolved[j]:
                raise ValueError(
                    f"levels {levels[j].name} and {levels[i].name} have equal settings; "
                    "levels must differ"
                )


def _levels(raw: Mapping) -> tuple[Level, ...]:
    rows, factor = raw.get("levels"), raw.get("factor")
    if isinstance(rows, list) and (factor or raw.get("command")):
        key = str(factor) if factor else "level"
        found = tuple(Level(_named(value), {key: value}) for value in rows)
    elif isinstance(rows, dict) and not factor and not raw.get("command"):
        for name, settings in rows.items():
            if not isinstance(settings, dict):
                raise ValueError(f"levels.{name} is {settings!r}; it must map parameters to values")
        found = tuple(Level(str(name), dict(settings)) for name, settings in rows.items())
    else:
        raise ValueError(
            "levels must be a list of values of a factor, or map names to parameters (no factor)"
        )
    if len(found) < 2:
        raise ValueError(f"levels has {len(found)}; a comparison needs at least 2")
    if any("train.seed" in level.settings for level in found):
        raise ValueError("train.seed cannot be a factor; use the key seeds")
    names = [level.name for level in found]
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice:
        raise ValueError(f"levels has {twice} twice; levels must differ")
    return found


def _named(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _fixed(raw: Mapping) -> dict[str, Value]:
    """Return ``fixed``, updated with ``where_present.fixed`` if the path there exists."""
    found = dict(_mapping(raw, "fixed"))
    where = _mapping(raw, "where_present")
    if where and set(where) != {"path", "fixed"}:
        raise ValueError(f"where_present has {', '.join(where)}; it must have path and fixed")
    if where and Path(where["path"]).exists():
        found |= where["fixed"]
    if "train.seed" in found:
        raise ValueError("train.seed cannot be fixed; use the key seeds")
    return found


def _reference(raw: Mapping, levels: tuple[Level, ...]) -> int:
    names = [level.name for level in levels]
    if "reference" not in raw or _named(raw["reference"]) not in names:
        said = raw.get("reference", "missing")
        raise ValueError(f"reference is {said!r}; it must be one of {', '.join(names)}")
    return names.index(_named(raw["reference"]))


def _seeds(raw: Mapping, exact: bool) -> tuple[int, ...]:
    if exact:
        if "seeds" in raw or raw.get("stop"):
            raise ValueError("exact: remove seeds and stop; counted values need neither")
        return (0,)
    seeds = raw.get("seeds")
    if not isinstance(seeds, list) or not all(type(seed) is int and seed >= 0 for seed in seeds):
        raise ValueError(f"seeds is {seeds!r}; it must be a list of whole numbers of at least 0")
    if len(set(seeds)) < max(len(seeds), MIN_SEEDS):
        raise ValueError(
            f"seeds is {seeds!r}; it must have at least {MIN_SEEDS} different seeds: how a level "
            "varies from one training to the next is part of every answer"
        )
    return tuple(seeds)


def _margin(raw: Mapping, question: str) -> tuple[float, bool]:
    if question not in MARGIN:
        if "margin" in raw:
            raise ValueError(f"margin: not allowed for the question {question}")
        return float("nan"), False
    value = raw.get("margin")
    relative = isinstance(value, str) and value.rstrip().endswith("%")
    try:
        number = float(value.rstrip(" %")) / 100 if relative else value
    except ValueError:
        number = None
    if type(number) not in (int, float) or not 0 < number < float("inf"):
        raise ValueError(
            f"margin is {value!r}; it must be above 0, in the metric's units or as a share of the "
            "reference's mean, such as 1 %: a difference of less counts as none"
        )
    if relative and question != "equivalent":
        raise ValueError(f"margin is {value!r}; only the question equivalent takes a share")
    return float(number), relative


def _bounds(raw: Mapping, question: str) -> tuple[float, float]:
    nan = float("nan")
    wanted = {"at_least": ("times",), "between": ("low", "high")}.get(question, ())
    for key in ("times", "low", "high"):
        if key in raw and key not in wanted:
            raise ValueError(f"{key}: not allowed for the question {question}")
    found = [_number(raw, key, low=0, high=1e12) for key in wanted]
    if question == "between" and found[0] >= found[1]:
        raise ValueError(f"low is {found[0]:g} and high is {found[1]:g}; low must be below high")
    return (found[0], found[-1]) if found else (nan, nan)


def _power(raw: Mapping, levels: tuple[Level, ...]) -> Power | None:
    if "power" not in raw:
        return None
    found = _mapping(raw, "power")
    keys = ("means", "company_sd", "seed_sd", "rest_sd", "companies")
    if set(found) != set(keys):
        raise ValueError(f"power has {', '.join(found) or 'nothing'}; it must have {keys}")
    means = found["means"]
    if not isinstance(means, list) or len(means) != len(levels):
        raise ValueError(f"power.means is {means!r}; it must have a number for each level")
    if type(found["companies"]) is not int or found["companies"] < 1:
        raise ValueError(f"power.companies is {found['companies']!r}; it must be at least 1")
    sds = [_number(found, key, low=-1e-9, high=1e12) for key in keys[1:4]]
    return Power(tuple(float(mean) for mean in means), *sds, found["companies"])


def _mapping(raw: Mapping, key: str) -> dict:
    found = raw.get(key, {})
    if not isinstance(found, dict):
        raise ValueError(f"{key} is {found!r}; it must be a mapping")
    return found


def _text(raw: Mapping, key: str, default: str | None = None) -> str:
    value = raw.get(key, default)
    if not isinstance(value, str) or not (value.strip() or default == ""):
        raise ValueError(f"{key} is {value!r}; it must be text")
    return " ".join(value.split())


def _choice(raw: Mapping, key: str, allowed: tuple[str, ...], default: str = "") -> str:
    value = raw.get(key, default)
    if value not in allowed:
        raise ValueError(f"{key} is {value!r}; it must be one of {', '.join(allowed)}")
    return value


def _flag(raw: Mapping, key: str) -> bool:
    value = raw.get(key, False)
    if not isinstance(value, bool):
        raise ValueError(f"{key} is {value!r}; it must be true or false")
    return value


def _number(
    raw: Mapping, key: str, default: float | None = None, *, low: float, high: float
) -> float:
    value = raw.get(key, default)
    if type(value) not in (int, float) or not low < value <= high:
        at_least = "at least 0" if low < 0 else f"above {low:g}"
        raise ValueError(f"{key} is {value!r}; it must be {at_least} and at most {high:g}")
    return float(value)
