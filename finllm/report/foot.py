"""Last paragraphs of the report: provenance and reproducibility."""

from __future__ import annotations

from finllm.runtime import provenance


def foot(made_with: str) -> list[str]:
    """Return the paragraphs at the foot of the page, with `commands` in backticks.

    ``made_with`` is ``finllm.runtime.provenance.line`` of the run, or empty if it was not recorded.
    """
    known = [f"Made with: {made_with}."] if made_with else []
    return [*known, f"To reproduce: check out the commit, then `make repro`. {provenance.REPEATS}"]
