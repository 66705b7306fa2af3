"""Presets, which are sets of values for params.yaml, and their application."""

from __future__ import annotations

import io
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from finllm.records import write_text
from finllm.settings.checked_record import did_you_mean, parsed_yaml, shown, text_of
from finllm.settings.params import Params, check_params


def preset_names(folder: Path) -> list[str]:
    """Return the sorted names of the presets in a folder."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def apply_preset(name: str, *, folder: Path, params: Path) -> list[str]:
    """Write a preset's values into params.yaml, and return the keys whose values changed.

    Comments and order are preserved, so that ``git diff`` shows exactly the changes. Nothing is
    written unless the result is a valid params.yaml.

    Raises
    ------
    ValueError
        If there is no such preset, if a file is not valid, if the preset names a key that
        params.yaml does not have, or if the result is not allowed.
    """
    text, changed = _with_preset(name, folder, params)
    write_text(params, text)
    return changed


def preset_params(name: str, *, folder: Path, params: Path) -> Params:
    """Return the parameters as ``apply_preset`` would leave them, without writing anything."""
    text, _ = _with_preset(name, folder, params)
    return check_params(text, f"{params} with preset {name}")


def _with_preset(name: str, folder: Path, params: Path) -> tuple[str, list[str]]:
    path = folder / f"{name}.yaml"
    if not path.is_file():
        names = preset_names(folder)
        hint = did_you_mean(name, names)
        raise ValueError(f"no preset {name!r} in {folder}{hint} ({_available(names)})")
    text = text_of(params)
    _mapping(text, str(params))
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 200
    document = yaml.load(text)
    changed = _merge(document, _mapping(text_of(path), str(path)), f"{path}: ", "")
    merged = io.StringIO()
    yaml.dump(document, merged)
    check_params(merged.getvalue(), f"{params} with preset {name}")
    return merged.getvalue(), changed


def _mapping(text: str, where: str) -> dict:
    found = parsed_yaml(text, where)
    if not isinstance(found, dict):
        raise ValueError(f"{where}: it must be a mapping of parameters, not {shown(found)}")
    return found


def _available(names: list[str]) -> str:
    return f"available: {', '.join(names)}" if names else "it has no preset"


def _merge(target: CommentedMap, values: dict, where: str, prefix: str) -> list[str]:
    changed = []
    for key, value in values.items():
        if key not in target:
            hint = did_you_mean(str(key), target, prefix=prefix)
            allowed = ", ".join(target)
            raise ValueError(f"{where}unknown key {prefix}{key}{hint} (allowed: {allowed})")
        if isinstance(value, dict) and isinstance(target[key], dict):
            changed += _merge(target[key], value, where, f"{prefix}{key}.")
        elif target[key] != value:
            target[key] = value
            changed.append(f"{prefix}{key}")
    return changed
