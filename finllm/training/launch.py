"""Launch of one training process per device through Accelerate.

The command remains `python -m stages.train ...`. On one device it trains in its own process; on
several it acts as the launcher: Accelerate starts the same command once per device, with the config
file of ``train.launcher``. Nothing here imports torch before it is needed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

SINGLE, DDP, FSDP = "single", "ddp", "fsdp"
LAUNCHERS = (SINGLE, DDP, FSDP, "deepspeed-zero2", "deepspeed-zero3")
RANK, LOCAL_RANK = "RANK", "LOCAL_RANK"  # set for every process of a launch


def n_processes(launcher: str, devices: int) -> int:
    """Return the number of training processes: 1 for ``single``, else ``devices``.

    For ``devices``, 0 means all visible GPUs, or one process without a GPU. Without a GPU, a number
    above 1 starts that many processes on the CPU, which is slower than one process and meant for
    testing a launch.

    Raises
    ------
    ValueError
        If more devices are asked for than there are or than ``single`` uses, or DeepSpeed is asked
        for and missing.
    """
    import torch

    visible = torch.cuda.device_count()
    if launcher == SINGLE:
        if devices > 1:
            raise ValueError(
                f"train.devices is {devices} and train.launcher is {SINGLE}, which uses one "
                f"device; use one of {', '.join(LAUNCHERS[1:])}"
            )
        return 1
    if visible and devices > visible:
        raise ValueError(f"train.devices is {devices}, and this machine shows {visible} GPUs")
    n = devices or max(1, visible)
    if n > 1 and launcher.startswith("deepspeed") and not importlib.util.find_spec("deepspeed"):
        raise ValueError(
            f"train.launcher is {launcher}, and DeepSpeed is not installed (pip install deepspeed);"
            " fsdp shards like ZeRO-3 and needs no further package"
        )
    return n


def launched() -> bool:
    """Return whether this process is part of a launch."""
    return LOCAL_RANK in os.environ


def n_launched() -> int:
    """Return the number of processes that train together, this one included."""
    return int(os.environ.get("WORLD_SIZE", 1)) if launched() else 1


def is_main() -> bool:
    """Return whether this process is the one that prints and writes."""
    return int(os.environ.get(RANK, 0)) == 0


def wait_for_all() -> None:
    """Wait until every process of the launch has called this; a single process does not wait."""
    if launched():
        from accelerate import PartialState

        PartialState().wait_for_everyone()


def launch(module: str, arguments: Sequence[str], *, config: Path, n: int) -> None:
    """Run ``python -m module arguments`` once per device, and wait for all processes.

    Parameters
    ----------
    module, arguments
        Module to run, and its command-line arguments.
    config
        Accelerate's config file; ``n`` overrides the number of processes in it.
    n
        Number of processes, at least 2.

    Raises
    ------
    ValueError
        If the file is missing, or a process failed (with that process's message, if it left one).
    """
    if not config.is_file():
        raise ValueError(
            f"{config}: no such file; it configures how Accelerate launches the training"
        )
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # the agent's notices about ports
    import logging

    import torch
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    cores = max(1, (os.cpu_count() or 1) // n)
    threads = os.environ.get("OMP_NUM_THREADS", "" if torch.cuda.is_available() else str(cores))
    options = ["--config_file", str(config), "--num_processes", str(n)]
    options += ["--main_process_port", "0", "--module"]
    options += ["--num_cpu_threads_per_process", threads] if threads else []
    try:
        launch_command(launch_command_parser().parse_args([*options, module, *arguments]))
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        said = failure.message if os.path.isfile(failure.error_file) else ""
        raise ValueError(
            said or f"process {rank} of {n} ended with code {failure.exitcode}; see its output"
        ) from None


@contextlib.contextmanager
def one_voice() -> Iterator[None]:
    """Let only the first process of a launch print, and leave errors to the launcher.

    The launcher prints the message once and ends the other processes.
    """
    if not launched():
        yield
        return
    with contextlib.ExitStack() as stack:
        if not is_main():
            silence = stack.enter_context(open(os.devnull, "w"))
            stack.enter_context(contextlib.redirect_stdout(silence))
        try:
            yield
        except (ValueError, OSError) as error:
            file = Path(os.environ["TORCHELASTIC_ERROR_FILE"])  # torchrun sets its path and format
            file.write_text(json.dumps({"message": str(error), "timestamp": int(time.time())}))
            sys.exit(1)
