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
    """Whether to colour what is written there: a terminal, and nobody asked for none.

    ``NO_COLOR`` that is not empty asks for none (https://no-color.org), and so does a terminal that
    can show none.
    """
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wanted and stream.isatty()


def painted(text: str, colour: str) -> str:
    r"""The text in a colour; as it is where the colour is empty.

    >>> painted("ok", GREEN), painted("ok", "")
    ('\x1b[32mok\x1b[0m', 'ok')
    """
    return f"{colour}{text}{RESET}" if colour else text


def bars_on_terminals_only() -> None:
    """Keep the Hub's and transformers' progress bars out of what is no terminal.

    Has to come before they are imported: they ask then, and never again.
    """
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def print_json(record: object) -> None:
    """Print a dataclass or a mapping as one JSON object, and nothing else, on standard output.

    NaN and infinity, which JSON has not, are null.
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
