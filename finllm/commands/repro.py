"""``finllm repro``: run the pipeline with compact output."""

from __future__ import annotations

import argparse
from pathlib import Path

from finllm.commands.arguments import new_command


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the parser of the command."""
    command = new_command(
        commands,
        "repro",
        run,
        summary="run the pipeline with one line of output per stage",
        description=(
            "Run the stages that changed and those that depend on them, like `dvc repro`. "
            "The terminal shows one line per stage and a progress bar with the time left; the "
            "output of DVC and the libraries goes to logs/. Works without a Git repository."
        ),
        example=("repro\nrepro train"),
        reads="dvc.yaml, dvc.lock, params.yaml and the dependencies of the stages",
        writes="the outputs of the stages, dvc.lock, logs/",
    )
    command.add_argument(
        "stages",
        nargs="*",
        metavar="STAGE",
        help="run only these stages and their dependencies (default: all)",
    )


def run(parsed: argparse.Namespace) -> int:
    """Run the pipeline, or the given stages and their dependencies; return the exit code."""
    from finllm.runtime.pipeline import reproduce

    return reproduce(Path("."), parsed.stages)
