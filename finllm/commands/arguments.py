"""Shared parts of the commands: the layout of ``--help`` and common arguments."""

from __future__ import annotations

import argparse
import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path

WIDTH = 88  # columns of the text around the options, on a terminal of at least as many


def new_command(
    commands: argparse._SubParsersAction,
    name: str,
    run: Callable[[argparse.Namespace], int | None],
    *,
    summary: str,
    description: str,
    example: str,
    reads: str,
    writes: str,
) -> argparse.ArgumentParser:
    """Add a command whose help shows its description, examples, inputs and outputs.

    Parameters
    ----------
    run
        Function that executes the command; an integer that it returns is the exit code.
    summary
        One line for the list of all commands.
    example
        Arguments after ``python -m finllm``; one example per line.
    """
    shown = [f"  python -m finllm {line}" for line in example.splitlines()]
    facts = [_indented("reads:   ", reads), _indented("writes:  ", writes)]
    command = commands.add_parser(
        name,
        help=summary,
        description=textwrap.fill(description, _width()),
        epilog="\n".join(["examples:", *shown, *facts]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    return command


def add_params(command: argparse.ArgumentParser) -> None:
    """Add ``--params``, the path of the parameter file."""
    command.add_argument(
        "--params",
        type=Path,
        metavar="FILE",
        default=Path("params.yaml"),
        help="parameter file (default: %(default)s)",
    )


CANDIDATE = "verdict.candidate of params.yaml"
COMPARED = ("tuned", "preferred")  # models that are compared with the base


def add_model(command: argparse.ArgumentParser, names: str, default: str = CANDIDATE) -> None:
    """Add ``--model`` with the help text ``names``; ``default`` says which model is the default."""
    command.add_argument("--model", metavar="NAME", help=f"{names} (default: {default})")


def add_adapter(command: argparse.ArgumentParser) -> None:
    """Add ``--adapter``, the folder of the adapter."""
    command.add_argument(
        "--adapter",
        type=Path,
        metavar="FOLDER",
        help="folder of the adapter (default: models/adapter; for preferred models/preferred)",
    )


def add_json(command: argparse.ArgumentParser, what: str) -> None:
    """Add ``--json``, which prints ``what`` as one JSON object instead of text."""
    command.add_argument("--json", action="store_true", help=f"print {what} as one JSON object")


def add_path(command: argparse.ArgumentParser, name: str, default: str, what: str) -> None:
    """Add the path of a file, or of a folder if its default has no suffix; the help shows both."""
    command.add_argument(
        name,
        type=Path,
        metavar="FILE" if Path(default).suffix else "FOLDER",
        default=Path(default),
        help=f"{what} (default: %(default)s)",
    )


def add_out(command: argparse.ArgumentParser) -> None:
    """Add ``--out``, a JSON file for the comparison."""
    command.add_argument(
        "--out", type=Path, metavar="FILE", help="write the comparison to this JSON file as well"
    )


def add_comparison(command: argparse.ArgumentParser, scores: str) -> None:
    """Add the arguments of a comparison over several runs: score files, model and output."""
    command.add_argument("scores", type=Path, nargs="+", metavar="FILE", help=scores)
    add_model(command, "model to compare with the base: tuned, preferred")
    add_out(command)
    add_json(command, "the comparison")
    add_params(command)


def check_compared(model: str) -> None:
    """Raise an error unless a model can be compared with the base.

    Raises
    ------
    ValueError
        If it is not ``tuned`` or ``preferred``.
    """
    if model not in COMPARED:
        raise ValueError(f"--model is {model!r}; it must be {' or '.join(COMPARED)}")


def check_least(option: str, value: float, least: float) -> None:
    """Raise an error if the number of an option is too small (or NaN).

    Raises
    ------
    ValueError
        If it is below ``least``; the message names the option, the number and what is allowed.
    """
    if not value >= least:
        raise ValueError(f"{option} is {value:g}; it must be at least {least:g}")


def _indented(head: str, text: str) -> str:
    return textwrap.fill(text, _width(), initial_indent=head, subsequent_indent=" " * len(head))


def _width() -> int:
    """Return the columns of the text; like argparse, it leaves two of the terminal's empty."""
    return min(WIDTH, max(30, shutil.get_terminal_size().columns - 2))
