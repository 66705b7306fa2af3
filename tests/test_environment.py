"""Before the packages are there: the Python is checked, and a half-made .venv is made anew."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from finllm.runtime import environment

ROOT = Path(__file__).parents[1]
TOOLS = ("sh", "env", "make", "dirname", "tr", "grep", "paste", "rm", "basename", "cat")
OLD = '#!/bin/sh\ncase "$2" in\n*print*) echo 3.10 ;;\n*) exit 1 ;;\nesac\n'


@pytest.fixture
def machine(tmp_path):
    """A machine with the tools of a shell and no Python, and the project's folder on it."""
    project, tools = tmp_path / "project", tmp_path / "bin"
    (project / "finllm" / "runtime").mkdir(parents=True)
    tools.mkdir()
    for name in ("Makefile", "environment.sh"):
        shutil.copy(ROOT / name, project)
    (project / "finllm" / "runtime" / "installing.py").write_text("print('installing')\n")
    for name in TOOLS:
        (tools / name).symlink_to(shutil.which(name))
    return project


def program(machine: Path, name: str, text: str) -> None:
    """A program of this machine."""
    path = machine.parent / "bin" / name
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def this_python(machine: Path, name: str) -> None:
    program(machine, name, f'#!/bin/sh\nexec {sys._base_executable} "$@"\n')


def make(machine: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["make", "environment", *arguments],
        cwd=machine, capture_output=True, text=True, check=False,
        env={"PATH": str(machine.parent / "bin"), "HOME": str(machine)},
    )  # fmt: skip


def refusal(machine: Path, *arguments: str) -> str:
    """What `make` says when it stops: one line, and make's own."""
    done = make(machine, *arguments)
    assert done.returncode == 2
    first, *others = done.stderr.splitlines()
    assert len(others) == 1 and others[0].startswith("make: ***")
    assert first.startswith("environment: ")
    return first


def test_a_machine_without_python_is_told_what_to_install(machine):
    said = refusal(machine)
    assert "there is no python3, but 3.11 to 3.13 are needed; install one" in said


def test_an_old_python3_alone_is_named_with_its_version(machine):
    program(machine, "python3", OLD)
    assert "python3 is Python 3.10, but 3.11 to 3.13 are needed" in refusal(machine)


def test_a_wrong_python_is_refused_before_anything_is_made_and_a_right_one_named(machine):
    program(machine, "python3.10", OLD)
    this_python(machine, "python3.12")
    said = refusal(machine, "PYTHON=python3.10")
    assert "PYTHON is python3.10, which is Python 3.10" in said
    assert "make repro PYTHON=python3.12" in said
    assert not (machine / ".venv").exists()


def test_a_mistyped_python_is_named(machine):
    assert "PYTHON is pyton3, but there is no such program" in refusal(machine, "PYTHON=pyton3")


def test_a_python_without_venv_is_told_which_package_to_install(machine):
    text = f'#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\nexec {sys._base_executable} "$@"\n'
    program(machine, "python3", text)
    version = ".".join(map(str, sys.version_info[:2]))
    assert f"apt-get install python{version}-venv" in refusal(machine)


def test_the_first_python_that_fits_is_taken_where_python3_is_too_old(machine):
    program(machine, "python3", OLD)
    this_python(machine, "python3.12")
    done = make(machine)
    assert done.returncode == 0 and done.stdout == "installing\n"
    assert (machine / ".venv" / "bin" / "python").exists()
    assert make(machine).stdout == "installing\n"  # the one that is there is used again


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        ("old", "uses Python 3.10, but 3.11 to 3.13 are needed"),
        ("gone", "has no working Python"),
        ("no pip", "has no pip: its creation was interrupted"),
    ],
)
def test_an_environment_that_does_not_fit_is_made_anew(machine, harm, why):
    this_python(machine, "python3")
    assert make(machine).returncode == 0
    python = machine / ".venv" / "bin" / "python"
    if harm == "no pip":
        for folder in (machine / ".venv").glob("lib*/python*/site-packages/pip"):
            shutil.rmtree(folder)
    else:
        python.unlink()
    if harm == "old":
        python.write_text(OLD)
        python.chmod(0o755)
    done = make(machine)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f".venv {why}; recreating it\ninstalling\n"


def test_a_link_is_never_removed(machine):
    this_python(machine, "python3")
    (machine / "elsewhere").mkdir()
    (machine / ".venv").symlink_to("elsewhere")
    assert "and is a link; remove it: rm .venv" in refusal(machine)
    assert (machine / ".venv").is_symlink()


# Outside the environment, where a package is missing.


def outside(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """A command of the project under a Python without any package."""
    return subprocess.run(
        [sys._base_executable, "-S", "-m", *arguments],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.mark.parametrize(
    "arguments", ["finllm", "finllm doctor", "finllm verdict", "stages.sample"]
)
@pytest.mark.parametrize(
    ("made", "hint"), [(True, "source .venv/bin/activate"), (False, "`make repro`")]
)
def test_a_command_outside_the_environment_is_one_sentence(tmp_path, arguments, made, hint):
    if made:
        (tmp_path / ".venv" / "bin").mkdir(parents=True)
        (tmp_path / ".venv" / "bin" / "activate").write_text("")
    done = outside(tmp_path, *arguments.split())
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and done.stdout == ""
    assert re.match(r"(finllm|stages): package \w+ is missing; ", done.stderr)
    assert hint in done.stderr


def test_another_python_is_named_with_what_is_needed(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    assert not environment.python_fits()
    assert "Python 3.10 is not supported (3.11 to 3.13 are)" in environment.wrong_python()
