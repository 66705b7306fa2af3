"""Corruptions of a summary: each function introduces one error of a known kind.

They work on the raw text, with tables of their own and without the metrics' code, so that the
metrics are not tested only on what they can detect. Words are found in any case, and a word that
replaces one is written in its case. Figures are those in English notation: "1,234.5".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

Edit = Callable[
    [str, str, np.random.Generator], str
]  # (summary, call, rng) to the edited summary, unchanged if nothing fits

_NUMBER = re.compile(
    r"(?<![\w.,$-])(?P<money>\$)?(?P<digits>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)"
    r"(?![\d,.]*\d|-for|\w|-\d)"
    r"(?P<unit> (?:million|billion|percent|basis points|mln|bln|cents)\b|%)?",
    re.IGNORECASE,
)
_UNITS = {"mln": "million", "bln": "billion", "%": "percent"}
_YEAR = re.compile(r"(?:19|20)\d\d$")
FLIPS = (
    ("rose", "fell"),
    ("rises", "falls"),
    ("increased", "decreased"),
    ("increases", "decreases"),
    ("increase", "decrease"),
    ("increasing", "decreasing"),
    ("grew", "declined"),
    ("growth", "decline"),
    ("grow", "shrink"),
    ("up", "down"),
    ("higher", "lower"),
    ("gain", "loss"),
    ("gained", "lost"),
    ("improved", "worsened"),
    ("improve", "worsen"),
    ("improvement", "deterioration"),
    ("raises", "cuts"),
    ("raised", "lowered"),
    ("raising", "lowering"),
    ("above", "below"),
    ("stronger", "weaker"),
    ("strong", "weak"),
    ("expansion", "contraction"),
    ("tailwind", "headwind"),
    ("exceeded", "missed"),
    ("better", "worse"),
    ("more", "less"),
)
ITEMS = (
    ("revenue", "earnings"),
    ("revenues", "earnings"),
    ("net sales", "net income"),
    ("sales", "earnings"),
    ("sales", "profit"),
    ("earnings per share", "revenue per share"),
    ("net income", "revenue"),
    ("earnings", "sales"),
    ("ebitda", "revenue"),
    ("ebitda", "cash flow"),
    ("operating income", "net income"),
    ("cash flow", "capital expenditures"),
    ("gross margin", "operating margin"),
    ("ffo", "ebitda"),
    ("dividend", "debt"),
)
ORDINALS = ("first", "second", "third", "fourth")


def choose(found: Sequence[re.Match[str]], rng: np.random.Generator) -> re.Match[str] | None:
    """Return one of the matches at random, or None if there are none."""
    return found[int(rng.integers(len(found)))] if found else None


def put(text: str, match: re.Match[str], new: str) -> str:
    """Return the text with a match replaced by ``new``."""
    return text[: match.start()] + new + text[match.end() :]


def _found(pattern: str, text: str) -> list[re.Match[str]]:
    return list(re.finditer(pattern, text, re.IGNORECASE))


def _cased(said: str, new: str) -> str:
    """Return ``new`` in the case of the words it replaces."""
    if said.isupper():
        return new.upper()
    return new[0].upper() + new[1:] if said[0].isupper() else new


def numbers(text: str) -> list[re.Match[str]]:
    """Return the figures of a text, without its years."""
    return [
        m for m in _NUMBER.finditer(text) if m["money"] or m["unit"] or not _YEAR.match(m["digits"])
    ]


def _unit(match: re.Match[str]) -> str:
    said = (match["unit"] or "").strip().lower()
    return _UNITS.get(said, said)


def _value(match: re.Match[str]) -> float:
    scale = {"million": 1e6, "billion": 1e9, "cents": 0.01}
    return float(match["digits"].replace(",", "")) * scale.get(_unit(match), 1.0)


def _kind(match: re.Match[str]) -> tuple[bool, str]:
    unit = _unit(match)
    return bool(match["money"]), "scaled" if unit.endswith("illion") else unit


def _differs(a: re.Match[str], b: re.Match[str]) -> bool:
    x, y = _value(a), _value(b)
    return abs(x - y) > 0.15 * max(abs(x), abs(y))


def _written_as(match: re.Match[str], other: re.Match[str]) -> str:
    """Return another figure of the kind of ``match``, with the unit as written there."""
    unit = match["unit"] or ""
    if _unit(match) != _unit(other):  # million and billion
        short = unit.strip().lower() in _UNITS
        unit = " " + _cased(unit.strip(), f"{_unit(other)[0]}ln" if short else _unit(other))
    return f"{match['money'] or ''}{other['digits']}{unit}"


def swap_number(summary: str, call: str, rng: np.random.Generator) -> str:
    """Replace one figure by a figure of the call that is of the same kind and clearly different."""
    known = numbers(call)
    options = []
    for match in numbers(summary):
        others = [m for m in known if _kind(m) == _kind(match) and _differs(match, m)]
        if others:
            options.append((match, others))
    if not options:
        return summary
    match, others = options[int(rng.integers(len(options)))]
    return put(summary, match, _written_as(match, others[int(rng.integers(len(others)))]))


def invent_number(summary: str, call: str, rng: np.random.Generator) -> str:
    """Replace one figure by an invented one: its digits times 1.2 to 3."""
    match = choose(numbers(summary), rng)
    if match is None:
        return summary
    digits = match["digits"].replace(",", "")
    n_decimals = len(digits.partition(".")[2])
    changed = float(digits) * rng.uniform(1.2, 3) + 10.0**-n_decimals
    grouping = "," if "," in match["digits"] else ""
    new = f"{match['money'] or ''}{changed:{grouping}.{n_decimals}f}{match['unit'] or ''}"
    return put(summary, match, new)


def scale_number(summary: str, call: str, rng: np.random.Generator) -> str:
    """Replace one "million" by "billion", or one "billion" by "million"."""
    match = choose(_found(r"\b(?:m|b)illion\b", summary), rng)
    if match is None:
        return summary
    said = match.group()
    return put(summary, match, _cased(said, "billion" if said[0] in "mM" else "million"))


def flip_sign(summary: str, call: str, rng: np.random.Generator) -> str:
    """Turn a loss into a profit, or else put a minus sign before a figure."""
    match = choose(_found(r"\bloss per share\b|\bnet loss\b", summary), rng)
    if match is not None:
        said = match.group()
        new = "net income" if said.lower() == "net loss" else "earnings per share"
        return put(summary, match, _cased(said, new))
    match = choose([m for m in numbers(summary) if m["money"] or m["unit"]], rng)
    return summary if match is None else put(summary, match, "-" + match.group())


def flip_direction(summary: str, call: str, rng: np.random.Generator) -> str:
    """Replace one word of direction by its opposite."""
    table = {a: b for pair in FLIPS for a, b in (pair, pair[::-1])}
    words = "|".join(table)
    match = choose(_found(rf"\b(?:{words})\b(?! to\b(?! \$))", summary), rng)
    if match is None:
        return summary
    return put(summary, match, _cased(match.group(), table[match.group().lower()]))


def wrong_period(summary: str, call: str, rng: np.random.Generator) -> str:
    """Replace one quarter by another, or one year by the year before or after."""
    pattern = r"\bq[1-4]\b|\b[1-4]q\b|\b(?:first|second|third|fourth)(?=[ -]quarter)|\b20[12]\d\b"
    match = choose(_found(pattern, summary), rng)
    if match is None:
        return summary
    said = match.group()
    if said.lower() in ORDINALS:
        new = str(rng.choice([o for o in ORDINALS if o != said.lower()]))
        return put(summary, match, _cased(said, new))
    if len(said) == 4:
        return put(summary, match, str(int(said) + int(rng.choice([-1, 1]))))
    old = next(c for c in said if c.isdigit())
    new = str(rng.choice([n for n in "1234" if n != old]))
    return put(summary, match, said.replace(old, new))


def swap_item(summary: str, call: str, rng: np.random.Generator) -> str:
    """Replace one item by another, such as revenue by earnings."""
    fits = [(a, b) for a, b in ITEMS if _found(rf"\b{a}\b", summary)]
    if not fits:
        return summary
    old, new = fits[int(rng.integers(len(fits)))]
    match = choose(_found(rf"\b{old}\b", summary), rng)
    return summary if match is None else put(summary, match, _cased(match.group(), new))


def exchange_numbers(summary: str, call: str, rng: np.random.Generator) -> str:
    """Exchange two figures of one kind in different lines."""
    found = numbers(summary)
    line = {m.start(): summary.count("\n", 0, m.start()) for m in found}
    pairs = [
        (a, b)
        for i, a in enumerate(found)
        for b in found[i + 1 :]
        if _kind(a) == _kind(b) and _differs(a, b) and line[a.start()] != line[b.start()]
    ]
    if not pairs:
        return summary
    a, b = pairs[int(rng.integers(len(pairs)))]
    return put(put(summary, b, a.group()), a, b.group())


def drop_bullet(summary: str, call: str, rng: np.random.Generator) -> str:
    """Remove one line, if there are several."""
    lines = summary.strip().split("\n")
    if len(lines) < 2:
        return summary
    del lines[int(rng.integers(len(lines)))]
    return "\n".join(lines)


def repeat_bullet(summary: str, call: str, rng: np.random.Generator) -> str:
    """Repeat one line."""
    lines = summary.strip().split("\n")
    at = int(rng.integers(len(lines)))
    return "\n".join([*lines[: at + 1], *lines[at:]])


def shuffle_words(summary: str, call: str, rng: np.random.Generator) -> str:
    """Put all words in random order."""
    return " ".join(rng.permutation(summary.split()))


ERRORS: dict[str, Edit] = {
    "swapped number": swap_number,
    "invented number": invent_number,
    "scaled number": scale_number,
    "flipped sign": flip_sign,
    "flipped direction": flip_direction,
    "wrong period": wrong_period,
    "swapped item": swap_item,
    "exchanged numbers": exchange_numbers,
    "dropped bullet": drop_bullet,
    "shuffled words": shuffle_words,
}
