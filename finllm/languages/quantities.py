"""Extract the quantities of a text in its own language."""

from __future__ import annotations

from finllm.languages.detection import said_in
from finllm.numbers import Quantity, extract_quantities, rules_for


def quantities_in(text: str) -> list[Quantity]:
    """Call ``extract_quantities`` with the rules of the text's language; English if none fits.

    >>> [q.value for q in quantities_in("Der Umsatz stieg auf 1,24 Milliarden US-Dollar.")]
    [1240000000.0]
    >>> [q.value for q in quantities_in("O lucro foi de R$ 1,2 bilhão no trimestre.")]
    [1200000000.0]
    """
    return extract_quantities(text, rules_for(said_in(text)))
