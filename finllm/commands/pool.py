"""``finllm pool``: compare base and tuned model over the folds of a cross-validation."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from finllm.commands.arguments import add_comparison, check_compared, new_command
from finllm.stats import rounding


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the parser of the command."""
    command = new_command(
        commands,
        "pool",
        run,
        summary="pool the folds of a cross-validation into one comparison",
        description=(
            "With split.n_folds, each run tests one fold, and all folds together test every "
            "company once. Pool their scores and compare tuned with base as the stage "
            "`significance` does: difference, interval and corrected p-value of every metric; "
            "* marks the primary metric."
        ),
        example="pool fold-0.jsonl fold-1.jsonl fold-2.jsonl --out pooled.json",
        reads="data/evaluate/scores.jsonl of each fold, params.yaml",
        writes="the file of --out, if given",
    )
    add_comparison(command, "scores.jsonl of each fold")


def run(parsed: argparse.Namespace) -> None:
    """Compare base and tuned model over the test sets of all folds of a cross-validation."""
    from finllm.commands.files import check_output, read_runs
    from finllm.commands.terminal import print_json
    from finllm.comparing import folds
    from finllm.comparing.pairs import compare_pairs, pair
    from finllm.records import write_json
    from finllm.settings.params import load_params

    params = load_params(parsed.params)
    p, v = params.significance, params.verdict
    model = parsed.model or v.candidate
    check_compared(model)
    check_output(parsed.out)
    scores = folds.pool(read_runs(parsed.scores, of="folds"))
    found = compare_pairs(
        pair(scores, split="test", tuned=model),
        primary=v.primary_metric,
        alpha=v.alpha,
        n_permutations=p.n_permutations,
        n_bootstrap=p.n_bootstrap,
        seed=p.seed,
    )
    record = {"n_folds": len(parsed.scores), **found}
    if parsed.out:
        write_json(parsed.out, record)
    if parsed.json:
        print_json(record)
        return
    print(
        f"{len(parsed.scores)} folds, {found['n_companies']} companies; {model} - base "
        f"[{100 * (1 - v.alpha):g}% interval], corrected p"
    )
    print("\n".join(metric_lines(found, "difference", "p_corrected")))


def metric_lines(found: Mapping, estimate: str, p_value: str) -> list[str]:
    """Return one line per metric with estimate, interval and p-value; * marks the primary one."""
    lines = []
    for name, one in found["metrics"].items():
        mark = "*" if name == found["primary_metric"] else " "
        interval = rounding.interval(one.get("low"), one.get("high"))
        p = rounding.p_value(one.get(p_value))
        line = f"{mark} {name:16} {rounding.signed(one[estimate]):>6} {interval:16} {p}"
        lines.append(line.translate(rounding.PLAIN))
    return lines
