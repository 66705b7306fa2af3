"""What a person sees of a stage, on a terminal and in a pipe; everything else is in its log."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from finllm.runtime import screen

ROOT = Path(__file__).parents[1]

# A stage whose libraries chatter on every stream, as the real ones do.
STAGE = """
import sys
sys.argv = ["-m"]  # as Python has it while `python -m stages.work` imports the package
import logging, os, time, warnings
import stages
from finllm.runtime import screen
from stages import adapter

def main():
    print("{'loss': '2.08', 'grad_norm': '1.405'}")
    print("pip install kernels", file=sys.stderr)
    logging.getLogger("library").warning("a library warns")
    warnings.warn("deprecated", FutureWarning)
    os.system("echo from a child process")
    os.write(2, b"from a C extension\\n")
    for _ in screen.Bar(range(3), desc="work", unit="thing"):
        time.sleep(0.15)
    screen.warn("work: alarm")
    %s
    return "3 things"

adapter.run(main)
"""
NOISE = ("loss", "kernels", "library", "deprecated", "child", "extension")


def start(folder: Path, *, body: str = "", terminal: bool, **variables: str):
    """The stage as DVC starts it; the process and where its output can be read."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DVC_STAGE": "work", **variables}
    environment.pop("RANK", None)
    read, write = pty.openpty() if terminal else os.pipe()
    if terminal:
        termios.tcsetwinsize(write, (40, 100))
    process = subprocess.Popen(
        [sys.executable, "-c", STAGE % body],
        cwd=folder, env=environment, stdout=write, stderr=write, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(write)
    return process, read


def read_all(descriptor: int) -> str:
    """What was written there until it was closed."""
    parts = []
    while True:
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # how a terminal says that it was closed
            break
        if not part:
            break
        parts.append(part)
    os.close(descriptor)
    return b"".join(parts).decode()


def ran(folder: Path, **others) -> tuple[int, str]:
    process, descriptor = start(folder, **others)
    said = read_all(descriptor)
    return process.wait(), said


def lasting(said: str) -> list[str]:
    """The lines that are left on a terminal when all that was written over is gone."""
    lines = re.split(r"\r?\n", said)
    return [re.split(r"\r|\x1b\[K", line)[-1].strip() for line in lines if line.strip()]


def test_in_a_pipe_a_stage_is_a_line_and_its_alarms(tmp_path):
    code, said = ran(tmp_path, terminal=False)
    assert code == 0
    assert said.splitlines() == ["work: alarm", said.splitlines()[1]]
    assert re.fullmatch(r"work            3 things( \(\d+ s\))?", said.splitlines()[1])


def test_on_a_terminal_there_is_a_bar_with_the_time_left_and_then_the_same_lines(tmp_path):
    code, said = ran(tmp_path, terminal=True)
    assert code == 0
    assert re.search(r"work +\d+% \|.*\| 2/3 things, 00:0\d left", said)
    assert not any(word in said for word in NOISE)
    left = [line for line in lasting(said) if line]
    assert left[0] == "work: alarm" and left[1].startswith("work            3 things")
    assert len(left) == 2


@pytest.mark.parametrize("terminal", [True, False])
def test_what_libraries_print_is_in_the_log_with_what_was_said(tmp_path, terminal):
    ran(tmp_path, terminal=terminal)
    log = (tmp_path / "logs" / "work.log").read_text()
    for word in (*NOISE, "work: alarm", "3 things"):
        assert word in log


def test_a_mistake_is_a_line_and_the_place_of_the_log(tmp_path):
    code, said = ran(tmp_path, body="raise ValueError('lora.r is 0')", terminal=False)
    assert code == 1
    assert said.splitlines() == [
        "work: alarm", "work: lora.r is 0", "work: see logs/work.log",
    ]  # fmt: skip


def test_a_defect_is_a_line_and_its_traceback_is_in_the_log(tmp_path):
    code, said = ran(tmp_path, body="raise RuntimeError('no such\\nkernel')", terminal=False)
    assert code == 1
    assert said.splitlines()[1:] == [
        "work: failed with RuntimeError: no such", "work: see logs/work.log",
    ]  # fmt: skip
    assert "Traceback" in (tmp_path / "logs" / "work.log").read_text()


def test_ctrl_c_is_one_line_that_says_how_to_go_on(tmp_path):
    process, descriptor = start(tmp_path, body="time.sleep(60)", terminal=False)
    select.select([descriptor], [], [], 60)  # the alarm: it is in main
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    said = read_all(descriptor)
    assert process.wait() == 130
    assert said.splitlines()[1:] == ["work: interrupted; run `make repro` or `dvc repro` to resume"]


def test_ctrl_c_during_a_bar_leaves_that_line_and_nothing_after_it(tmp_path):
    body = (
        "bar = screen.Bar(total=3, desc='work', unit='thing'); screen.warn('now'); time.sleep(60)"
    )
    process, descriptor = start(tmp_path, body=body, terminal=True)
    said = b""
    while b"now" not in said:
        said += os.read(descriptor, 65536)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    said = said.decode() + read_all(descriptor)
    assert process.wait() == 130
    *_, last = (line for line in lasting(said) if line)
    assert last.startswith("work: interrupted; ") and "..." not in said.split("interrupted")[-1]


def test_ctrl_c_while_the_libraries_are_loaded_is_one_line_too(tmp_path):
    code = "import sys; sys.argv = ['-m']; import stages; raise KeyboardInterrupt"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DVC_STAGE": "work"},
    )  # fmt: skip
    assert done.returncode != 0
    assert done.stderr == "work: interrupted; run `make repro` or `dvc repro` to resume\n"


def test_by_hand_and_in_the_copy_of_a_queued_experiment_nothing_is_redirected(tmp_path):
    for variables in ({"DVC_STAGE": ""}, {"DVC_ROOT": "/project/.dvc/tmp/exps/tmp1"}):
        _, said = ran(tmp_path, terminal=False, **variables)
        assert all(word in said for word in NOISE)
    assert not (tmp_path / "logs").exists()


def test_a_launch_of_several_processes_gets_the_streams_back(tmp_path):
    body = "\n    ".join((
        "with screen.released(): os.system('echo the launched ones speak')",
        "os.system('echo the library speaks again')",
    ))  # fmt: skip
    _, said = ran(tmp_path, body=body, terminal=False)
    assert "the launched ones speak" in said and "speaks again" not in said
    log = (tmp_path / "logs" / "work.log").read_text()
    assert "speaks again" in log and "launched" not in log and "kernels" in log


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (3601, "60 min 1 s")]
)
def test_durations_are_in_minutes_and_seconds(seconds, words):
    assert screen.duration(seconds) == words
