"""Render the terminal output of a command as a picture.

python -m benchmarks.terminal --output docs/images/exp-show.png -- COMMAND ...

For the picture of the everyday page, COMMAND is dvc exp show --only-changed --drop '.*/|Created'.

The command runs in a pseudo-terminal with the given number of columns; Chromium draws its output.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ
from typing import Any

CODE = re.compile(r"\x1b\[([0-9;]*)m")
OTHER_CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")
BASIC = ("#000", "#c33", "#393", "#a70", "#36c", "#939", "#299", "#ccc")
STEPS = (0, 95, 135, 175, 215, 255)  # levels of the colour cube
CHARACTER, LINE = 9.0, 20  # pixels
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def shown(command: list[str], *, columns: int, **others: Any) -> str:
    """Return a command's output on a terminal, with escape codes; exit if the command fails.

    ``others``, such as ``cwd``, are passed to ``subprocess.Popen``; ``env`` replaces the
    environment.
    """
    ours, theirs = pty.openpty()
    ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", 60, columns, 0, 0))
    width = {"COLUMNS": str(columns), "TERM": "xterm-256color", "DVC_PAGER": "cat"}
    env = {**others.pop("env", os.environ), **width}
    process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=theirs, **others)
    os.close(theirs)
    parts = []
    while select.select([ours], [], [])[0]:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux's end of a terminal
            break
        if not part:
            break
        parts.append(part)
    if process.wait():
        sys.exit(f"{' '.join(command)}: exit code {process.returncode}")
    return b"".join(parts).decode()


def colour(codes: list[int]) -> str:
    """Return the colour after a 38 or 48: ``5;n`` of 256, or ``2;r;g;b``."""
    if codes[0] == 2:
        return "rgb({},{},{})".format(*codes[1:4])
    n = codes[1]
    if n < 16:
        return BASIC[n % 8]
    if n >= 232:
        return "rgb({0},{0},{0})".format(8 + 10 * (n - 232))
    cube = n - 16
    return f"rgb({STEPS[cube // 36]},{STEPS[cube // 6 % 6]},{STEPS[cube % 6]})"


def style_after(style: dict[str, str], code: str) -> dict[str, str]:
    """Return the style after an escape code."""
    codes = [int(part or 0) for part in code.split(";")]
    while codes:
        first = codes.pop(0)
        if first == 0:
            style = {}
        elif first == 1:
            style = {**style, "font-weight": "bold"}
        elif first in (38, 48):
            name = "color" if first == 38 else "background"
            style = {**style, name: colour(codes)}
            codes = codes[4 if codes[0] == 2 else 2 :]
        elif 30 <= first <= 37:
            style = {**style, "color": BASIC[first - 30]}
        elif 40 <= first <= 47:
            style = {**style, "background": BASIC[first - 40]}
    return style


def page(text: str, command: str, *, columns: int) -> tuple[str, int]:
    """Return the terminal as HTML, and its number of lines."""
    pieces = CODE.split(f"$ {command}\n{text.rstrip()}")
    style: dict[str, str] = {}
    body = html.escape(OTHER_CODE.sub("", pieces[0]))
    for code, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        style = style_after(style, code)
        css = ";".join(f"{key}:{value}" for key, value in style.items())
        body += f'<span style="{css}">{html.escape(OTHER_CODE.sub("", piece))}</span>'
    font = f"{LINE - 5}px/{LINE}px 'DejaVu Sans Mono', monospace"
    look = f"margin:12px;font:{font};color:#222;background:#fff;width:{columns}ch"
    document = f'<!doctype html><meta charset="utf-8"><pre style="{look}">{body}</pre>'
    return document, OTHER_CODE.sub("", text.rstrip()).count("\n") + 2


def main() -> None:
    """Run the command, draw its output, and print the number of lines and the widest line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--columns", type=int, default=120)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    parsed = parser.parse_args()
    command = [part for part in parsed.command if part != "--"]
    browser = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if browser is None:
        sys.exit("no browser: install chromium")
    text = shown(command, columns=parsed.columns)
    quoted = " ".join(f"'{x}'" if re.search(r"[*|\\ ]", x) else x for x in command)
    document, n_lines = page(text, quoted, columns=parsed.columns)
    size = f"{int(parsed.columns * CHARACTER) + 48},{n_lines * LINE + 28}"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "terminal.html"
        file.write_text(document, encoding="utf-8")
        subprocess.run(
            [
                *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                *("--disable-background-networking", f"--user-data-dir={folder}/profile"),
                *(f"--window-size={size}", f"--screenshot={parsed.output.absolute()}"),
                file.as_uri(),
            ],
            check=True,
            capture_output=True,
        )
    lines = CODE.sub("", OTHER_CODE.sub("", text)).splitlines()
    print(json.dumps({"lines": n_lines, "columns": max(len(line.rstrip()) for line in lines)}))


if __name__ == "__main__":
    main()
