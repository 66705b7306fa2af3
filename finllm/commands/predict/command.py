"""``finllm predict``: answer a folder of transcripts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from finllm.commands.arguments import add_adapter, add_model, add_params, new_command
from finllm.corpus.description import READABLE
from finllm.instruct.templates import TEMPLATES


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the parser of the command."""
    command = new_command(
        commands,
        "predict",
        run,
        summary="answer every transcript in a folder",
        description=(
            "Write one JSON object per line with id and text, ordered by id. The folder may "
            f"hold {READABLE}; the first of these formats that is found is read. The prompt "
            "is the pipeline's; references are not needed. After a kill, run the same command "
            "again to resume."
        ),
        example="predict --input calls --output answers.jsonl",
        reads="the folder --input, models/adapter or models/preferred, params.yaml",
        writes="--output, complete at the end; intermediate results in .checkpoints/",
    )
    command.add_argument(
        "--input", type=Path, required=True, metavar="FOLDER", help="folder of transcripts"
    )
    command.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help="JSON Lines file to write"
    )
    command.add_argument(
        "--template",
        default="summarization",
        metavar="NAME",
        help=f"template of the prompt: {', '.join(TEMPLATES)} (default: %(default)s)",
    )
    add_model(command, "model to ask: base, tuned, preferred")
    add_adapter(command)
    add_params(command)


def run(parsed: argparse.Namespace) -> None:
    """Answer every transcript of a folder."""
    from finllm.commands.files import check_output
    from finllm.model.choice import weights_of
    from finllm.settings.params import load_params

    check_output(parsed.output)
    if parsed.input.is_file():
        raise ValueError(f"{parsed.input}: a file; --input must be a folder of transcripts")
    params = load_params(parsed.params)
    weights_of(parsed.model or params.verdict.candidate, parsed.adapter)
    from finllm.commands.predict.answer_folder import (  # imports torch; mistakes come first
        answer_folder,
    )

    found = answer_folder(
        parsed.input,
        parsed.output,
        params=params,
        template=parsed.template,
        model=parsed.model or params.verdict.candidate,
        adapter=parsed.adapter,
    )
    for answer in found:
        if answer.unanswered:
            print(f"{answer.id}: skipped, {answer.unanswered}", file=sys.stderr)
    n_limit, n_empty = sum(a.hit_limit for a in found), sum(not a.text for a in found)
    print(
        f"{parsed.output}: {len(found)} answers, {n_limit} stopped by the length limit, "
        f"{n_empty} empty"
    )
