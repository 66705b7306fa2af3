"""``finllm repro``: the pipeline, with a screen that a person can read."""

from __future__ import annotations

import argparse
from pathlib import Path

from finllm.commands.arguments import new_command


def add_parser(commands: argparse._SubParsersAction) -> None:
    """What it takes."""
    command = new_command(
        commands,
        "repro",
        run,
        summary="run the pipeline: `dvc repro` with a line a stage and the rest in log files",
        description=(
            "Runs the stages that changed and what depends on them, as `dvc repro` does. The "
            "terminal shows a line a stage, and a bar with the time left while one works; what DVC "
            "and the libraries print is in logs/. Also runs where there is no Git repository."
        ),
        example="repro\nrepro train",
        reads="dvc.yaml, dvc.lock, params.yaml and what the stages depend on",
        writes="what the stages write, dvc.lock, logs/",
    )
    command.add_argument("stages", nargs="*", help="only these, and what they depend on")


def run(parsed: argparse.Namespace) -> int:
    """Run it."""
    from finllm.running import reproduce

    return reproduce(Path("."), parsed.stages)
