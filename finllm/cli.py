"""The command line: ``python -m finllm COMMAND``. Nothing here imports torch before it must."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from finllm.presets import apply_preset
from finllm.report.outcome import from_metrics
from finllm.report.verdict_text import terminal


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; a user's mistake is one line and exit code 1, never a traceback."""
    parsed = _parser().parse_args(arguments)
    try:
        parsed.run(parsed)
    except (ValueError, OSError) as error:
        sys.exit(f"finllm {parsed.command}: {error}")


def verdict(parsed: argparse.Namespace) -> None:
    """Print the verdict that the report stage wrote."""
    if not parsed.verdict.is_file():
        raise ValueError(f"{parsed.verdict}: no such file; run `make repro` first")
    try:
        row = json.loads(parsed.verdict.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{parsed.verdict}: not JSON ({error}); run `make repro`") from None
    print(terminal(from_metrics(row), str(parsed.report)))


def preset(parsed: argparse.Namespace) -> None:
    """Write a preset's values into params.yaml."""
    changed = apply_preset(parsed.name, folder=parsed.presets, params=Path("params.yaml"))
    print(f"{parsed.name}: {len(changed)} values changed in params.yaml; see: git diff params.yaml")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="finllm", description="Did fine-tuning help?")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("verdict", help="print the verdict of the last run")
    command.add_argument("--verdict", type=Path, default=Path("metrics/verdict.json"))
    command.add_argument("--report", type=Path, default=Path("reports/report.html"))
    command.set_defaults(run=verdict)
    command = commands.add_parser("preset", help="write a preset's values into params.yaml")
    command.add_argument("name", help="a file of presets/, without .yaml")
    command.add_argument("--presets", type=Path, default=Path("presets"))
    command.set_defaults(run=preset)
    return parser
