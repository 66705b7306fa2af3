"""Edits of a human summary that do not change its meaning, unlike the library's errors.

They work on the raw text, with tables of their own and without the metrics' code, so that the
metrics are not tested only on what they can detect.
"""

from __future__ import annotations

import re

import numpy as np

from finllm.preference.corruptions import ORDINALS, Edit, choose, numbers, put

SAME_WAY = {
    "rose": ("increased", "climbed", "grew", "went up", "was up"),
    "rises": ("increases", "climbs"),
    "increased": ("rose", "grew", "climbed", "advanced"),
    "increases": ("rises", "grows"),
    "increase": ("rise",),
    "grew": ("rose", "increased", "expanded"),
    "fell": ("declined", "decreased", "dropped", "went down", "was down"),
    "declined": ("fell", "decreased", "dropped"),
    "decreased": ("fell", "declined", "dropped"),
    "decrease": ("decline", "drop"),
    "up": ("higher",),
    "down": ("lower",),
    "raises": ("lifts", "boosts", "increases"),
    "raised": ("lifted", "increased"),
    "raising": ("lifting", "increasing"),
    "lowers": ("cuts", "reduces"),
    "improved": ("strengthened",),
    "sees": ("expects", "forecasts"),
}


def reword_number(summary: str, call: str, rng: np.random.Generator) -> str:
    """Write one figure in another notation: "$452.2 million" as "$0.4522 billion"."""
    match = choose([m for m in numbers(summary) if m["unit"]], rng)
    if match is None:
        return summary
    sign, digits, unit = (
        match["money"] or "",
        match["digits"].replace(",", ""),
        match["unit"].lower(),
    )
    n = len(digits.partition(".")[2])
    if unit in ("%", " percent"):
        return put(summary, match, digits + (" percent" if unit == "%" else "%"))
    if unit in (" million", " mln"):
        return put(summary, match, f"{sign}{float(digits) / 1000:.{n + 3}f} billion")
    if unit in (" billion", " bln"):
        return put(summary, match, f"{sign}{float(digits) * 1000:,.{max(0, n - 3)}f} million")
    return summary


def reword_direction(summary: str, call: str, rng: np.random.Generator) -> str:
    """Replace one word of direction by another for the same direction."""
    words = "|".join(SAME_WAY)
    match = choose(list(re.finditer(rf"\b(?:{words})\b(?= \d| by \d| \$)", summary)), rng)
    if match is None:
        match = choose(list(re.finditer(r"\b(?:rose|grew|fell|declined|sees)\b", summary)), rng)
    return (
        summary if match is None else put(summary, match, str(rng.choice(SAME_WAY[match.group()])))
    )


def reword_period(summary: str, call: str, rng: np.random.Generator) -> str:
    """Write one period in other words: "q3" as "third quarter"."""
    pattern = r"\bq([1-4])\b|\b(first|second|third|fourth)[ -]quarter\b|\bqtrly\b|\bfy (?=20)"
    match = choose(list(re.finditer(pattern, summary)), rng)
    if match is None:
        return summary
    if match[1]:
        return put(summary, match, f"{ORDINALS[int(match[1]) - 1]} quarter")
    if match[2]:
        return put(summary, match, f"q{ORDINALS.index(match[2]) + 1}")
    return put(summary, match, "quarterly" if match.group() == "qtrly" else "fiscal ")


REWORDINGS: dict[str, Edit] = {
    "number": reword_number,
    "direction": reword_direction,
    "period": reword_period,
}
