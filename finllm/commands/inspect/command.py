"""``finllm inspect``: print a training example, a preference pair, or the speakers of a call."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from finllm.commands.arguments import add_params, add_path, new_command

if TYPE_CHECKING:
    from finllm.records import Example
    from finllm.settings.params import Params

EXAMPLES, SPLIT = "examples of the stage `split`", "run `dvc repro split` first"
PAIRS, PREFER = "pairs of the stage `prefer`", "run `dvc repro prefer` first"


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the parser of the command."""
    command = new_command(
        commands,
        "inspect",
        run,
        summary="print a training example, a preference pair, or the speakers of a call",
        description=(
            "Print prompt, answer and special tokens of a training example, and the token at "
            "which the loss starts. On a terminal the prompt is dim, tokens with loss are "
            "green and special tokens are magenta; elsewhere a line marks the start of the "
            "loss. With --call, print one line per turn of a call, with speaker, role and "
            "section: executives are green, analysts yellow, operators dim, unknown speakers "
            "red. With --pair, print prompt, chosen and rejected answer of a preference pair."
        ),
        example=("inspect --template summarization --index 3\ninspect --call ACME_q3_2023"),
        reads=(
            "data/split/train.jsonl, params.yaml, the model's tokenizer; with --call "
            "data/clean/transcripts.jsonl, with --pair data/prefer/pairs.jsonl"
        ),
        writes="nothing",
    )
    one = command.add_mutually_exclusive_group()
    one.add_argument(
        "--call", default="", metavar="ID", help="print this call instead of an example"
    )
    one.add_argument(
        "--pair", type=int, metavar="N", help="print this preference pair instead, from 0"
    )
    one.add_argument(
        "--template",
        default="",
        metavar="NAME",
        help="select examples of this template (default: all)",
    )
    command.add_argument(
        "--index",
        type=int,
        metavar="N",
        help="index among the selected examples, from 0 (default: 0)",
    )
    add_path(command, "--examples", "data/split/train.jsonl", "file of examples")
    add_path(command, "--transcripts", "data/clean/transcripts.jsonl", "file of calls")
    add_path(command, "--pairs", "data/prefer/pairs.jsonl", "file of preference pairs")
    add_params(command)


def run(parsed: argparse.Namespace) -> None:
    """Print a training example (prompt, answer, loss mask, special tokens), a call or a pair."""
    from finllm.commands.files import rows_in
    from finllm.commands.terminal import has_colour

    if parsed.index is not None and (parsed.call or parsed.pair is not None):
        raise ValueError("--index selects a training example; leave it out with --call and --pair")
    if parsed.call:
        print(_call(parsed.transcripts, parsed.call, colour=has_colour(sys.stdout)))
        return
    from finllm.instruct import chat, inspection
    from finllm.model.tokenizer import load_tokenizer
    from finllm.model.weights import base_folder
    from finllm.records import read_examples
    from finllm.settings.params import load_params

    rows = list(rows_in(read_examples, parsed.examples, EXAMPLES, mend=SPLIT))
    params = load_params(parsed.params)
    if parsed.pair is not None:
        print(_pair(parsed, rows, params))
        return
    example = inspection.pick(rows, template=parsed.template, index=parsed.index or 0)
    tokenizer = load_tokenizer(base_folder(params.model), revision=params.model.revision)
    prompt = chat.render_example(tokenizer, example, params.templatize.system_prompt)
    silent = example.unstated if params.train.unstated_figures == "mask" else ()
    encoded = chat.encode_example(tokenizer, prompt, example.answer, silent=silent)
    print(inspection.show(tokenizer, example, encoded, colour=has_colour(sys.stdout)))


def _pair(parsed: argparse.Namespace, examples: Sequence[Example], params: Params) -> str:
    from finllm.commands.files import rows_in
    from finllm.commands.terminal import has_colour
    from finllm.model.tokenizer import load_tokenizer
    from finllm.model.weights import base_folder
    from finllm.preference.inspection import pick_pair, show_pair
    from finllm.preference.pairs import read_pairs

    pairs = list(rows_in(read_pairs, parsed.pairs, PAIRS, mend=PREFER))
    pair, example = pick_pair(pairs, examples, parsed.pair)
    tokenizer = load_tokenizer(base_folder(params.model), revision=params.model.revision)
    system = params.templatize.system_prompt
    return show_pair(tokenizer, example, pair, system, colour=has_colour(sys.stdout))


def _call(transcripts: Path, call_id: str, *, colour: bool) -> str:
    from finllm.commands.inspect import call_page

    call = call_page.find_call(transcripts, transcripts.with_name("rejects.jsonl"), call_id)
    return call_page.page(call, width=shutil.get_terminal_size((100, 24)).columns, colour=colour)
