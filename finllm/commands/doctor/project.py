"""Checks of the sources, the repository and the state of the pipeline."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from finllm.commands.doctor.finding import INSTALL, Finding, ok, problem, warning

ABSENT = "outputs listed in dvc.lock are missing"
SAMPLE = "sample"  # the source that the stage `sample` writes
WAIT_SECONDS = 120  # for DVC, which hashes changed files


def source(key: str, name: str, raw: Path) -> Finding:
    """Check whether a source, a folder of ``raw``, can be read, by reading its first record.

    ``key`` is the parameter that names the source.
    """
    from finllm.corpus.description import describe_source
    from finllm.corpus.sources import list_sources, read_described
    from finllm.records import Reject

    folder = raw / name
    if name == SAMPLE and not (folder / "source.yaml").is_file():
        return ok("data", f"{folder} is written by the stage `sample`")
    if not folder.is_dir():
        says = f"{key} is {name!r}, but {folder} does not exist; {list_sources(raw)}"
        instead = SAMPLE if key == "data.source" else "none"
        mend = f"dvc exp run -S {key}={instead}"
        return problem("data", says, mend)
    try:
        described = describe_source(folder)
        if described.format == "hub" and described.dataset:
            return ok("data", f"{folder}: {described.dataset} on the Hub, not queried")
        first = next(iter(read_described(described, name=folder / "source.yaml")))
    except ValueError as error:
        return problem("data", str(error), "cat data/raw/README.md")
    if isinstance(first, Reject):
        says = f"{first.file}: the first record cannot be read: {first.reason}: {first.detail}"
        return warning("data", says, f"cat {folder / 'source.yaml'}")
    return ok("data", f"{folder}: format {described.format}, first call {first.id}")


def repository(root: Path, *, has_git: bool) -> Finding:
    """Check whether DVC can run a pipeline in the folder."""
    if not (root / "dvc.yaml").is_file():
        says = f"no dvc.yaml in {root.resolve()}; run this in the repository's own folder"
        return problem("dvc", says, "git rev-parse --show-toplevel")
    if not (root / ".dvc").is_dir():
        return problem("dvc", "not a DVC repository: there is no .dvc", "dvc init")
    if not has_git:
        says = "Git is not installed: no `dvc exp`, no `dvc metrics diff`"
        return warning("dvc", says, "apt-get install git")
    if not (root / ".git").exists():
        says = "not in Git: `make repro` works; `dvc repro`, `dvc exp`, `dvc metrics diff` do not"
        return warning("dvc", says, "git init && git add -A && git commit -m start")
    return ok("dvc", "a DVC and Git repository")


def pipeline(code: int, output: str, errors: str, *, has_remote: bool) -> Finding:
    """Check whether all stages are up to date, from the result of ``dvc status --json``."""
    if code:
        says = (errors.strip().splitlines() or ["no message"])[-1]
        return problem("pipeline", f"dvc status: {says}", "dvc status --verbose")
    try:
        stages = json.loads(output or "{}")
    except json.JSONDecodeError:
        return problem("pipeline", f"dvc status: {output[:80]!r}", "dvc status --verbose")
    if not stages:
        return ok("pipeline", "up to date: dvc.lock, code, parameters and data agree")
    names = stage_names(stages)
    made = [
        state
        for changes in stages.values()
        for change in changes
        if isinstance(change, dict)
        for state in change.get("changed outs", {}).values()
    ]
    if made and all(state in ("not in cache", "deleted") for state in made):
        return warning(
            "pipeline",
            f"{ABSENT}: {some(names)}",
            "dvc pull" if has_remote else "dvc repro",
        )
    return warning("pipeline", f"changed since the last run: {some(names)}", "dvc repro")


def stage_names(stages: Iterable[str]) -> list[str]:
    """Return the stages of a DVC status by their names in dvc.yaml."""
    return [name.removeprefix("dvc.yaml:") for name in stages]


def some(names: Sequence[str], most: int = 5) -> str:
    """Return the first ``most`` names as text, with the number of further ones."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def remote(config: Mapping[str, str], root: Path) -> Finding:
    """Check whether DVC has a remote for the results, from its settings (see ``listed``)."""
    urls = {
        key.removeprefix("remote.").removesuffix(".url"): url
        for key, url in config.items()
        if key.startswith("remote.") and key.endswith(".url")
    }
    if not urls:
        return ok("remote", "none: results exist on this machine only (`dvc remote add`)")
    name = config.get("core.remote", "")
    if name not in urls:
        says = f"{', '.join(urls)}, but none is the default"
        return warning("remote", says, f"dvc remote default {next(iter(urls))}")
    url = urls[name]
    if "://" not in url and not (root / ".dvc" / url).is_dir():
        return warning(
            "remote", f"{name}: {url} does not exist", f"dvc remote modify {name} url URL"
        )
    return ok("remote", f"{name}: {url}")


def listed(config: str) -> dict[str, str]:
    r"""Return the settings that ``dvc config --list`` printed, by key.

    >>> listed("core.remote=store\nremote.store.url=s3://bucket/a=b\n")
    {'core.remote': 'store', 'remote.store.url': 's3://bucket/a=b'}
    """
    pairs = (line.partition("=") for line in config.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def ask_dvc(root: Path, *arguments: str) -> tuple[int, str, str]:
    """Run a DVC command with a time limit; return exit code, output and errors.

    Raises
    ------
    ImportError
        If DVC is not installed.
    """
    command = [sys.executable, "-m", "dvc", *arguments]
    try:
        done = subprocess.run(
            command, cwd=root, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return 1, "", f"no answer within {WAIT_SECONDS} s"
    if "No module named dvc" in done.stderr:
        raise ImportError(f"DVC is not installed: {INSTALL}")
    return done.returncode, done.stdout, done.stderr
