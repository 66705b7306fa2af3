"""Atomic checkpoints on disk, in a folder per run.

A run is its parameters, its encoded examples, its base weights, its code, its libraries and the
kind of processor that rounds; their hash names the folder, so that a checkpoint of anything else is
never found. Safetensors and JSON only.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

import finllm.model
import finllm.training
from finllm.instruct.chat import Encoded
from finllm.model import arithmetic
from finllm.runtime import screen

KEPT = 2  # the newest, and the one before it in case the newest cannot be read
MANIFEST = "manifest.json"


def run_folder(
    root: Path, *, settings: Mapping[str, object], sets: Mapping[str, Sequence[Encoded]]
) -> Path:
    """The folder of one run: the hash of all that its result depends on, and its processes.

    Parameters
    ----------
    root
        Where the runs' folders are.
    settings
        The parameters that the result depends on, and the hash of the base weights; what JSON can
        hold.
    sets
        The encoded examples by set: as the model sees them, prompt and mask included.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    machine = {
        "libraries": arithmetic.libraries(),
        "arithmetic": arithmetic.kind(),
        "threads": torch.get_num_threads(),
    }
    digest.update(json.dumps(machine, sort_keys=True).encode())
    for package in (finllm.model, finllm.training):
        for source in sorted(Path(package.__path__[0]).glob("*.py")):
            digest.update(source.read_bytes())
    for name, rows in sorted(sets.items()):
        encoded = [(row.n_prompt, row.input_ids, row.silent) for row in rows]
        digest.update(json.dumps([name, encoded]).encode())
    return root / f"{digest.hexdigest()[:16]}-{os.environ.get('WORLD_SIZE', '1')}"


@contextmanager
def held(run: Path, *, wait: bool = False) -> Iterator[None]:
    """Make the run's folder and hold it for this process; the kernel frees it on any death.

    Of several processes of one training the first holds it for all, and alone makes and removes it.
    An empty folder is not left.

    Parameters
    ----------
    run
        The folder.
    wait
        Whether to wait for another process that holds it, as experiments do that run side by side.

    Raises
    ------
    ValueError
        If another process is training the same run, such as one whose parent was killed.
    """
    if os.environ.get("RANK", "0") != "0":
        yield
        return
    descriptor = _descriptor(run, wait=wait)
    try:
        yield
    finally:
        if run.is_dir() and not any(run.iterdir()):
            run.rmdir()
        os.close(descriptor)


def _descriptor(run: Path, *, wait: bool) -> int:
    while True:
        run.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(run, os.O_RDONLY)
        except FileNotFoundError:  # the one that held it has just removed it
            continue
        if _locked(descriptor, run, wait=wait):
            return descriptor
        os.close(descriptor)


def _locked(descriptor: int, run: Path, *, wait: bool) -> bool:
    """Whether the folder is held now; not where it was removed while this waited for it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = f"another process is training the same run ({run}); "
        if not wait:
            os.close(descriptor)
            raise ValueError(f"{text}wait for it or stop it") from None
        screen.say(f"{text}this run waits for it")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return run.is_dir() and os.path.samestat(os.fstat(descriptor), os.stat(run))


def write_checkpoint(run: Path, step: int, files: Mapping[str, bytes]) -> None:
    """Write the checkpoint of a step, then remove those that are older than the last two.

    All is on disk under a temporary name, with the SHA-256 of each file, before the name is
    changed: a kill at any moment leaves a whole checkpoint or none.

    Raises
    ------
    OSError
        If it cannot be written; those before it are intact, and nothing half-written is left.
    """
    folder = run / f"step-{step:06d}"
    temporary = folder.with_suffix(".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    try:
        temporary.mkdir(parents=True)
        for name, content in files.items():
            _write(temporary / name, content)
        _write(temporary / MANIFEST, json.dumps({"step": step, "sha256": hashes}).encode())
        _sync(temporary)
        shutil.rmtree(folder, ignore_errors=True)  # one that could not be read
        os.replace(temporary, folder)
        _sync(run)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        size = sum(map(len, files.values())) / 1e6
        raise OSError(
            f"the checkpoint of step {step} ({size:.0f} MB) cannot be written to {run}: "
            f"{'the disk is full' if full else error}; free some space or set FINLLM_CHECKPOINTS "
            f"to another folder; {continues_from(run)}"
        ) from None
    for old in _steps(run)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def newest_checkpoint(run: Path) -> Path | None:
    """The newest checkpoint whose files are what was written; None if there is none.

    One that is not whole is named on stderr, and the one before it is taken.
    """
    for folder in _steps(run):
        fault = _fault(folder)
        if not fault:
            return folder
        screen.warn(f"checkpoint {folder} is skipped: {fault}")
    return None


def read_checkpoint(folder: Path) -> dict[str, bytes]:
    """The contents of a checkpoint's files, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != MANIFEST}


def on_other_devices(run: Path) -> str:
    """That the same training has a checkpoint on another number of processes; empty otherwise.

    Its steps have another effective batch, so a run with fewer or more of them is another run.
    """
    name, _, n = run.name.rpartition("-")
    for other in sorted(run.parent.glob(f"{name}-*")) if name else []:
        newest = newest_checkpoint(other) if other.name != run.name else None
        if newest is not None:
            was = other.name.rpartition("-")[2]
            return (
                f"a checkpoint of this training on {was} devices is at {newest}, and now there are "
                f"{n}: this run starts from its first step; make {was} visible to go on from there"
            )
    return ""


def continues_from(run: Path | None) -> str:
    """Where the next training of the same run starts, in words."""
    newest = newest_checkpoint(run) if run else None
    if newest is None:
        return "no checkpoint was written yet, so the next run starts from the first step"
    return f"the next run of the same parameters and data resumes from step {int(newest.name[5:])}"


def _steps(run: Path) -> list[Path]:
    """The checkpoints of a run, the newest first."""
    return sorted(run.glob("step-" + "[0-9]" * 6), reverse=True)


def _fault(folder: Path) -> str:
    try:
        hashes = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["sha256"]
        files = read_checkpoint(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"its {MANIFEST} cannot be read ({error})"
    for name, expected in hashes.items():
        if name not in files:
            return f"{name} is missing"
        if hashlib.sha256(files[name]).hexdigest() != expected:
            return f"{name} is not what was written (truncated or corrupt)"
    return ""


def _write(path: Path, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
