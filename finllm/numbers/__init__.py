"""Quantities in earnings calls: what was said, in base units and with its sign.

`extraction` turns a text into `quantity` records, a step a module:

- `markup` makes marks plain and takes off what sets a text: `numerals`, and the breaks of
  `wraps`; it puts the words of other languages (`vocabulary`) and the notations of other countries
  (`foreign`, `notations`, `unit_first`) in the English way;
- `scan` finds numbers, those in `digits` and those `spelled` out (`words`), with their `units` and
  magnitudes, and fiscal `periods`: an `atom` each;
- `priors` reads last year's figures in parentheses;
- `names`, `labels`, `references`, `idioms` and `dates` drop what is no quantity;
- `compounds` and `chains` join what belongs together;
- `bare` and `counts` ask the context what is counted, `signs` whether it is below zero, `per` what
  it is for each of.

`match` says which quantities of two texts are the same.
"""

from finllm.numbers.extraction import extract_quantities
from finllm.numbers.match import QuantityMatch, ends, is_stated, match_quantities, quantities_agree
from finllm.numbers.quantity import KINDS, Quantity
from finllm.numbers.vocabulary import rules_for

__all__ = [
    "KINDS",
    "Quantity",
    "QuantityMatch",
    "ends",
    "extract_quantities",
    "is_stated",
    "match_quantities",
    "quantities_agree",
    "rules_for",
]
