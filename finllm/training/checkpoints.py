"""Atomic checkpoints on disk, in one folder per run.

A run is defined by its parameters, encoded examples, base weights, code and libraries, and by the
kind of processor and number of threads, on which rounding depends. Their hash names the folder, so
that a run never finds the checkpoint of another one. Files are safetensors and JSON only.
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
    """Return the folder of a run, named by a hash of all that its result depends on.

    The name ends in the number of processes.

    Parameters
    ----------
    root
        Parent folder of the runs' folders.
    settings
        Parameters that the result depends on, and the hash of the base weights; JSON-serialisable.
    sets
        Encoded examples by set, as the model sees them: prompt and mask included.
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
    """Create the run's folder and lock it for this process.

    The kernel releases the lock when the process ends, however it ends. In a training with several
    processes, the first one takes the lock for all of them and alone creates and removes the
    folder. An empty folder is removed at the end.

    Parameters
    ----------
    run
        The folder.
    wait
        Whether to wait for another process that has the lock, as for experiments run in parallel.

    Raises
    ------
    ValueError
        If another process is training the same run, such as one whose parent was killed, and
        ``wait`` is false.
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
        except FileNotFoundError:  # the process that had the lock has just removed the folder
            continue
        if _locked(descriptor, run, wait=wait):
            return descriptor
        os.close(descriptor)


def _locked(descriptor: int, run: Path, *, wait: bool) -> bool:
    """Return whether the lock was taken; False if the folder was removed during the wait."""
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
    """Write the checkpoint of a step, then remove all but the last two.

    Everything is written to disk under a temporary name, with the SHA-256 of each file, before the
    folder is renamed: a kill at any moment leaves a complete checkpoint or none.

    Raises
    ------
    OSError
        If it cannot be written; earlier checkpoints are intact, and no partial one is left.
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
        shutil.rmtree(folder, ignore_errors=True)  # an unreadable one of the same step
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
    """Return the newest checkpoint whose files match their hashes, or None if there is none.

    A damaged checkpoint is reported on stderr, and the one before it is tried.
    """
    for folder in _steps(run):
        fault = _fault(folder)
        if not fault:
            return folder
        screen.warn(f"checkpoint {folder} is skipped: {fault}")
    return None


def read_checkpoint(folder: Path) -> dict[str, bytes]:
    """Return the contents of a checkpoint's files, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != MANIFEST}


def on_other_devices(run: Path) -> str:
    """Return a notice if this training has a checkpoint with another process count, else "".

    Each step then has another effective batch, so a run with fewer or more processes is another
    run.
    """
    name, _, n = run.name.rpartition("-")
    for other in sorted(run.parent.glob(f"{name}-*")) if name else []:
        newest = newest_checkpoint(other) if other.name != run.name else None
        if newest is not None:
            was = other.name.rpartition("-")[2]
            return (
                f"a checkpoint of this training on {was} devices is at {newest}, but now there are "
                f"{n}: this run starts from its first step; make {was} visible to resume from it"
            )
    return ""


def continues_from(run: Path | None) -> str:
    """Return a sentence that says from which step the next training of this run starts."""
    newest = newest_checkpoint(run) if run else None
    if newest is None:
        return "no checkpoint was written yet, so the next run starts from the first step"
    return f"the next run of the same parameters and data resumes from step {int(newest.name[5:])}"


def _steps(run: Path) -> list[Path]:
    """Return the checkpoints of a run, newest first."""
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
