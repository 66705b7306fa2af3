"""Shared parts of the commands: the layout of ``--help`` and common arguments."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable
from pathlib import Path

WIDTH = 88  # columns of the help


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
    examples = [f"  python -m finllm {line}" for line in example.splitlines()]
    facts = [_indented("reads:   ", reads), _indented("writes:  ", writes)]
    command = commands.add_parser(
        name,
        help=summary,
        description=textwrap.fill(description, WIDTH),
        epilog="\n".join(["example:", *examples, *facts]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    return command


def add_params(command: argparse.ArgumentParser) -> None:
    """Add ``--params``, the path of the parameter file."""
    command.add_argument(
        "--params",
        type=Path,
        default=Path("params.yaml"),
        help="parameter file (default: %(default)s)",
    )


CANDIDATE = "verdict.candidate of params.yaml"


def add_model(command: argparse.ArgumentParser, names: str, default: str = CANDIDATE) -> None:
    """Add ``--model`` with the help text ``names``; ``default`` says which model is the default."""
    command.add_argument("--model", help=f"{names} (default: {default})")


def add_adapter(command: argparse.ArgumentParser) -> None:
    """Add ``--adapter``, the folder of the adapter."""
    command.add_argument(
        "--adapter",
        type=Path,
        help="folder of the adapter (default: models/adapter; for preferred models/preferred)",
    )


def add_json(command: argparse.ArgumentParser, what: str) -> None:
    """Add ``--json``, which prints ``what`` as one JSON object instead of text."""
    command.add_argument("--json", action="store_true", help=f"print {what} as one JSON object")


def add_path(command: argparse.ArgumentParser, name: str, default: str, what: str) -> None:
    """Add a path argument; the help shows its default."""
    command.add_argument(
        name, type=Path, default=Path(default), help=f"{what} (default: %(default)s)"
    )


def add_comparison(command: argparse.ArgumentParser, scores: str) -> None:
    """Add the arguments of a comparison over several runs: score files, model and output."""
    command.add_argument("scores", type=Path, nargs="+", help=scores)
    add_model(command, "model to compare with the base: tuned, preferred")
    command.add_argument("--out", type=Path, help="write the comparison to this JSON file")
    add_json(command, "the comparison")
    add_params(command)


def _indented(head: str, text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head))
