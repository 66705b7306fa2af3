"""Quantities stated in earnings calls, in base units and with their sign.

`extraction` turns a text into `quantity` records. Each step has its own module:

- `markup` normalises typographic marks and removes markup, list `numerals` and line breaks inside
  sentences (`wraps`); it rewrites the words of other languages (`vocabulary`) and the number
  formats of other countries (`foreign`, `notations`, `unit_first`) in English form;
- `scan` finds numbers, written in `digits` or `spelled` out (`words`), with their `units` and
  magnitudes, and fiscal `periods`; each becomes an `atom`;
- `priors` reads prior-year figures in parentheses;
- `names`, `labels`, `references`, `idioms` and `dates` drop numbers that are not quantities;
- `compounds` and `chains` join numbers that belong together;
- `bare` and `counts` find from the context what is counted, `signs` whether a value is below zero,
  and `per` what an amount is per, such as a share.

`match` pairs the quantities of two texts that are the same.
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
