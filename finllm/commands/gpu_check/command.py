"""``finllm gpu-check``: compare CUDA's results with the CPU's, and measure memory and speed."""

from __future__ import annotations

import argparse

from finllm.commands.arguments import add_path, new_command


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the parser of the command."""
    command = new_command(
        commands,
        "gpu-check",
        run,
        summary="check what a GPU computes, and the memory and speed of an 8B model",
        description=(
            "With a small model, test what only CUDA uses: four-bit weights, the 8-bit and the "
            "paged optimizer, float16 with loss scaling, fused attention, recomputed layers, "
            "preference pairs, answers, merging, export. Each result must agree with the CPU's in "
            "float32, within the type's precision. Then train a model of Llama-3-8B's shape with "
            "random weights, and let it answer: the planned memory must be within 15 % of the "
            "measured memory, and tokens per second are compared with SFTTrainer and generate. No "
            "network is needed. "
            "Without a GPU, the layers that a GPU would run are run on the CPU. The exit code is 1 "
            "if a bound is missed or a check fails."
        ),
        example="gpu-check\ngpu-check --minutes 5 --output h100.json",
        reads="the packaged model, if installed",
        writes="the findings as JSON, to attach to an issue",
    )
    command.add_argument(
        "--minutes",
        type=float,
        metavar="N",
        default=10.0,
        help="minutes after which no new check starts (default: %(default)g)",
    )
    add_path(command, "--output", "gpu-check.json", "JSON file for the findings")


def run(parsed: argparse.Namespace) -> int:
    """Print the table and write the findings; return 1 if a bound is missed or a check fails."""
    import sys
    import time

    from tqdm import tqdm

    from finllm.commands.files import check_output
    from finllm.records import write_text

    if not parsed.minutes > 0:
        raise ValueError(f"--minutes is {parsed.minutes:g}; it must be above 0")
    check_output(parsed.output)
    import finllm.model  # noqa: F401  (silences a notice of bitsandbytes, which check imports)
    from finllm.commands.gpu_check import check
    from finllm.commands.gpu_check.finding import table

    started = time.monotonic()
    bar = tqdm(check.run(minutes=parsed.minutes), unit="check", disable=None, file=sys.stderr)
    findings = list(bar)
    print(table(findings, head=check.head()))
    write_text(parsed.output, check.record(findings, seconds=time.monotonic() - started))
    print(f"{parsed.output}: findings written; attach this file to an issue")
    return 0 if check.passed(findings) else 1
