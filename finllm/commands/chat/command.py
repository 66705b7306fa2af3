"""``finllm chat``: question base and tuned model about one call."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from finllm.commands.arguments import (
    CANDIDATE,
    add_adapter,
    add_json,
    add_model,
    add_params,
    new_command,
)
from finllm.instruct.templates import SUMMARIZATION, TEMPLATES

if TYPE_CHECKING:
    from finllm.commands.chat.session import Session


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the parser of the command."""
    command = new_command(
        commands,
        "chat",
        run,
        summary="question base and tuned model about a transcript, side by side",
        description=(
            "Both models get the same prompt: the system prompt, the question, and the "
            "excerpt of the call that the template selects, prepared as in the pipeline. "
            "Decoding is greedy. Each figure in an answer is marked by whether the call "
            "states it. On a terminal without --question, prompts for questions until an "
            "empty line; otherwise asks the template's own question. Both models are in "
            "memory at the same time."
        ),
        example=(
            "chat --transcript call.txt\n"
            'chat --transcript call.txt --question "What was revenue?" --question "And costs?"\n'
            "chat --transcript data/filter/kept.jsonl --id CALL --template questions --json"
        ),
        reads=(
            "the transcript (plain text, Earnings-21's .nlp, a .jsonl of calls, or a .json, "
            ".jsonl, .csv or .parquet in a folder with a source.yaml), models/adapter "
            "or models/preferred, params.yaml"
        ),
        writes="nothing",
    )
    command.add_argument(
        "--transcript", type=Path, required=True, metavar="FILE", help="file of the call"
    )
    command.add_argument(
        "--id", default="", metavar="ID", help="id of the call, if the file holds several"
    )
    command.add_argument(
        "--question",
        action="append",
        metavar="TEXT",
        default=[],
        help="question to ask instead of the template's (the default); may be repeated",
    )
    command.add_argument(
        "--template",
        choices=TEMPLATES,
        default=SUMMARIZATION,
        help="template that selects the excerpt and the default question (default: %(default)s)",
    )
    add_model(
        command,
        "model to ask alone: base, tuned, preferred",
        f"the base and {CANDIDATE}, side by side",
    )
    add_adapter(command)
    add_params(command)
    add_json(command, "the answers")


def run(parsed: argparse.Namespace) -> None:
    """Load the models, ask the questions and print the answers."""
    from finllm.commands.chat.transcript_file import read_call
    from finllm.commands.terminal import print_json
    from finllm.model.choice import weights_of
    from finllm.settings.params import load_params

    params = load_params(parsed.params)
    names = (parsed.model,) if parsed.model else ("base", params.verdict.candidate)
    for name in names:
        weights_of(name, parsed.adapter)
    call = read_call(parsed.transcript, parsed.id)
    from finllm.commands.chat.session import (  # imports torch; mistakes above are reported first
        Session,
        load_models,
    )

    session = Session(call, load_models(names, adapter=parsed.adapter, params=params), params)
    if parsed.json:
        questions = parsed.question or [""]
        found = [dataclasses.asdict(session.ask(parsed.template, text)) for text in questions]
        print_json({"transcript": call.id, "exchanges": found})
    elif parsed.question or not sys.stdin.isatty():
        for text in parsed.question or [""]:
            _print(session, parsed.template, text)
    else:
        _converse(session, parsed.template)


def _converse(session: Session, template: str) -> None:
    """Answer typed questions; after an invalid one, print the error and prompt again."""
    print(f"{session.call.id}: type a question, or /{' /'.join(TEMPLATES)}; an empty line ends")
    for text in _typed():
        name = text.removeprefix("/") if text.startswith("/") else ""
        try:
            _print(session, name or template, "" if name else text)
        except ValueError as error:
            print(error)


def _typed() -> Iterator[str]:
    """Yield typed lines until an empty line, the end of the input, or Ctrl-C."""
    with contextlib.suppress(ImportError):  # not on every system
        import readline  # noqa: F401  (input() then knows the arrow keys)
    while True:
        try:
            text = input("\n> ").strip()
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if not text:
            return
        yield text


def _print(session: Session, template: str, question: str) -> None:
    from finllm.commands.chat import columns
    from finllm.commands.terminal import has_colour

    colour = has_colour(sys.stdout)
    found = session.ask(template, question)
    n_shown, n_words = len(found.excerpt.split()), len(session.call.text.split())
    print(f"{found.question}\n(the prompt contains {n_shown} of the call's {n_words} words)\n")
    width = shutil.get_terminal_size((100, 24)).columns
    print(columns.page(found, width=width, colour=colour))
    print(f"\n{columns.legend(colour=colour)}")
