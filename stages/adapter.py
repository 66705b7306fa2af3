"""Shared code of the stage scripts: paths from the command line, and error messages."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from finllm.records import Reject
from finllm.runtime import screen
from finllm.runtime.environment import in_words
from finllm.settings.params import Params, load_params

OFF = "off.txt"  # in the folder of a model that was not trained: the reason


def paths(*names: str) -> argparse.Namespace:
    """Parse the paths that dvc.yaml passes to this stage, each as ``--name PATH``."""
    parser = argparse.ArgumentParser()
    for name in names:
        parser.add_argument(f"--{name}", type=Path, required=True)
    return parser.parse_args()


def params() -> Params:
    """Read and check the params.yaml of the working folder."""
    return load_params(Path("params.yaml"))


def reasons(rejects: Iterable[Reject]) -> str:
    """Count the rejects by reason, most frequent first, as in `` (3 too_short, 1 html)``."""
    counts = Counter(reject.reason for reject in rejects)
    return (
        f" ({', '.join(f'{n} {reason}' for reason, n in counts.most_common())})" if counts else ""
    )


def run(main: Callable[[], str | None]) -> None:
    """Run a stage and print its line; user errors exit with one line and code 1, no traceback."""
    try:
        said = main()
    except (ValueError, OSError) as error:
        screen.fail(in_words(error))
        sys.exit(1)
    except KeyboardInterrupt as error:
        screen.interrupted(str(error))
        sys.exit(130)
    if said:
        screen.result(said)
