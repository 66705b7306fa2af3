"""Error messages for a missing or inactive environment.

Imports only the standard library, and must be readable by every Python since 3.6.
"""

import os
import sys

OLDEST, NEWEST = (3, 11), (3, 13)


def python_fits() -> bool:
    """Return whether the pinned packages exist for this Python version."""
    return OLDEST <= sys.version_info[:2] <= NEWEST


def outside(error: ImportError) -> str:
    """Return a message that says how to fix a missing package."""
    missing = f"package {error.name} is missing"
    if not os.path.exists(os.path.join(".venv", "bin", "activate")):
        return f"{missing}; run `make repro` to create the environment"
    if os.path.abspath(sys.prefix) == os.path.abspath(".venv"):
        return f"{missing}, although the environment is active; repair it with: make environment"
    return f"{missing}; activate the environment first: source .venv/bin/activate"


def in_words(error: Exception) -> str:
    """Return an error's message; for a file error without its number, as ``FILE: no such file``."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror[0].lower()}{error.strerror[1:]}"
    return str(error)


def wrong_python() -> str:
    """Return a message that says how to fix an unsupported Python version."""
    found = ".".join(map(str, sys.version_info[:2]))
    return (
        f"Python {found} is not supported (3.11 to 3.13 are); activate the environment: "
        "source .venv/bin/activate (create it with `make repro`)"
    )
