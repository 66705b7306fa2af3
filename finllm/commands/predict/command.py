"""``finllm predict``: answer a folder of transcripts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from finllm.commands.arguments import add_adapter, add_model, add_params, new_command
from finllm.corpus.description import READABLE


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
    command.add_argument("--input", type=Path, required=True, help="folder of transcripts")
    command.add_argument("--output", type=Path, required=True, help="JSON Lines file to write")
    command.add_argument(
        "--template", default="summarization", help="template of the prompt (default: %(default)s)"
    )
    add_model(command, "model to ask: base, tuned, preferred")
    add_adapter(command)
    add_params(command)


def run(parsed: argparse.Namespace) -> None:
    """Answer every transcript of a folder."""
    from finllm.commands.predict.answer_folder import answer_folder
    from finllm.settings.params import load_params

    params = load_params(parsed.params)
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
