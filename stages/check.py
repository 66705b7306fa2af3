"""Validate parameters, sources and models before DVC removes any output."""

from pathlib import Path

from finllm.checking import check
from finllm.records import write_text
from stages import adapter

SAID = "params.yaml and the files it names were checked\n"  # constant, so that no stage reruns


def main() -> str:
    """Check everything, and write a file that says so."""
    at = adapter.paths("done")
    check(adapter.params(), Path())
    write_text(at.done, SAID)
    return "parameters, sources and models are valid"


if __name__ == "__main__":
    adapter.run(main)
