"""``finllm preset``: write the values of a preset into params.yaml."""

from __future__ import annotations

import argparse
from pathlib import Path

from finllm.commands.arguments import add_path, new_command


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the parser of the command."""
    command = new_command(
        commands,
        "preset",
        run,
        summary="write the values of a preset into params.yaml",
        description=(
            "A preset is a complete setting: the model, its quantization, the batch, the "
            "sizes of the sets. The command writes its values into params.yaml and keeps "
            "comments and order. Run `git diff params.yaml` to see the changes and `git checkout "
            "params.yaml` to undo them."
        ),
        example="preset gpu-llama3-8b-qlora",
        reads="presets/NAME.yaml, params.yaml",
        writes="params.yaml, if the result is valid",
    )
    command.add_argument("name", metavar="NAME", help="name of a file in presets/, without .yaml")
    add_path(command, "--presets", "presets", "folder of presets")


def run(parsed: argparse.Namespace) -> None:
    """Write a preset's values into params.yaml."""
    from finllm.settings.presets import apply_preset

    changed = apply_preset(parsed.name, folder=parsed.presets, params=Path("params.yaml"))
    if not changed:
        print(f"{parsed.name}: params.yaml already has these values")
        return
    n_values = "1 value" if len(changed) == 1 else f"{len(changed)} values"
    print(f"{parsed.name}: {n_values} changed in params.yaml; see: git diff params.yaml")
