"""A copy of the pipeline whose stages only write their outputs, under git and DVC, run once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
CODE = ("finllm", "stages")
DATA = ("data/lexicon", "data/raw/none", "data/ratings", "data/review/ratings")

FAKE = """
import pathlib, sys
pairs = dict(zip(sys.argv[1::2], sys.argv[2::2]))
for out in sys.argv[sys.argv.index("--") + 1:]:
    path = pathlib.Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix:
        path.write_text('{"value": 1}' if path.suffix == ".json" else "step,value\\n0,1\\n")
    else:
        path.mkdir(exist_ok=True)
        (path / "file.txt").write_text("x")
"""


def outputs(stage: dict, key: str = "") -> list[str]:
    found = []
    for kind in ("outs", "metrics", "plots"):
        for out in stage.get(kind, []):
            path = next(iter(out)) if isinstance(out, dict) else out
            found.append(str(path).replace("${key}", key or "${key}"))
    return found


def write_project(root: Path, *, scripts: Mapping[str, str] | None = None) -> Path:
    """Make the project in ``root`` and run and commit it.

    Parameters
    ----------
    root
        An empty folder.
    scripts
        By stage, the text of the script that it runs in place of the one that writes constants.
    """
    for folder in (*CODE, *DATA, "presets"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("params.yaml", "requirements-models.txt", ".gitignore", ".dvcignore"):
        shutil.copy(ROOT / file, root / file)
    (root / "fake.py").write_text(FAKE)
    document = YAML(typ="safe").load(ROOT / "dvc.yaml")
    for name, stage in document["stages"].items():
        target = stage.get("do", stage)
        script = "fake.py"
        if scripts and name in scripts:
            script = f"fake_{name}.py"
            (root / script).write_text(scripts[name])
        target["cmd"] = f"python {script} -- " + " ".join(outputs(target))
    document.pop("plots")
    with open(root / "dvc.yaml", "w", encoding="utf-8") as file:
        YAML(typ="safe").dump(document, file)
    git(root, "init", "-q", "-b", "main")
    git(root, "config", "user.email", "test@example.org")
    git(root, "config", "user.name", "test")
    dvc(root, "init", "-q")
    dvc(root, "repro")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "run")
    return root


def environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1", "DVC_TEST": "1"}


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=root, check=True, capture_output=True, text=True
    ).stdout


def dvc(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
