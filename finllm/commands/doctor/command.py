"""``finllm doctor``: check the environment and suggest fixes."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from finllm.commands.arguments import add_json, add_params, new_command


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the parser of the command."""
    command = new_command(
        commands,
        "doctor",
        run,
        summary="check the environment and suggest fixes",
        description=(
            "Check Python, the pinned packages, torch, the device and its memory, processor "
            "features, threads, bitsandbytes, the fused layers, disk space, the parameters, "
            "the model and the data that they name, and the state of the pipeline. Each "
            "finding is ok, a warning (a run works with a limitation) or a problem (a run "
            "fails), with a command that fixes it. The exit code is 1 if there is a problem."
        ),
        example=("doctor\ndoctor --json"),
        reads=("params.yaml, requirements*.txt, data/raw, dvc.lock; queries the Hub if needed"),
        writes="nothing",
    )
    add_params(command)
    add_json(command, "the findings")


def run(parsed: argparse.Namespace) -> int:
    """Print each finding as soon as it is made; return 1 if there is a problem, else 0."""
    from finllm.commands.doctor.examination import examine, line, summary
    from finllm.commands.doctor.finding import PROBLEM
    from finllm.commands.terminal import has_colour, print_json

    found = []
    for one in examine(Path("."), parsed.params):
        found.append(one)
        if not parsed.json:
            print(line(one, colour=has_colour(sys.stdout)), flush=True)
    n_problems = sum(one.state == PROBLEM for one in found)
    if parsed.json:
        print_json({"healthy": not n_problems, "findings": list(map(dataclasses.asdict, found))})
    else:
        print(summary(found))
    return 1 if n_problems else 0
