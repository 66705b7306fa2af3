"""Make sentences from patterns, and format figures as people say them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np

ORDINALS = ("", "first", "second", "third", "fourth")
FLAT_PERCENT = 0.5  # a smaller change is described as flat

UP = ("grew", "rose", "increased", "climbed", "advanced", "improved")
DOWN = ("declined", "fell", "decreased", "slipped", "contracted", "dropped")
FLAT = (
    "held essentially flat",
    "came in roughly flat",
    "ended little changed",
    "held about level",
    "finished nearly unchanged",
)


class Voice:
    """A source of sentences, which draws patterns from banks without repeats and fills them.

    A pattern has slots, ``{name}``, and alternatives, ``[one|another|]``, which may nest. If the
    value of a slot is a sequence, one of its members is drawn, without repeats until all have been
    used.
    """

    def __init__(
        self, rng: np.random.Generator, finish: Callable[[str], str] | None = None
    ):  # applied to filled text; None is English
        self.rng = rng
        self._finish = finish or tidy
        self._decks: dict[tuple[str, ...], list[str]] = {}

    def draw(self, options: Sequence[str]) -> str:
        """Return one of ``options``; none is repeated until all have been drawn."""
        key = tuple(options)
        deck = self._decks.get(key)
        if not deck:
            deck = self._decks[key] = list(key)
        return deck.pop(int(self.rng.random() * len(deck)))

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return bool(self.rng.random() < probability)

    def fill(self, pattern: str, slots: Mapping[str, str | Sequence[str]]) -> str:
        """Choose the alternatives of a pattern and fill its slots, without capitalising it."""
        return self._finish(self._expand(_parse(pattern), slots))

    def say(self, options: Sequence[str], slots: Mapping[str, str | Sequence[str]]) -> str:
        """Fill one of the patterns, drawn without repeats, and capitalise it."""
        text = self.fill(self.draw(options), slots)
        return text[0].upper() + text[1:]

    def _expand(self, tree: tuple, slots: Mapping[str, str | Sequence[str]]) -> str:
        parts = []
        for kind, value in tree:
            if kind == "text":
                parts.append(value)
            elif kind == "choice":
                parts.append(self._expand(value[int(self.rng.random() * len(value))], slots))
            else:
                filler = slots[value]
                text = filler if isinstance(filler, str) else self.draw(filler)
                parts.append(self._expand(_parse(text), slots) if "[" in text else text)
        return "".join(parts)


@cache
def _parse(pattern: str) -> tuple:
    """Parse a pattern into a tuple of ("text", str), ("slot", name) and ("choice", trees)."""
    tree, rest = _parse_until(pattern, 0)
    if rest != len(pattern):
        raise ValueError(f"pattern {pattern!r}: unbalanced bracket at {rest}")
    return tree


def _parse_until(pattern: str, start: int) -> tuple[tuple, int]:
    parts, at = [], start
    while at < len(pattern) and pattern[at] not in "|]":
        if pattern[at] == "{":
            end = pattern.index("}", at)
            parts.append(("slot", pattern[at + 1 : end]))
            at = end + 1
        elif pattern[at] == "[":
            options = []
            while pattern[at] != "]":
                option, at = _parse_until(pattern, at + 1)
                if at == len(pattern):
                    raise ValueError(f"pattern {pattern!r}: a bracket is not closed")
                options.append(option)
            parts.append(("choice", tuple(options)))
            at += 1
        else:
            end = re.compile(r"[{\[|\]]|$").search(pattern, at + 1).start()
            parts.append(("text", pattern[at:end]))
            at = end
    return tuple(parts), at


def bank(text: str) -> tuple[str, ...]:
    r"""Split a block of text into patterns: each starts with an asterisk, line ends are spaces.

    >>> bank("* one\n  two\n* three")
    ('one two', 'three')
    """
    patterns = re.split(r"(?:^|\n)\s*\* ", text.strip())
    return tuple(" ".join(pattern.split()) for pattern in patterns if pattern.strip())


_AN = re.compile(r"\b([Aa]) (?=\$?(?:8|11(?!\d)|18(?!\d))|(?!one|once|uni|use|euro)[aeiou])")
_A = re.compile(
    r"\b([Aa])n (?=\$?(?:[0-79](?!\d)|1[02-79]|[2-79]\d)|(?:uni|use)[a-z]|[b-df-gj-np-tv-z])"
)


def tidy(text: str) -> str:
    """Normalise spaces, and choose "a" or "an" by the sound of the next word.

    >>> tidy("a 8% rise , a 11-point gain and a  18.2% fall")
    'an 8% rise, an 11-point gain and an 18.2% fall'
    """
    text = " ".join(text.split())
    text = re.sub(r" ([,.;?!])", r"\1", text)
    return _A.sub(r"\1 ", _AN.sub(r"\1n ", text))


_LONG = re.compile(
    r"\b(we|they|you|I|it|that|there|do|does|did|is|are|have|has|would|could) "
    r"(?:((?:are|am|is|will|would|not)(?= (?!to\b)[a-z]{2,}))"
    r"|(have)(?= (?:been|seen|won|chosen|[a-z]+ed)\b))",
    re.IGNORECASE,
)
_SHORT = {"are": "'re", "am": "'m", "is": "'s", "will": "'ll", "would": "'d", "have": "'ve"}
_PAIRS = frozenset(
    "we are,they are,you are,i am,it is,that is,there is,we will,you will,it will,i would,we would,"
    "we have,they have,i have,do not,does not,did not,is not,are not,have not,has not,would not,"
    "could not".split(",")
)


def contract(text: str, rng: np.random.Generator, probability: float) -> str:
    """Contract some word pairs as in speech, each with the given probability.

    >>> contract("we are glad and it did not hurt", np.random.default_rng(0), 1.0)
    "we're glad and it didn't hurt"
    """

    def shorten(match: re.Match) -> str:
        first, second = match[1], (match[2] or match[3]).lower()
        if match[0].lower() not in _PAIRS or rng.random() >= probability:
            return match[0]
        return first + ("n't" if second == "not" else _SHORT[second])

    return _LONG.sub(shorten, text)


def money(millions: float, long_form: bool) -> str:
    """Format an amount without its sign: "$452.2 million", "$1.24 billion", "$1,243.6 million".

    >>> money(-452.23, False), money(1243.61, False), money(1243.61, True), money(0.04, False)
    ('$452.2 million', '$1.24 billion', '$1,243.6 million', '$40,000')
    """
    amount = abs(millions)
    if amount < 0.95:
        return f"${max(1, round(1000 * amount)):,},000"
    if amount >= 999.95 and not long_form:
        return f"${amount / 1000:.2f} billion"
    return f"${amount:,.1f} million"


def money_range(low: float, high: float, between: bool) -> str:
    """Format guidance with the same unit at both ends, and with the digits it was rounded to.

    >>> money_range(446, 458, False), money_range(1800, 1850, True)
    ('$446 million to $458 million', 'between $1.80 billion and $1.85 billion')
    """
    if high >= 1000:
        digits = 2 if high < 10_000 else 1
        ends = [f"${value / 1000:.{digits}f} billion" for value in (low, high)]
    else:
        digits = 0 if low >= 100 else 1
        ends = [f"${value:.{digits}f} million" for value in (low, high)]
    return "between {} and {}".format(*ends) if between else "{} to {}".format(*ends)


def per_share(dollars: float, in_cents: bool) -> str:
    """Format an amount per share without its sign.

    >>> per_share(-0.452, False), per_share(0.45, True), per_share(1.2, True)
    ('$0.45', '45 cents', '$1.20')
    """
    cents = round(abs(dollars) * 100)
    if in_cents and 1 < cents < 100:
        return f"{cents} cents"
    return f"${cents / 100:.2f}"


def per_share_range(low: float, high: float, in_cents: bool) -> str:
    """Format guidance per share, with the sign of each end in words.

    >>> per_share_range(-0.12, -0.08, False), per_share_range(-0.03, 0.02, False)
    ('a loss of $0.12 to $0.08', 'a loss of $0.03 to a profit of $0.02')
    """
    ends = (per_share(low, in_cents), per_share(high, in_cents))
    if low >= 0:
        return "{} to {}".format(*ends)
    if high <= 0:
        return "a loss of {} to {}".format(*ends)
    return "a loss of {} to a profit of {}".format(*ends)


def direction(change: float, flat: float = FLAT_PERCENT) -> str:
    """Return "up", "down" or "flat"."""
    return "flat" if abs(change) < flat else "up" if change > 0 else "down"


def moved(voice: Voice, percent: float, digits: int) -> str:
    """Describe a change: "grew 12%", "declined 3%", "held essentially flat"."""
    kind = direction(percent)
    if kind == "flat":
        return voice.draw(FLAT)
    return f"{voice.draw(UP if kind == 'up' else DOWN)} {abs(percent):.{digits}f}%"


def from_prior(voice: Voice, value: str, prior: str, rose: bool) -> str:
    """Return a phrase that compares a level with its prior level, both as spoken."""
    if value == prior:
        return "unchanged from"
    return voice.draw(
        ("up from", "compared to", "versus", "against", "ahead of")
        if rose
        else ("down from", "compared to", "versus", "against", "below")
    )
