"""What to say where the packages are not: the environment is not active, or not made.

Imports nothing that is not in the standard library, and is read by any Python 3.
"""

import os
import sys

OLDEST, NEWEST = (3, 11), (3, 13)


def python_fits():
    # type: () -> bool
    """Whether the pinned packages exist for this Python."""
    return OLDEST <= sys.version_info[:2] <= NEWEST


def outside(error):
    # type: (ImportError) -> str
    """A missing package as what to do about it."""
    missing = "the package %s is missing here" % error.name
    if not os.path.exists(os.path.join(".venv", "bin", "activate")):
        return missing + "; `make repro` makes the environment (or pip install -r requirements.txt)"
    if sys.prefix == os.path.abspath(".venv"):
        return missing + ", and the environment is active; mend it by: make environment"
    return missing + "; activate the environment first: source .venv/bin/activate"


def too_old():
    # type: () -> str
    """A Python that does not fit as what to do about it."""
    return "this is Python %d.%d, and finllm needs 3.11 to 3.13; %s" % (
        sys.version_info[0],
        sys.version_info[1],
        "source .venv/bin/activate, or `make repro` where there is no environment yet",
    )
