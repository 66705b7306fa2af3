"""``finllm score``: score answers from any source against references."""

from __future__ import annotations

import argparse
import dataclasses
import shutil
from pathlib import Path

from finllm.commands.arguments import add_params, add_path, new_command
from finllm.corpus.description import READABLE
from finllm.instruct.templates import TEMPLATES

STDOUT = Path("-")
COLUMNS = 100  # of the table, on a terminal of at least as many


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the parser of the command."""
    command = new_command(
        commands,
        "score",
        run,
        summary="score a file of answers against references, beside baselines",
        description=(
            "Print means of every metric with 95% intervals, for the answers and for "
            "baselines: the first sentences of the call, its sentences with the most figures, "
            "a random and the nearest training answer. References are <id>.txt or "
            f"gt_summaries/<id>.txt; sources may be {READABLE}. A missing or empty answer "
            "scores 0."
        ),
        example=(
            "score --predictions answers.jsonl --references summaries --sources calls\n"
            "score --predictions answers.jsonl --references summaries --sources calls --json"
        ),
        reads=("--predictions, --references, --sources, data/split/train.jsonl, params.yaml"),
        writes="the file of --json, if given",
    )
    command.add_argument(
        "--predictions",
        type=Path,
        required=True,
        metavar="FILE",
        help="JSON Lines file with id and text",
    )
    for name, what in (("--references", "folder of references"), ("--sources", "folder of calls")):
        command.add_argument(name, type=Path, required=True, metavar="FOLDER", help=what)
    command.add_argument(
        "--json",
        type=Path,
        nargs="?",
        const=STDOUT,
        metavar="FILE",
        help="write the table to this file; without a file, print it as one JSON object",
    )
    command.add_argument(
        "--semantic", action="store_true", help="add BERTScore and similarity (evaluate.encoder)"
    )
    add_path(
        command,
        "--train",
        "data/split/train.jsonl",
        "training examples for the baselines that copy an answer; omitted if the file is missing",
    )
    command.add_argument(
        "--template",
        default="summarization",
        metavar="NAME",
        help=f"template of the training answers: {', '.join(TEMPLATES)} (default: %(default)s)",
    )
    add_params(command)


def run(parsed: argparse.Namespace) -> None:
    """Score answers from any source against references."""
    from finllm.commands.files import check_output
    from finllm.commands.score.score_predictions import score_predictions, show
    from finllm.commands.terminal import print_json
    from finllm.records import write_json
    from finllm.settings.params import load_params

    if parsed.json != STDOUT:
        check_output(parsed.json)
    found = score_predictions(
        parsed.predictions,
        references=parsed.references,
        sources=parsed.sources,
        train=parsed.train,
        template=parsed.template,
        semantic=parsed.semantic,
        evaluate=load_params(parsed.params).evaluate,
    )
    if parsed.json == STDOUT:
        print_json(found)
        return
    print(show(found, width=min(COLUMNS, shutil.get_terminal_size((COLUMNS, 24)).columns)))
    if parsed.json:
        write_json(parsed.json, dataclasses.asdict(found))
