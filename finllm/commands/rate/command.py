"""``finllm rate``: serve the page for human ratings."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from finllm.commands.arguments import add_adapter, add_params, add_path, new_command

if TYPE_CHECKING:
    from finllm.rating.ballot import Pair
    from finllm.records import Example

MEND = "run `dvc repro` first"


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
            "then adds the ratings to the report. With --split train, both models first answer "
            "training examples, which takes minutes; their ratings are pairs for preference "
            "tuning (prefer.weights.rated) and appear in no report."
        ),
        example="rate --port 8017\nrate --split train --count 64",
        reads=(
            "data/split/test.jsonl, data/predict/base.jsonl, data/predict/tuned.jsonl; with "
            "--split train data/split/train.jsonl, models/adapter, params.yaml"
        ),
        writes=(
            "data/ratings/NAME.jsonl, one file per rater; with --split train in "
            "data/ratings/train, and there the answers too"
        ),
    )
    command.add_argument(
        "--split",
        choices=("test", "train"),
        default="test",
        help="set whose examples are rated (default: %(default)s)",
    )
    command.add_argument(
        "--count",
        type=int,
        metavar="N",
        default=32,
        help="training examples to show, 0 for all (default: %(default)s)",
    )
    command.add_argument(
        "--examples",
        type=Path,
        metavar="FILE",
        help="file of the examples (default: data/split/SPLIT.jsonl)",
    )
    add_path(command, "--base", "data/predict/base.jsonl", "answers of the base to the test set")
    add_path(
        command, "--tuned", "data/predict/tuned.jsonl", "answers of the tuned model to the test set"
    )
    command.add_argument(
        "--ratings",
        type=Path,
        metavar="FOLDER",
        help="folder for the ratings (default: data/ratings; with --split train its folder train)",
    )
    add_adapter(command)
    add_params(command)
    command.add_argument(
        "--port",
        type=int,
        metavar="N",
        default=8017,
        help="port on 127.0.0.1, 0 for any free port (default: %(default)s)",
    )


def run(parsed: argparse.Namespace) -> None:
    """Serve the page on which people rate answers."""
    from finllm.commands.files import rows_in
    from finllm.commands.rate.app import serve
    from finllm.rating.ballot import pairs
    from finllm.records import read_examples, read_predictions

    train = parsed.split == "train"
    examples = parsed.examples or Path(f"data/split/{parsed.split}.jsonl")
    ratings = parsed.ratings or Path("data/ratings/train" if train else "data/ratings")
    if ratings.exists() and not ratings.is_dir():
        raise ValueError(f"{ratings}: a file; --ratings must be a folder")
    rows = list(rows_in(read_examples, examples, "examples of the stage `split`", mend=MEND))
    if train:
        found = _of_training(parsed, examples, rows, ratings)
    else:
        base, tuned = (
            list(rows_in(read_predictions, path, "answers of the stage `predict`", mend=MEND))
            for path in (parsed.base, parsed.tuned)
        )
        found = pairs(rows, base, tuned)
    serve(found, ratings, port=parsed.port)


def _of_training(
    parsed: argparse.Namespace, examples: Path, rows: Sequence[Example], ratings: Path
) -> list[Pair]:
    from finllm.preference.pairs import with_reference
    from finllm.rating.ballot import pairs_of
    from finllm.settings.params import load_params

    if parsed.count < 0:
        raise ValueError(f"--count is {parsed.count}; it must be 0 or more")
    params = load_params(parsed.params)
    written = with_reference(rows)
    if not written:
        raise ValueError(
            f"{examples}: no example has a reference that a person or the generator wrote"
        )
    from finllm.commands.rate.training_examples import answered_examples  # imports torch

    drawn, answered = answered_examples(
        params, written, ratings, count=parsed.count, adapter=parsed.adapter
    )
    texts = {row.example_id: (row.base, row.tuned) for row in answered}
    return pairs_of(drawn, texts)
