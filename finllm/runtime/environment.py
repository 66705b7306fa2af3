"""Error messages for a missing or inactive environment.

Imports the standard library alone, and is read by every Python since 3.6.
"""

import os
import sys

OLDEST, NEWEST = (3, 11), (3, 13)


def python_fits() -> bool:
    """Whether the pinned packages exist for this Python."""
    return OLDEST <= sys.version_info[:2] <= NEWEST


def outside(error: ImportError) -> str:
    """A missing package as what to do about it."""
    missing = f"package {error.name} is missing"
    if not os.path.exists(os.path.join(".venv", "bin", "activate")):
        return f"{missing}; run `make repro` to create the environment"
    if os.path.abspath(sys.prefix) == os.path.abspath(".venv"):
        return f"{missing}, although the environment is active; repair it with: make environment"
    return f"{missing}; activate the environment first: source .venv/bin/activate"


def in_words(error: Exception) -> str:
    """An error for the screen; one of a file without its number, as ``FILE: no such file``."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror[0].lower()}{error.strerror[1:]}"
    return str(error)


def wrong_python() -> str:
    """A Python that does not fit as what to do about it."""
    found = ".".join(map(str, sys.version_info[:2]))
    return (
        f"Python {found} is not supported (3.11 to 3.13 are); activate the environment: "
        "source .venv/bin/activate (create it with `make repro`)"
    )
