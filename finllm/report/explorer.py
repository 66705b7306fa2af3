"""Example explorer: scores for the page's script, and the script with its hash."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from finllm.records import METRICS, Score
from finllm.report import wording

NO_SCORE = "-"


@dataclass(frozen=True)
class Explorer:
    """Data by which the page's script sorts and filters.

    ``metrics`` holds names, labels, and labels within a sentence, with the primary metric first.
    """

    metrics: Sequence[tuple[str, str, str]]
    templates: Sequence[str]
    companies: Sequence[str]
    base: dict[str, str]  # scores in the order of ``metrics``, by example id
    tuned: dict[str, str]


def explorer(scores: Sequence[Score], *, primary: str) -> Explorer:
    """Return the test scores of both models by example, to six digits and without any text."""
    names = [primary, *(name for name in METRICS if name != primary)]
    rows = [row for row in scores if row.split == "test"]
    by_model = {
        model: {
            row.example_id: " ".join(_plain(row.values.get(name)) for name in names)
            for row in rows
            if row.model == model
        }
        for model in ("base", "tuned")
    }
    return Explorer(
        [(n, wording.metric_label(n), wording.metric_in_sentence(n)) for n in names],
        sorted({row.template for row in rows}),
        sorted({row.company for row in rows}, key=str.casefold),
        **by_model,
    )


def script() -> str:
    """Return the text of the page's only script."""
    folder = Path(__file__).parent
    parts = [(folder / name).read_text(encoding="utf-8") for name in ("page.js", "explorer.js")]
    return "".join(parts)


def script_source(text: str) -> str:
    """Return the script's hash for a Content-Security-Policy, which permits no other script.

    >>> script_source("")
    'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
    """
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")


def _plain(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return NO_SCORE
    return f"{value:.6g}"
