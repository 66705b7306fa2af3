"""What every stage script shares: paths from the command line, and errors in words."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from finllm.params import Params, load_params


def paths(*names: str) -> argparse.Namespace:
    """The paths that dvc.yaml gives this stage, as ``--name PATH`` each."""
    parser = argparse.ArgumentParser()
    for name in names:
        parser.add_argument(f"--{name}", type=Path, required=True)
    return parser.parse_args()


def params() -> Params:
    """The checked params.yaml of the working folder."""
    return load_params(Path("params.yaml"))


def run(main: Callable[[], None]) -> None:
    """Run a stage; a user's mistake is one line and exit code 1, never a traceback."""
    try:
        main()
    except (ValueError, OSError) as error:
        stage = Path(sys.argv[0]).stem
        sys.exit(f"{stage}: {error}")
    except KeyboardInterrupt as error:
        print(f"{Path(sys.argv[0]).stem}: {error or 'interrupted'}", file=sys.stderr)
        sys.exit(130)
