"""``finllm export``: export the tuned model."""

from __future__ import annotations

import argparse
from pathlib import Path

from finllm.commands.arguments import (
    add_adapter,
    add_model,
    add_params,
    add_path,
    check_least,
    new_command,
)


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the parser of the command."""
    command = new_command(
        commands,
        "export",
        run,
        summary="export the tuned model",
        description=(
            "Formats: `merged` is a folder for transformers, `gguf` a file for llama.cpp, "
            "`adapter` the LoRA weights alone. Each comes with a model card. The exported "
            "model is loaded again and answers test prompts; the last lines report how many "
            "of its greedy answers equal those of the evaluated model."
        ),
        example="export --format merged --output tuned",
        reads=("models/adapter or models/preferred, params.yaml, data/split/test.jsonl, metrics/"),
        writes="the folder --output, complete or not at all",
    )
    command.add_argument(
        "--format", choices=("merged", "gguf", "adapter"), required=True, help="output format"
    )
    command.add_argument(
        "--output", type=Path, required=True, metavar="FOLDER", help="folder to create"
    )
    command.add_argument(
        "--force", action="store_true", help="replace the content of an existing folder"
    )
    command.add_argument(
        "--prompts",
        type=int,
        metavar="N",
        default=20,
        help="number of test prompts to compare, at least 1 (default: %(default)s)",
    )
    add_model(command, "model to export: tuned, preferred")
    add_adapter(command)
    add_path(
        command, "--examples", "data/split/test.jsonl", "file of test examples for the prompts"
    )
    add_path(command, "--metrics", "metrics", "folder of metrics for the model card")
    add_params(command)


def run(parsed: argparse.Namespace) -> None:
    """Export the tuned model; print how far its answers agree with the evaluated model's."""
    from finllm.settings.params import load_params

    check_least("--prompts", parsed.prompts, 1)
    params = load_params(parsed.params)
    model = parsed.model or params.verdict.candidate
    from finllm.commands.export.export_model import export_model  # imports torch

    agreement = export_model(
        parsed.format,
        parsed.output,
        params=params,
        model=model,
        adapter=parsed.adapter,
        examples=parsed.examples,
        metrics=parsed.metrics,
        n_prompts=parsed.prompts,
        force=parsed.force,
    )
    print(f"{parsed.output}: the {model} model as {parsed.format}, with its card in README.md")
    if agreement:
        print(
            f"greedy answers of the exported and the evaluated model to {agreement.n_prompts} test "
            f"prompts: {agreement.exact_share:.0%} identical, {agreement.token_share:.0%} of the "
            "tokens before the first difference"
        )
        if agreement.lead_at_differences:
            leads = ", ".join(f"{lead:.2f}" for lead in sorted(agreement.lead_at_differences))
            print(
                "at the first difference, the evaluated model's token had a lead in logits of "
                f"{leads}; its usual lead is {agreement.usual_lead:.2f}"
            )
