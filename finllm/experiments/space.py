"""The search space: a YAML file of parameters with values or ranges."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from finllm.settings.checked_record import did_you_mean, parsed_yaml, shown, text_of
from finllm.settings.params import check_params

Value = float | int | str | bool
ALLOWED = (
    "lora.*, train.*, model.quantization, model.double_quantization, model.compute_dtype, "
    "model.attention, model.backend"
)
REFUSED = {  # by key: why trials that differ in it are not comparable
    "train.seed": "the best of several seeds is better only by chance",
    "train.evals_per_run": "the best of more evaluations is lower by chance",
    "train.launcher": "it changes where a training runs, not what it learns",
    "train.devices": "it changes where a training runs, not what it learns",
    "train.checkpoint_every": "it does not change what is learned",
    "model.name": "a loss in nats per token of one tokenizer is not that of another",
}
OF_MODEL = ("quantization", "double_quantization", "compute_dtype", "attention", "backend")


@dataclass(frozen=True)
class Dimension:
    """One parameter of a space, with ``values`` or a range from ``low`` to ``high``."""

    key: str
    values: tuple[Value, ...] = ()
    low: float = math.nan
    high: float = math.nan
    log: bool = False
    whole: bool = False  # whether the range is of whole numbers

    def holds(self, value: object) -> bool:
        """Return whether a value can be drawn."""
        if self.values:
            return value in self.values
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and self.low <= value <= self.high


@dataclass(frozen=True)
class Space:
    """The parameters that a search changes, and the whole content of params.yaml."""

    dimensions: tuple[Dimension, ...]
    params: Mapping[str, object]

    def current(self) -> dict[str, Value]:
        """Return the parameters' values in params.yaml."""
        return {one.key: _get(self.params, one.key) for one in self.dimensions}

    def check(self, settings: Mapping[str, Value]) -> None:
        """Raise an error for settings that do not fit together, as the stages would.

        Raises
        ------
        ValueError
            As `finllm.settings.params.check_params`.
        """
        check_params(
            json.dumps(with_settings(self.params, settings)), "params.yaml with these settings"
        )


def read_space(path: Path, *, params: Path) -> Space:
    """Read a search space from a file; each value is checked like those of params.yaml.

    Raises
    ------
    ValueError
        If the file is missing or not a mapping, a parameter does not exist or would make trials
        incomparable, or a value is not allowed.
    """
    if not path.exists():
        raise ValueError(f"{path}: no such file; see presets/search/lora.yaml for one")
    raw = parsed_yaml(text_of(path), str(path))
    if not isinstance(raw, dict) or not raw:
        raise ValueError(
            f"{path}: it must be a mapping of parameters, such as lora.r, not {shown(raw)}"
        )
    document = parsed_yaml(text_of(params), str(params))
    try:
        found = tuple(_dimension(str(key), spec, document) for key, spec in raw.items())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return Space(found, document)


def _dimension(key: str, spec: object, params: Mapping[str, object]) -> Dimension:
    _check_key(key, params)
    current = _get(params, key)
    if not isinstance(spec, dict) or not (set(spec) == {"values"} or {"low", "high"} <= set(spec)):
        raise ValueError(f"{key} is {spec!r}; it must have values, or low and high (and log)")
    if unknown := set(spec) - {"values", "low", "high", "log"}:
        raise ValueError(f"{key} has {sorted(unknown)[0]!r}; allowed: values, or low, high and log")
    if "values" in spec:
        values = spec["values"]
        if not isinstance(values, list) or not values:
            raise ValueError(f"{key}.values is {values!r}; it must be a list of values")
        _check_values(key, values, params)
        return Dimension(key, values=tuple(values))
    low, high, log = spec["low"], spec["high"], spec.get("log", False)
    if isinstance(current, bool) or not isinstance(current, int | float):
        raise ValueError(f"{key} is {current!r} in params.yaml, not a number; list values instead")
    _check_values(key, [low, high], params)
    if not isinstance(log, bool):
        raise ValueError(f"{key}.log is {log!r}; it must be true or false")
    if low >= high or (log and low <= 0):
        least = "above 0 and " if log else ""
        raise ValueError(f"{key} has low {low!r} and high {high!r}; low must be {least}below high")
    return Dimension(key, low=low, high=high, log=log, whole=_is_whole(key, low, params))


def _check_key(key: str, params: Mapping[str, object]) -> None:
    every = [f"{section}.{name}" for section, rows in params.items() for name in rows]
    if key not in every:
        hint = did_you_mean(key, every)
        raise ValueError(f"unknown parameter {key}{hint} (allowed: {ALLOWED})")
    if key in REFUSED:
        raise ValueError(f"{key} cannot be searched: {REFUSED[key]} (allowed: {ALLOWED})")
    section, name = key.split(".")
    if section not in ("lora", "train") and not (section == "model" and name in OF_MODEL):
        raise ValueError(
            f"{key} cannot be searched: validation losses are comparable only for the same "
            f"examples and base model (allowed: {ALLOWED})"
        )


def _check_values(key: str, values: Sequence[object], params: Mapping[str, object]) -> None:
    for value in values:
        try:
            check_params(json.dumps(with_settings(params, {key: value})), "params.yaml")
        except ValueError as error:
            raise ValueError(str(error).removeprefix("params.yaml: ")) from None
        except TypeError:
            raise ValueError(
                f"{key} has the value {value!r}; it must be a number, text or boolean"
            ) from None


def _is_whole(key: str, low: object, params: Mapping[str, object]) -> bool:
    """Return whether a parameter must be a whole number, found by trying a fraction."""
    try:
        _check_values(key, [float(low) + 0.5], params)
    except ValueError as error:
        return "a whole number" in str(error)
    return False


def _get(params: Mapping[str, object], key: str) -> Value:
    section, name = key.split(".")
    return params[section][name]


def with_settings(params: Mapping[str, object], settings: Mapping[str, object]) -> dict:
    """Return a copy of params.yaml's content with other values, by dotted key; all keys must exist.

    >>> with_settings({"lora": {"r": 8, "alpha": 16}}, {"lora.r": 4})
    {'lora': {'r': 4, 'alpha': 16}}
    """
    changed = copy.deepcopy(dict(params))
    for key, value in settings.items():
        *path, last = key.split(".")
        at = changed
        for part in path:
            at = at[part]
        at[last] = value
    return changed
