"""``finllm rate``: serve the page for human ratings."""

from __future__ import annotations

import argparse

from finllm.commands.arguments import add_path, new_command


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the parser of the command."""
    command = new_command(
        commands,
        "rate",
        run,
        summary="rate answers of base and tuned model on a local page",
        description=(
            "Serve a page on this machine that shows the source and both answers without "
            "model names. A click is marked only after it is saved. Press Ctrl-C to stop; a "
            "rater who returns under the same name continues where they stopped. `dvc repro` "
            "then adds the ratings to the report."
        ),
        example="rate --port 8017",
        reads=("data/split/test.jsonl, data/predict/base.jsonl, data/predict/tuned.jsonl"),
        writes="data/ratings/NAME.jsonl, one file per rater",
    )
    add_path(command, "--examples", "data/split/test.jsonl", "file of test examples")
    add_path(command, "--base", "data/predict/base.jsonl", "answers of the base model")
    add_path(command, "--tuned", "data/predict/tuned.jsonl", "answers of the tuned model")
    add_path(command, "--ratings", "data/ratings", "folder for the ratings")
    command.add_argument(
        "--port",
        type=int,
        default=8017,
        help="port on 127.0.0.1, 0 for any free port (default: %(default)s)",
    )


def run(parsed: argparse.Namespace) -> None:
    """Serve the page on which people rate the answers."""
    from finllm.commands.rate.app import serve
    from finllm.rating.ballot import pairs
    from finllm.records import read_examples, read_predictions

    for path in (parsed.examples, parsed.base, parsed.tuned):
        if not path.is_file():
            raise ValueError(f"{path}: no such file; run `dvc repro` first")
    base, tuned = read_predictions(parsed.base), read_predictions(parsed.tuned)
    serve(pairs(read_examples(parsed.examples), base, tuned), parsed.ratings, port=parsed.port)
