"""``finllm preset``: another setting, written into params.yaml."""

from __future__ import annotations

import argparse
from pathlib import Path

from finllm.commands.arguments import add_path, new_command


def add_parser(commands: argparse._SubParsersAction) -> None:
    """What it takes."""
    command = new_command(
        commands,
        "preset",
        run,
        summary="write a preset's values into params.yaml",
        description=(
            "A preset is a whole setting: the model, its quantization, the batch, the sizes of the "
            "sets. Its values go into params.yaml, whose comments and order stay, so that `git "
            "diff params.yaml` shows what changed and `git checkout params.yaml` takes it back."
        ),
        example="preset gpu-llama3-8b-qlora",
        reads="presets/NAME.yaml, params.yaml",
        writes="params.yaml, and only where the result is valid",
    )
    command.add_argument("name", help="a file of presets/, without .yaml")
    add_path(command, "--presets", "presets", "the folder of presets")


def run(parsed: argparse.Namespace) -> None:
    """Write a preset's values into params.yaml."""
    from finllm.presets import apply_preset

    changed = apply_preset(parsed.name, folder=parsed.presets, params=Path("params.yaml"))
    print(f"{parsed.name}: {len(changed)} values changed in params.yaml; see: git diff params.yaml")
