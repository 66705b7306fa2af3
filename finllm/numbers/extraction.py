"""Extraction of the quantities of a text, step by step."""

from __future__ import annotations

from finllm.numbers.atom import Atom
from finllm.numbers.bare import mark_bare_amounts
from finllm.numbers.chains import join_ranges, share_units
from finllm.numbers.compounds import join_compounds, join_ratios
from finllm.numbers.counts import counted_in_words, counted_unit, is_year
from finllm.numbers.markup import Plain, plain
from finllm.numbers.names import without_names
from finllm.numbers.per import mark_per
from finllm.numbers.priors import read_priors, share_losses
from finllm.numbers.quantity import Quantity
from finllm.numbers.scan import scan
from finllm.numbers.signs import mark_signs, without_conversions
from finllm.numbers.vocabulary import in_lower_case


def extract_quantities(text: str, language: str = "") -> list[Quantity]:
    """Return the quantities of a text in order of their start.

    Values are in base units: 1.2 billion is 1.2e9, 56 cents is 0.56, 5 % is 5, 50 basis points is
    50, and two thirds of something is 66.7 percent. Losses, amounts called negative or minus and
    accounting parentheses are below zero; a decline ("down 5 %") is a change and stays positive.
    The `value` of a range is its midpoint. Names, codes, dates and phone numbers are left out, and
    so is "one" unless a unit or a magnitude follows it. No quantity crosses a line break. A bare
    amount of an account ("net income of 3.2 million") is money in the currency that the text uses
    most, with an empty unit if it shows none; "3.2 million" of anything else is a count.

    Parameters
    ----------
    text : str
        Any text; numbers may be in any country's format.
    language : str, optional
        "de", "fr", "es" or "pt": the words next to numbers are read in this language, and so is a
        number with an ambiguous decimal mark, unless the text settles it. Otherwise English.

    Examples
    --------
    >>> [(q.kind, q.value, q.unit) for q in extract_quantities("a loss of 3 cents")]
    [('money', -0.03, 'USD')]
    >>> q = extract_quantities("revenue of $1.8 to $1.9 billion")[0]
    >>> q.low, q.high
    (1800000000.0, 1900000000.0)
    """
    return quantities_of_plain(plain(text, language))


def quantities_of_plain(setting: Plain) -> list[Quantity]:
    """Return the quantities of a plain text, with their offsets in the original text."""
    cased = setting.text
    lower = in_lower_case(cased)
    atoms = scan(lower)
    priors = read_priors(lower, atoms)
    atoms = without_names(cased, lower, atoms)
    share_units(lower, atoms)
    atoms = join_compounds(lower, join_ratios(lower, atoms))
    mark_bare_amounts(lower, atoms)
    mark_signs(lower, atoms)
    share_losses(priors)
    without_conversions(lower, atoms)
    mark_per(lower, atoms)
    atoms = join_ranges(lower, atoms)
    return [q for atom in atoms if (q := _quantity(lower, atom, setting)) is not None]


def _quantity(text: str, atom: Atom, setting: Plain) -> Quantity | None:
    """Return the finished record of an atom, or None if it counts nothing."""
    kind, unit, value = atom.kind, atom.unit, atom.value
    if not kind:
        if is_year(atom, text) and atom.low is None:
            kind = "year"
        else:
            kind, unit = "count", counted_unit(text, atom.end)
            if atom.worded and not unit and atom.scale == 1.0 and value < 1000:
                counted = counted_in_words(text, atom.end)
                if counted is None:
                    return None
                unit = counted
    elif kind == "period":
        year = unit[2:] if unit.startswith("FY") else unit[:4]
        value = float(year) if year.isdigit() else 0.0
    value = -value if atom.negative and value else value
    start, end = setting.span(atom.start, atom.end)
    return Quantity(
        kind,
        value if value.is_integer() and -1e14 < value < 1e14 else _exact(value),
        unit,
        atom.per,
        start,
        end,
        None if atom.low is None else _exact(atom.low),
        None if atom.high is None else _exact(atom.high),
        atom.quantum * atom.scale,
    )


def _exact(value: float) -> float:
    """Return a value without floating-point error from scaling: 4.1 million is 4100000."""
    return float(f"{value:.14g}")
