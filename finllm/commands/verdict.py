"""``finllm verdict``: print the verdict of the last run."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from textwrap import fill

from finllm.commands.arguments import add_json, add_path, new_command
from finllm.runtime import provenance

VERDICT = Path("metrics/details/verdict.json")
MEND = "run `make repro`"
GLUE = "\N{NO-BREAK SPACE}"


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the parser of the command."""
    command = new_command(
        commands,
        "verdict",
        run,
        summary="print the verdict of the last run",
        description=(
            "Print whether fine-tuning helped: the primary metric of both models, their "
            "difference with its interval, the corrected p-value, the probability that the "
            "tuned model is better, and the Bayes factor. Warn if code, parameters or data "
            "have changed since the run."
        ),
        example=("verdict\nverdict --json"),
        reads=(
            "metrics/details/verdict.json, metrics/costs/predict_tuned.json, dvc.lock and the "
            "files that it lists"
        ),
        writes="nothing",
    )
    add_path(command, "--verdict", str(VERDICT), "verdict, as written by the stage `report`")
    add_path(
        command,
        "--costs",
        "metrics/costs/predict_tuned.json",
        "costs of the run, which name its machine",
    )
    add_path(command, "--report", "reports/report.html", "path of the report, for the last line")
    add_json(command, "the validated verdict and its provenance")


def run(parsed: argparse.Namespace) -> None:
    """Print the verdict that the stage `report` wrote, and a warning if it is out of date."""
    from finllm.commands.doctor.currency import currency
    from finllm.commands.files import check_input, read_object
    from finllm.commands.terminal import print_json
    from finllm.report.outcome import from_metrics, to_metrics
    from finllm.report.verdict_text import COLUMNS, terminal

    check_input(parsed.verdict, "run `make repro` first")
    row = read_object(parsed.verdict, mend=MEND)
    try:
        found = from_metrics(row)
    except ValueError as error:
        raise ValueError(f"{parsed.verdict}: {error}") from None
    costs = read_object(parsed.costs, mend=MEND) if parsed.costs.is_file() else {}
    found_with = provenance.from_costs(costs, file=str(parsed.costs))
    state = None if parsed.verdict != VERDICT else currency(Path("."))
    if parsed.json:
        more = {provenance.KEY: dataclasses.asdict(found_with)} if found_with else {}
        print_json(to_metrics(found) | more | ({"not_current": state.stages} if state else {}))
        return
    if state and state.says:
        print(f"{state.says}\n")
    print(terminal(found, str(parsed.report)))
    if found_with:
        print(made_with(provenance.line(found_with), columns=COLUMNS))


def made_with(line: str, *, columns: int) -> str:
    """Return the provenance, wrapped between its parts: a name and its version stay together."""
    parts = [part.replace(" ", GLUE) for part in f"Made with: {line}".split(", ")]
    return fill(", ".join(parts), columns, break_long_words=False).replace(GLUE, " ")
