"""``finllm plan``: estimate memory and time of a training run."""

from __future__ import annotations

import argparse
from pathlib import Path

from finllm.commands.arguments import add_json, add_params, add_path, check_least, new_command


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the parser of the command."""
    command = new_command(
        commands,
        "plan",
        run,
        summary="estimate memory and time of a training run",
        description=(
            "Estimate parameters, memory of weights, adapter, optimizer and activations, "
            "peak memory on 1 to 8 devices under each launcher, the devices that fit, tokens "
            "and time, from the parameters alone. Needs neither weights nor a network. A "
            "model that is not in finllm/planning/models.toml must be a local folder with a "
            "config.json or in the Hub's cache. 1 GB is 10^9 bytes. The exit code is 0 even "
            "if the run does not fit; scripts read `fits` in the output of --json."
        ),
        example=(
            "plan\n"
            "plan --preset gpu-llama3-8b-qlora --examples 5000\n"
            "plan --preset gpu-llama3-8b-qlora --launcher fsdp --devices 4 --json"
        ),
        reads=(
            "params.yaml; without --preset also the training set and the speed of the last "
            "run (data/split/train.jsonl, metrics/details/train.json, metrics/costs/train.json)"
        ),
        writes="nothing",
    )
    command.add_argument(
        "--preset", default="", metavar="NAME", help="plan for this preset instead of params.yaml"
    )
    add_params(command)
    add_path(command, "--presets", "presets", "folder of presets")
    command.add_argument(
        "--launcher",
        default="",
        choices=["single", "ddp", "fsdp", "deepspeed-zero2", "deepspeed-zero3"],
        help="launcher for several devices (default: train.launcher)",
    )
    command.add_argument(
        "--devices",
        type=int,
        metavar="N",
        help="number of devices, at least 1 (default: plan.devices)",
    )
    command.add_argument(
        "--examples",
        type=int,
        metavar="N",
        help="number of training examples (default: size of data/split/train.jsonl, or the limit "
        "in the parameters)",
    )
    command.add_argument(
        "--tokens-per-second",
        type=float,
        metavar="N",
        help="training speed of all devices together (default: the speed in "
        "metrics/costs/train.json if trainable parameters and batch size match, else "
        "plan.utilisation of plan.peak_tflops; in float32 the values that end in _float32)",
    )
    add_json(command, "the plan, in bytes,")


def run(parsed: argparse.Namespace) -> None:
    """Print the planned memory and time of a training run."""
    from finllm.commands.plan.plan_text import page
    from finllm.commands.terminal import print_json
    from finllm.planning.plan_request import plan_params
    from finllm.settings.params import load_params
    from finllm.settings.presets import preset_params

    for option, number in (("--devices", parsed.devices), ("--examples", parsed.examples)):
        if number is not None:
            check_least(option, number, 1)
    speed = parsed.tokens_per_second
    if speed is not None and not speed > 0:
        raise ValueError(f"--tokens-per-second is {speed:g}; it must be above 0")
    if parsed.preset:
        params = preset_params(parsed.preset, folder=parsed.presets, params=parsed.params)
    else:
        params = load_params(parsed.params)
    launcher = parsed.launcher or params.train.launcher
    planned = plan_params(
        params,
        launcher=launcher,
        devices=_devices(parsed.devices, params.plan.devices, launcher),
        examples=parsed.examples or 0,
        tokens_per_second=speed or 0.0,
        train_set=None if parsed.preset else Path("data/split/train.jsonl"),
        metrics=None if parsed.preset else Path("metrics"),
    )
    if parsed.json:
        print_json(planned.to_json())
    else:
        print(page(planned))


def _devices(asked: int | None, present: int, launcher: str) -> int:
    """Return the number of devices to plan for; the launcher ``single`` trains on one."""
    if launcher != "single":
        return asked or present
    if asked and asked > 1:
        raise ValueError(
            f"--devices is {asked}, and the launcher single trains on one device; add --launcher "
            "ddp, fsdp, deepspeed-zero2 or deepspeed-zero3"
        )
    return 1
