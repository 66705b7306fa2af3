"""Convert the figures of an English script to German notation."""

from __future__ import annotations

import re
from collections.abc import Sequence

from finllm.fiction.accounts import Range
from finllm.fiction.spoken import direction

UP = ("stieg um {}", "wuchs um {}", "erhöhte sich um {}")
DOWN = ("sank um {}", "fiel um {}", "verringerte sich um {}")
FLAT = ("blieb nahezu unverändert", "blieb stabil", "war nahezu unverändert")
REGIONS = (
    "Deutschland", "Frankreich", "Kanada", "Texas", "Kalifornien", "Brasilien", "Mexiko", "Japan",
    "Indien", "Südostasien", "Skandinavien", "Südeuropa", "Australien", "Großbritannien",
)  # fmt: skip
WRITTEN = (
    {"billion": "Milliarden US-Dollar", "million": "Millionen US-Dollar", "": "US-Dollar"},
    {"billion": "Mrd. US-Dollar", "million": "Mio. US-Dollar", "": "US-Dollar"},
    {"billion": "Mrd. USD", "million": "Mio. USD", "": "USD"},
)
_COUNTS = {"billion": " Milliarden", "million": " Millionen", "": ""}
_FIGURE = re.compile(
    r"(?P<dollar>\$)?(?P<digits>\d[\d,]*(?:\.\d+)?)"
    r"(?: (?:to|and) \$?(?P<high>\d[\d,]*(?:\.\d+)?))?"
    r"(?: (?P<scale>million|billion)"
    r"(?: (?:to|and) \$(?P<top>\d[\d,]*(?:\.\d+)?) (?:m|b)illion)?)?"
    r"(?P<unit>%| basis points)?"
)


def plain(digits: str) -> str:
    """Return digits with German separators.

    >>> plain("1,243.6")
    '1.243,6'
    """
    return digits.translate(str.maketrans(",.", ".,"))


def figure(english: str, units: dict[str, str], percent: str) -> str:
    """Convert a figure, or a range of two, to German notation.

    Parameters
    ----------
    units
        The unit after an amount of money, by magnitude: one of ``WRITTEN``.
    percent
        The text after a percentage: " Prozent" or " %".

    >>> figure("$1,243.6 million", WRITTEN[0], " %"), figure("12.3%", WRITTEN[0], " Prozent")
    ('1.243,6 Millionen US-Dollar', '12,3 Prozent')
    >>> figure("between $1.80 billion and $1.85 billion", WRITTEN[1], " %")
    '1,80 bis 1,85 Mrd. US-Dollar'
    """

    def write(match: re.Match[str]) -> str:
        top = match["high"] or match["top"]
        number = plain(match["digits"]) + (f" bis {plain(top)}" if top else "")
        if match["unit"]:
            return number + (percent if match["unit"] == "%" else " Basispunkte")
        scale = match["scale"] or ""
        return number + (f" {units[scale]}" if match["dollar"] else _COUNTS[scale])

    return _FIGURE.sub(write, english.removeprefix("between "))


def moved(percent: float, text: str, options: int) -> str:
    """Describe a change, as in "stieg um 5,3 Prozent"; ``options`` selects the verb."""
    verbs = {"up": UP, "down": DOWN}.get(direction(percent), FLAT)
    return verbs[options % len(verbs)].format(text)


def per_share_range(span: Range, units: dict[str, str]) -> str:
    """Return guidance per share in the dative, with the sign of each end in words.

    >>> per_share_range(Range(-0.12, -0.08), WRITTEN[0])
    'einem Verlust von 0,12 bis 0,08 US-Dollar'
    """
    low, high = (plain(f"{abs(end):.2f}") for end in (span.low, span.high))
    if span.low >= 0:
        return f"{low} bis {high} {units['']}"
    if span.high <= 0:
        return f"einem Verlust von {low} bis {high} {units['']}"
    return f"einem Verlust von {low} {units['']} bis zu einem Gewinn von {high} {units['']}"


def tidy(text: str) -> str:
    """Reduce white space to single spaces, without any before punctuation.

    >>> tidy("Der Umsatz  stieg , wie erwartet .")
    'Der Umsatz stieg, wie erwartet.'
    """
    return re.sub(r" ([,.;:?!])", r"\1", " ".join(text.split()))


def capitalised(options: Sequence[str]) -> tuple[str, ...]:
    """Return the options with a capital first letter, as at the start of a sentence."""
    return tuple(text[0].upper() + text[1:] for text in options)
