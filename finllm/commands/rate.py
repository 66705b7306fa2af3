"""``finllm rate``: the page on which people rate the answers."""

from __future__ import annotations

import argparse

from finllm.commands.arguments import add_path, new_command


def add_parser(commands: argparse._SubParsersAction) -> None:
    """What it takes."""
    command = new_command(
        commands,
        "rate",
        run,
        summary="rate answers, base against tuned, on a local page",
        description=(
            "Serves a page for this machine only, which shows the source and both answers without "
            "their names. Every click is on the disk before it is marked; Ctrl-C ends it, and who "
            "comes back under the same name goes on. `dvc repro` then takes the ratings into the "
            "report."
        ),
        example="rate --port 8017",
        reads="data/split/test.jsonl, data/predict/base.jsonl, data/predict/tuned.jsonl",
        writes="data/ratings/NAME.jsonl, one file a rater",
    )
    add_path(command, "--examples", "data/split/test.jsonl", "the test examples")
    add_path(command, "--base", "data/predict/base.jsonl", "the base model's answers")
    add_path(command, "--tuned", "data/predict/tuned.jsonl", "the tuned model's answers")
    add_path(command, "--ratings", "data/ratings", "where the clicks go")
    command.add_argument("--port", type=int, default=8017, help="on 127.0.0.1; 0 for any free one")


def run(parsed: argparse.Namespace) -> None:
    """Serve the page on which people rate the answers."""
    from finllm.rating.app import serve
    from finllm.rating.ballot import pairs
    from finllm.records import read_examples, read_predictions

    for path in (parsed.examples, parsed.base, parsed.tuned):
        if not path.is_file():
            raise ValueError(f"{path}: no such file; run `dvc repro` first")
    base, tuned = read_predictions(parsed.base), read_predictions(parsed.tuned)
    serve(pairs(read_examples(parsed.examples), base, tuned), parsed.ratings, port=parsed.port)
