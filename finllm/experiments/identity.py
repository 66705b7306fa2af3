"""Identity of a search: trials are comparable only with equal space, data, code and processor."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ruamel.yaml import YAML

from finllm.experiments.space import Space


def study_name(space: Space, space_file: Path, *, project: Path, stage: str) -> str:
    """Return the name of a search: its space file's name and a hash of all that a loss depends on.

    That is the space, the stage's other parameters and its dependencies, as declared in dvc.yaml,
    the libraries, and the kind of processor, because results on different processors differ in
    their last bits.

    Raises
    ------
    ValueError
        If a dependency is missing.
    """
    from finllm.model import arithmetic  # imports torch, which takes seconds

    body = YAML(typ="safe").load((project / "dvc.yaml").read_text(encoding="utf-8"))
    declared = body["stages"][stage]
    digest = hashlib.sha256(repr(space.dimensions).encode())
    searched = {one.key for one in space.dimensions}
    fixed = _declared(space.params, declared["params"])
    fixed = {key: value for key, value in fixed.items() if key not in searched}
    digest.update(json.dumps(fixed, sort_keys=True).encode())
    machine = {"libraries": arithmetic.libraries(), "arithmetic": arithmetic.kind()}
    digest.update(json.dumps(machine, sort_keys=True).encode())
    for dependency in declared["deps"]:
        add_files(digest, project / dependency)
    return f"{space_file.stem}-{digest.hexdigest()[:6]}"


def _declared(params: Mapping, keys: Sequence[str]) -> dict[str, object]:
    """Return the parameters that a stage declares, by dotted key."""
    found = {}
    for key in keys:
        section, _, name = key.partition(".")
        names = [name] if name else params[section]
        found |= {f"{section}.{one}": params[section][one] for one in names}
    return found


def add_files(digest: hashlib._Hash, path: Path) -> None:
    """Add the name and content of a file, or of all files below a folder, to a hash.

    Raises
    ------
    ValueError
        If there is no such path.
    """
    if not path.exists():
        raise ValueError(f"{path}: no such file; run `dvc repro split` first")
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in files:
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(file.name.encode())
            with open(file, "rb") as content:
                while block := content.read(2**20):
                    digest.update(block)
