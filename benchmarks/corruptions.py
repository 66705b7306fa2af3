"""Edits of a human summary: known errors, and rewordings without a change of meaning.

Written on the raw text, with tables of its own and none of the metrics' code, so that what the
metrics know does not decide what they are asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

Edit = Callable[
    [str, str, np.random.Generator], str
]  # summary, call, rng; the same where none fits

_NUMBER = re.compile(
    r"(?<![\w.,$-])(?P<money>\$)?(?P<digits>\d[\d,]*(?:\.\d+)?)(?![\d,.]*\d|-for|\w|-\d)"
    r"(?P<unit> (?:million|billion|percent|basis points|mln|bln|cents)\b|%)?"
)
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
_ORDINALS = ("first", "second", "third", "fourth")


def _choose(found: Sequence[re.Match[str]], rng: np.random.Generator) -> re.Match[str] | None:
    return found[int(rng.integers(len(found)))] if found else None


def _put(text: str, match: re.Match[str], new: str) -> str:
    return text[: match.start()] + new + text[match.end() :]


def _numbers(text: str) -> list[re.Match[str]]:
    """The figures of a text, without its years."""
    return [
        m for m in _NUMBER.finditer(text) if m["money"] or m["unit"] or not _YEAR.match(m["digits"])
    ]


def _value(match: re.Match[str]) -> float:
    scale = {"million": 1e6, "mln": 1e6, "billion": 1e9, "bln": 1e9, "cents": 0.01}
    return float(match["digits"].replace(",", "")) * scale.get((match["unit"] or "").strip(), 1.0)


def _kind(match: re.Match[str]) -> tuple[bool, bool, bool]:
    unit = (match["unit"] or "").strip()
    return bool(match["money"]), unit in ("%", "percent"), unit.endswith("illion")


def _differs(a: re.Match[str], b: re.Match[str]) -> bool:
    x, y = _value(a), _value(b)
    return abs(x - y) > 0.15 * max(abs(x), abs(y))


def swap_number(summary: str, call: str, rng: np.random.Generator) -> str:
    """One figure becomes another figure of the call, of the same kind where it has one."""
    match = _choose(_numbers(summary), rng)
    if match is None:
        return summary
    others = [m for m in _numbers(call) if _differs(match, m)]
    others = [m for m in others if _kind(m) == _kind(match)] or others
    other = _choose(others, rng)
    return summary if other is None else _put(summary, match, other.group())


def invent_number(summary: str, call: str, rng: np.random.Generator) -> str:
    """One figure becomes one that was never said: its digits times 1.2 to 3."""
    match = _choose(_numbers(summary), rng)
    if match is None:
        return summary
    digits = match["digits"].replace(",", "")
    n_decimals = len(digits.partition(".")[2])
    changed = float(digits) * rng.uniform(1.2, 3) + 10.0**-n_decimals
    new = f"{match['money'] or ''}{changed:.{n_decimals}f}{match['unit'] or ''}"
    return _put(summary, match, new)


def scale_number(summary: str, call: str, rng: np.random.Generator) -> str:
    """A million becomes a billion, or a billion a million."""
    match = _choose(list(re.finditer(r"\b(?:m|b)illion\b", summary)), rng)
    if match is None:
        return summary
    return _put(summary, match, "billion" if match.group() == "million" else "million")


def flip_sign(summary: str, call: str, rng: np.random.Generator) -> str:
    """A figure gets a minus, or a loss becomes a profit."""
    losses = list(re.finditer(r"\bloss per share\b|\bnet loss\b", summary))
    match = _choose(losses, rng)
    if match is not None:
        return _put(
            summary, match, {"net loss": "net income"}.get(match.group(), "earnings per share")
        )
    match = _choose([m for m in _numbers(summary) if m["money"] or m["unit"]], rng)
    return summary if match is None else _put(summary, match, "-" + match.group())


def flip_direction(summary: str, call: str, rng: np.random.Generator) -> str:
    """One word of direction becomes its opposite."""
    table = {a: b for pair in FLIPS for a, b in (pair, pair[::-1])}
    words = "|".join(table)
    match = _choose(list(re.finditer(rf"\b(?:{words})\b(?! to\b(?! \$))", summary)), rng)
    return summary if match is None else _put(summary, match, table[match.group()])


def wrong_period(summary: str, call: str, rng: np.random.Generator) -> str:
    """One quarter becomes another one, or a year the one before or after."""
    pattern = r"\bq[1-4]\b|\b[1-4]q\b|\b(?:first|second|third|fourth)(?=[ -]quarter)|\b20[12]\d\b"
    match = _choose(list(re.finditer(pattern, summary)), rng)
    if match is None:
        return summary
    said = match.group()
    if said in _ORDINALS:
        return _put(summary, match, str(rng.choice([o for o in _ORDINALS if o != said])))
    if len(said) == 4:
        return _put(summary, match, str(int(said) + int(rng.choice([-1, 1]))))
    old = next(c for c in said if c.isdigit())
    new = str(rng.choice([n for n in "1234" if n != old]))
    return _put(summary, match, said.replace(old, new))


def swap_item(summary: str, call: str, rng: np.random.Generator) -> str:
    """One item becomes another: revenue for earnings."""
    fits = [(a, b) for a, b in ITEMS if re.search(rf"\b{a}\b", summary)]
    if not fits:
        return summary
    old, new = fits[int(rng.integers(len(fits)))]
    match = _choose(list(re.finditer(rf"\b{old}\b", summary)), rng)
    return summary if match is None else _put(summary, match, new)


def exchange_numbers(summary: str, call: str, rng: np.random.Generator) -> str:
    """Two figures of one kind in different lines change places."""
    found = _numbers(summary)
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
    return _put(_put(summary, b, a.group()), a, b.group())


def drop_bullet(summary: str, call: str, rng: np.random.Generator) -> str:
    """One line of several is left out."""
    lines = summary.strip().split("\n")
    if len(lines) < 2:
        return summary
    del lines[int(rng.integers(len(lines)))]
    return "\n".join(lines)


def shuffle_words(summary: str, call: str, rng: np.random.Generator) -> str:
    """All words in random order."""
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


def reword_number(summary: str, call: str, rng: np.random.Generator) -> str:
    """One figure in another notation: "$452.2 million" as "$0.4522 billion"."""
    match = _choose([m for m in _numbers(summary) if m["unit"]], rng)
    if match is None:
        return summary
    sign, digits, unit = match["money"] or "", match["digits"].replace(",", ""), match["unit"]
    n = len(digits.partition(".")[2])
    if unit in ("%", " percent"):
        return _put(summary, match, digits + (" percent" if unit == "%" else "%"))
    if unit in (" million", " mln"):
        return _put(summary, match, f"{sign}{float(digits) / 1000:.{n + 3}f} billion")
    if unit in (" billion", " bln"):
        return _put(summary, match, f"{sign}{float(digits) * 1000:,.{max(0, n - 3)}f} million")
    return summary


def reword_direction(summary: str, call: str, rng: np.random.Generator) -> str:
    """One word of direction by another of the same direction."""
    words = "|".join(SAME_WAY)
    match = _choose(list(re.finditer(rf"\b(?:{words})\b(?= \d| by \d| \$)", summary)), rng)
    if match is None:
        match = _choose(list(re.finditer(r"\b(?:rose|grew|fell|declined|sees)\b", summary)), rng)
    return (
        summary if match is None else _put(summary, match, str(rng.choice(SAME_WAY[match.group()])))
    )


def reword_period(summary: str, call: str, rng: np.random.Generator) -> str:
    """One period in other words: "q3" as "third quarter"."""
    pattern = r"\bq([1-4])\b|\b(first|second|third|fourth)[ -]quarter\b|\bqtrly\b|\bfy (?=20)"
    match = _choose(list(re.finditer(pattern, summary)), rng)
    if match is None:
        return summary
    if match[1]:
        return _put(summary, match, f"{_ORDINALS[int(match[1]) - 1]} quarter")
    if match[2]:
        return _put(summary, match, f"q{_ORDINALS.index(match[2]) + 1}")
    return _put(summary, match, "quarterly" if match.group() == "qtrly" else "fiscal ")


REWORDINGS: dict[str, Edit] = {
    "number": reword_number,
    "direction": reword_direction,
    "period": reword_period,
}
