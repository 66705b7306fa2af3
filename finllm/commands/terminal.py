"""Terminal output: colour on terminals only, one JSON object for scripts."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import sys
from typing import TextIO

RED, GREEN, YELLOW, BOLD, DIM, RESET = (f"\x1b[{code}m" for code in (31, 32, 33, 1, 2, 0))


def has_colour(stream: TextIO) -> bool:
    """Return whether to colour output on a stream: on a terminal, unless colour is switched off.

    A non-empty ``NO_COLOR`` switches it off (https://no-color.org), and so does ``TERM=dumb``.
    """
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wanted and stream.isatty()


def painted(text: str, colour: str) -> str:
    r"""Return the text in a colour, or unchanged if the colour is empty.

    >>> painted("ok", GREEN), painted("ok", "")
    ('\x1b[32mok\x1b[0m', 'ok')
    """
    return f"{colour}{text}{RESET}" if colour else text


def bars_on_terminals_only() -> None:
    """Disable the progress bars of the Hub and transformers unless stderr is a terminal.

    Must be called before these libraries are imported: they read the setting only once.
    """
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def print_json(record: object) -> None:
    """Print a dataclass or a mapping as one JSON object, and nothing else, on standard output.

    NaN and infinity, which JSON does not have, become null.
    """
    if dataclasses.is_dataclass(record) and not isinstance(record, type):
        record = dataclasses.asdict(record)
    json.dump(_finite(record), sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
    print()


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
