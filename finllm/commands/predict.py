"""``finllm predict``: answers for a folder of transcripts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from finllm.commands.arguments import add_adapter, add_params, new_command
from finllm.corpus.description import READABLE


def add_parser(commands: argparse._SubParsersAction) -> None:
    """What it takes."""
    command = new_command(
        commands,
        "predict",
        run,
        summary="answer every transcript of a folder",
        description=(
            f"One JSON object a line with id and text, in order of id. A folder may hold {READABLE}"
            "; the first that is there is read. The prompt is the pipeline's own; references are "
            "not needed. A killed run goes on where it was when it is started again."
        ),
        example="predict --input calls --output answers.jsonl",
        reads="the folder --input, models/adapter, params.yaml",
        writes="--output, whole at the end; until then what is done is below .checkpoints/",
    )
    command.add_argument("--input", type=Path, required=True, help="the folder of transcripts")
    command.add_argument("--output", type=Path, required=True, help="the JSON lines to write")
    command.add_argument(
        "--template", default="summarization", help="what is asked (default: %(default)s)"
    )
    command.add_argument("--model", default="tuned", help="tuned (default) or base")
    add_adapter(command)
    add_params(command)


def run(parsed: argparse.Namespace) -> None:
    """Answer every transcript of a folder."""
    from finllm.answer_folder import answer_folder
    from finllm.params import load_params

    found = answer_folder(
        parsed.input,
        parsed.output,
        params=load_params(parsed.params),
        template=parsed.template,
        model=parsed.model,
        adapter=parsed.adapter,
    )
    for answer in found:
        if answer.unanswered:
            print(f"{answer.id}: not asked, {answer.unanswered}", file=sys.stderr)
    n_limit, n_empty = sum(a.hit_limit for a in found), sum(not a.text for a in found)
    print(
        f"{parsed.output}: {len(found)} answers, {n_limit} stopped by the length limit, "
        f"{n_empty} empty"
    )
