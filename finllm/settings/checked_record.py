"""Typed, frozen records from a mapping in a file; invalid values raise readable errors.

A field's annotation is its type; a range (``within``) or a list of allowed values (``one_of``) may
follow it.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Iterable
from dataclasses import field
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError


def within(low: float, high: float = float("inf"), *, above_low: bool = False) -> typing.Any:
    """Declare a field as a number in [low, high], or in (low, high] with ``above_low``."""
    return field(metadata={"low": low, "high": high, "above_low": above_low})


def one_of(*allowed: object) -> typing.Any:
    """Declare a field as one of the given values."""
    return field(metadata={"allowed": allowed})


def checked_record(kind: type, raw: object, prefix: str = "") -> typing.Any:
    """Convert a mapping to a frozen record, with nested mappings as records of their own.

    Parameters
    ----------
    kind
        A dataclass whose fields are numbers, text, booleans, tuples of text, or such dataclasses.
    prefix
        Text before each key in messages.

    Raises
    ------
    ValueError
        If a key is unknown or missing, or a value has another type or is not allowed. The message
        names the key, the value and the allowed values.
    """
    if not isinstance(raw, dict):
        raise ValueError(f"{prefix.rstrip('.') or 'the file'} must be a mapping, not {shown(raw)}")
    fields = dataclasses.fields(kind)
    names = [spec.name for spec in fields]
    for key in raw:
        if key not in names:
            hint = did_you_mean(str(key), names, prefix=prefix)
            raise ValueError(f"unknown key {prefix}{key}{hint} (allowed: {', '.join(names)})")
    missing = [name for name in names if name not in raw]
    if missing:
        raise ValueError(f"missing key {prefix}{missing[0]}")
    hints = typing.get_type_hints(kind)
    values = {
        spec.name: _value(hints[spec.name], raw[spec.name], f"{prefix}{spec.name}", spec.metadata)
        for spec in fields
    }
    return kind(**values)


def did_you_mean(name: str, known: Iterable[str], *, prefix: str = "", cutoff: float = 0.6) -> str:
    """Return the end of a message about an unknown name: the most similar known name, or "".

    If none is similar, it is the only known name that begins like the unknown one.

    >>> did_you_mean("lora.rnak", ["lora.r", "lora.rank"])
    '; did you mean lora.rank?'
    >>> did_you_mean("rank", ["r", "alpha", "dora"]), did_you_mean("LoRA", ["lora", "model"])
    ('; did you mean r?', '; did you mean lora?')
    >>> did_you_mean("seed", ["alpha"])
    ''
    """
    by_lower = {one.lower(): one for one in known}
    wanted = name.lower()
    close = difflib.get_close_matches(wanted, by_lower, n=1, cutoff=cutoff)
    if not close:
        close = [one for one in by_lower if wanted.startswith(one) or one.startswith(wanted)]
    return f"; did you mean {prefix}{by_lower[close[0]]}?" if len(close) == 1 else ""


def shown(raw: object, longest: int = 60) -> str:
    """Return a value as a YAML file has it, for a message; a long one is cut.

    >>> shown(None), shown(True), shown("a" * 70)[-5:], shown(0.5)
    ('empty', 'true', 'aa...', '0.5')
    """
    if raw is None:
        return "empty"
    text = str(raw).lower() if isinstance(raw, bool) else repr(raw)
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def text_of(path: Path) -> str:
    """Return the text of a settings file.

    Raises
    ------
    ValueError
        If the path is a folder, or the file is not UTF-8; the message names it.
    """
    if path.is_dir():
        raise ValueError(f"{path}: a folder, not a file")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not text in UTF-8") from None


def parsed_yaml(text: str, where: str) -> typing.Any:
    """Parse a YAML 1.2 text, in which 2e-4 is a number.

    Raises
    ------
    ValueError
        If the text is not YAML; the message begins with ``where``, the name of the file.
    """
    try:
        return YAML(typ="safe").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        says = " ".join((error.problem or error.context or "").split())
        hint = "; check the indentation and the colons" if "<block" in says else ""
        raise ValueError(f"{where}: not valid YAML: {at}{says}{hint}") from None
    except YAMLError as error:
        raise ValueError(f"{where}: not valid YAML: {' '.join(str(error).split())}") from None


def _value(kind: typing.Any, raw: object, key: str, metadata: typing.Mapping) -> object:
    if dataclasses.is_dataclass(kind):
        return checked_record(kind, raw, f"{key}.")
    if kind == tuple[str, ...]:
        if not isinstance(raw, list) or not all(isinstance(item, str) for item in raw):
            raise ValueError(f"{key} is {shown(raw)}; it must be a list of strings")
        return tuple(raw)
    wanted = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}[kind]
    if kind is float and isinstance(raw, int) and not isinstance(raw, bool):
        raw = float(raw)
    if type(raw) is not kind:
        raise ValueError(f"{key} is {shown(raw)}; it must be {wanted}")
    if "allowed" in metadata and raw not in metadata["allowed"]:
        raise ValueError(f"{key} is {raw!r}; it must be one of {', '.join(metadata['allowed'])}")
    if "low" in metadata and not _in_range(raw, metadata):
        low, high = metadata["low"], metadata["high"]
        bounds = f"{'above' if metadata['above_low'] else 'at least'} {_bound(low)}"
        bounds += "" if high == float("inf") else f" and at most {_bound(high)}"
        raise ValueError(f"{key} is {raw!r}; it must be {bounds}")
    return raw


def _bound(value: float) -> str:
    return f"{value:,.0f}" if value >= 10_000 else f"{value:g}"


def _in_range(value: float, metadata: typing.Mapping) -> bool:
    above = value > metadata["low"] if metadata["above_low"] else value >= metadata["low"]
    return above and value <= metadata["high"] and value != float("inf")  # NaN fails both
