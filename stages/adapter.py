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

OFF = "off.txt"  # in the folder of a model that was not trained: why not


def paths(*names: str) -> argparse.Namespace:
    """The paths that dvc.yaml gives this stage, as ``--name PATH`` each."""
    parser = argparse.ArgumentParser()
    for name in names:
        parser.add_argument(f"--{name}", type=Path, required=True)
    return parser.parse_args()


def params() -> Params:
    """The checked params.yaml of the working folder."""
    return load_params(Path("params.yaml"))


def reasons(rejects: Iterable[Reject]) -> str:
    """How many of each reason, the most frequent first, as `` (3 too_short, 1 html)``."""
    counts = Counter(reject.reason for reject in rejects)
    return (
        f" ({', '.join(f'{n} {reason}' for reason, n in counts.most_common())})" if counts else ""
    )


def run(main: Callable[[], str | None]) -> None:
    """Run a stage and show its line; a mistake is a line and exit code 1, never a traceback."""
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
