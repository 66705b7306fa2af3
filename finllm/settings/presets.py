"""Presets, which are sets of values for params.yaml, and their application."""

from __future__ import annotations

import io
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from finllm.records import write_text
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
        If there is no such preset, if the preset names a key that params.yaml does not have, or if
        the result is not allowed.
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
        raise ValueError(f"no preset {name!r}; available: {', '.join(preset_names(folder))}")
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 200
    document = yaml.load(params.read_text(encoding="utf-8"))
    values = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    changed = _merge(document, values, f"{path}: ", "")
    text = io.StringIO()
    yaml.dump(document, text)
    check_params(text.getvalue(), f"{params} with preset {name}")
    return text.getvalue(), changed


def _merge(target: CommentedMap, values: dict, where: str, prefix: str) -> list[str]:
    changed = []
    for key, value in values.items():
        if key not in target:
            raise ValueError(f"{where}unknown key {prefix}{key} (allowed: {', '.join(target)})")
        if isinstance(value, dict):
            changed += _merge(target[key], value, where, f"{prefix}{key}.")
        elif target[key] != value:
            target[key] = value
            changed.append(f"{prefix}{key}")
    return changed
