"""``finllm seeds``: compare base and tuned model over trainings that differ only in their seed."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from textwrap import fill

from finllm.commands.arguments import add_comparison, check_compared, new_command
from finllm.commands.pool import metric_lines
from finllm.stats import rounding

COLUMNS = 100  # of a line of text


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the parser of the command."""
    command = new_command(
        commands,
        "seeds",
        run,
        summary="pool trainings that differ only in their seed",
        description=(
            "Each training is one draw of a random procedure: another seed gives another "
            "model. From the scores of several seeds, estimate the difference for a new seed "
            "on a new company, the share of variance between seeds, and the probability that "
            "a further seed has a positive difference on these companies."
        ),
        example="seeds seed-7.jsonl seed-8.jsonl seed-9.jsonl --out seeds.json",
        reads="data/evaluate/scores.jsonl of each seed, params.yaml",
        writes="the file of --out, if given",
    )
    add_comparison(command, "scores.jsonl of each run")


def run(parsed: argparse.Namespace) -> None:
    """Compare base and tuned model over trainings that differ only in their seed."""
    from finllm.commands.files import check_output, read_runs
    from finllm.commands.terminal import print_json
    from finllm.comparing.seeds import compare_seeds, side_by_side
    from finllm.records import write_json
    from finllm.settings.params import load_params

    params = load_params(parsed.params)
    p, v = params.significance, params.verdict
    model = parsed.model or v.candidate
    check_compared(model)
    check_output(parsed.out)
    runs = side_by_side(read_runs(parsed.scores, of="seeds"), model=model)
    found = compare_seeds(
        runs, primary=v.primary_metric, alpha=v.alpha, n_bootstrap=p.n_bootstrap, seed=p.seed
    )
    if parsed.out:
        write_json(parsed.out, found)
    if parsed.json:
        print_json(found)
    else:
        print("\n".join(_page(found, len(runs.names), model, confidence=1 - v.alpha)))


def _page(found: Mapping, n_seeds: int, model: str, *, confidence: float) -> list[str]:
    primary = found["metrics"][found["primary_metric"]]
    lines = [
        f"{n_seeds} seeds, {primary['n_clusters']} companies; "
        f"{model} - base [{100 * confidence:g}% interval of a new seed on a new company], p",
        *metric_lines(found, "estimate", "p_value"),
        f"\nVariances of the differences in {found['primary_metric']}, by moments:",
    ]
    for name, variance in primary["variances"].items():
        root = f"  (sd {math.sqrt(variance):.3f})" if variance >= 0 else ""
        lines.append(f"  {name:16} {variance:+.5f}{root}")
    means = ", ".join(map(rounding.signed, primary["seed_means"]))
    chance = rounding.share(primary["p_next_seed_above"])
    last = [f"By seed: {means}; a further seed is positive here with probability {chance}"]
    last.append(found["in_words"])
    return [*lines, *(fill(line.translate(rounding.PLAIN), COLUMNS) for line in last)]
