"""Rewrite amounts in one notation: "USD 1.2bn" or "1,200 million dollars" as "$1.2 billion"."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from decimal import Decimal

from finllm.numbers import Quantity, extract_quantities, rules_for
from finllm.records import Transcript

_SCALES = (("trillion", 12), ("billion", 9), ("million", 6))
_EXPONENTS = {
    "million": 6,
    "mln": 6,
    "mlns": 6,
    "mio": 6,
    "mn": 6,
    "mm": 6,
    "m": 6,
    "billion": 9,
    "bln": 9,
    "bn": 9,
    "b": 9,
    "trillion": 12,
    "trln": 12,
    "trn": 12,
    "tn": 12,
    "thousand": 3,
    "k": 3,
}
_NUMBER = re.compile(r"(?<![\d.,])(\d[\d,]*(?:\.\d+)?)(?:[ -]?([A-Za-z]+)\b)?")
_PERCENT = re.compile(
    r"(?<=\d) ?-?(?:percent|per cent|pct)(?![a-z])(?! points?\b)(?!-)", re.IGNORECASE
)
_BASIS = re.compile(r"(?<=\d)[ -]?(?:bps|bp|bp's|bips)(?![a-z'])", re.IGNORECASE)


def standardise_notation(text: str, language: str = "") -> str:
    """Return the text with amounts in one notation, every value unchanged.

    Dollars become "$1.2 billion", other currencies "EUR 1.2 billion", percent "5%", basis points
    "50 basis points". A line is left unchanged if its quantities would read differently afterwards,
    as `extract_quantities` reads them by the rules of ``language`` (an ISO 639 code); so is the
    text as a whole.

    Examples
    --------
    >>> standardise_notation("sales of USD 1.2bn, or 1,200 million dollars, rose 5 pct")
    'sales of $1.2 billion, or $1.2 billion, rose 5%'
    """
    lines = text.split("\n")
    rules = rules_for(language)
    new = "\n".join(_standardise_line(line, rules) for line in lines)
    if len(lines) == 1 or new == text:
        return new
    same = signature(extract_quantities(new, rules)) == signature(extract_quantities(text, rules))
    return new if same else text  # a sentence may continue over a line break


def standardise_transcript(transcript: Transcript) -> tuple[Transcript, int]:
    """Return the transcript with call and summary in one notation, and how many lines changed."""
    n_lines = 0
    turns = []
    for turn in transcript.turns:
        text = standardise_notation(turn.text, transcript.language)
        n_lines += _n_changed(turn.text, text)
        turns.append(dataclasses.replace(turn, text=text))
    summary = transcript.summary and standardise_notation(transcript.summary)
    n_lines += _n_changed(transcript.summary or "", summary or "")
    return dataclasses.replace(transcript, turns=tuple(turns), summary=summary), n_lines


def _n_changed(before: str, after: str) -> int:
    pairs = zip(before.split("\n"), after.split("\n"), strict=True)
    return sum(one != other for one, other in pairs)


def _standardise_line(line: str, rules: str) -> str:
    """Rewrite one line, or return it unchanged if a quantity would change."""
    quantities = extract_quantities(line, rules)
    if not quantities:
        return line
    parts, reach = [], 0
    for quantity in quantities:
        parts.append(line[reach : quantity.start])
        parts.append(_mention(line[quantity.start : quantity.end], quantity))
        reach = quantity.end
    new = "".join(parts) + line[reach:]
    if new == line or signature(quantities) == signature(extract_quantities(new, rules)):
        return new
    return line


def signature(quantities: list[Quantity]) -> Counter[tuple[str, float, str]]:
    """Return the multiset of kind, value and unit, with values to nine significant digits."""
    return Counter((q.kind, float(f"{q.value:.9g}"), q.unit) for q in quantities)


def _mention(mention: str, quantity: Quantity) -> str:
    """Return a mention in standard notation, unchanged if no rule fits."""
    if quantity.kind == "percent":
        return _PERCENT.sub("%", mention)
    if quantity.kind == "basis_points":
        return _BASIS.sub(" basis points", mention)
    if quantity.kind == "money" and quantity.low is None:
        return _money(mention, quantity)
    return mention


def _money(mention: str, quantity: Quantity) -> str:
    """Return an amount as "$1.2 billion" or "EUR 1.2 billion"."""
    numbers = list(_NUMBER.finditer(mention))
    if len(numbers) != 1 or mention.startswith("("):
        return mention
    digits, word = numbers[0].groups()
    if numbers[0].group() == mention and (word is None or word.lower() in _EXPONENTS):
        return mention  # the amount shows no currency: the call implies it
    exponent = _EXPONENTS.get((word or "").lower(), 0)
    cents = "cent" in mention.lower() or "¢" in mention
    amount = Decimal(digits.replace(",", "")).scaleb(-2 if cents else exponent)
    if abs(float(amount) - abs(quantity.value)) > 1e-9 * max(1.0, abs(quantity.value)):
        return mention
    symbol = "$" if quantity.unit == "USD" else quantity.unit + " "
    sign = "-" if mention.startswith("-") else ""
    if cents:
        return f"{sign}{symbol}{amount:.2f}"
    for name, power in _SCALES:
        if power == exponent or 6 <= exponent < power and amount >= Decimal(10) ** power:
            number = digits if power == exponent else _plain(amount.scaleb(-power))
            return f"{sign}{symbol}{number} {name}"
    if exponent:
        return mention
    return f"{sign}{symbol}{digits}"


def _plain(amount: Decimal) -> str:
    """Return a decimal without exponent, and without the zeros that shifting its point adds."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
