"""Numbers spelled out in words: "fifty-six", "two and a half", "one point two billion"."""

from __future__ import annotations

import re

ONES = dict(
    zip(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen".split(),
        range(20),
        strict=True,
    )
)
TENS = dict(
    zip(
        "twenty thirty forty fifty sixty seventy eighty ninety".split(),
        range(20, 100, 10),
        strict=True,
    )
)
SCALES = {
    "hundred": 1e2,
    "thousand": 1e3,
    "lakh": 1e5,
    "lakhs": 1e5,
    "million": 1e6,
    "crore": 1e7,
    "crores": 1e7,
    "billion": 1e9,
    "trillion": 1e12,
}
FRACTIONS = {
    "half": 2,
    "third": 3,
    "thirds": 3,
    "quarter": 4,
    "quarters": 4,
    "fourth": 4,
    "fourths": 4,
    "fifth": 5,
    "fifths": 5,
    "sixth": 6,
    "sixths": 6,
    "eighth": 8,
    "eighths": 8,
    "tenth": 10,
    "tenths": 10,
}
_BELOW_THOUSAND = frozenset((*ONES, *TENS, "hundred", "and"))
_WORD = re.compile(r"[a-z]+|\d+(?:\.\d+)?")
_AND_FRACTION = re.compile(
    r"[ -]and[ -](?:an?|one|two|three)[ -](?:half|third|quarter|quarters|thirds|fourth|fourths)\b"
)


def parse_fraction(text: str) -> float | None:
    """Return the value of a fraction such as "half" or "a third", or None if it is not a fraction.

    >>> parse_fraction("three quarters")
    0.75
    """
    words = _WORD.findall(text)
    if not words or words[-1] not in FRACTIONS:
        return None
    top = 1 if len(words) == 1 or words[0] in ("a", "an") else ONES.get(words[0])
    return None if top is None or len(words) > 2 else top / FRACTIONS[words[-1]]


def parse_spelled(text: str, start: int) -> tuple[float, float, int] | None:
    """Read the longest spelled-out number that begins at an offset of a lower-case text.

    Parameters
    ----------
    text : str
        Lower-case text.
    start : int
        Offset of the number's first letter.

    Returns
    -------
    tuple of float, float, int, or None
        Value, the value of the last place stated ("a hundred and fifty" has 1, "two hundred" has
        100), and the offset after the number. None if no number begins at `start`.

    Examples
    --------
    >>> parse_spelled("two hundred and five stores", 0)
    (205.0, 1.0, 20)
    >>> parse_spelled("one point two billion", 0)
    (1200000000.0, 100000000.0, 21)
    """
    reading = _Reading()
    position = start
    while (match := _WORD.match(text, position)) is not None:
        end = reading.take(match.group(), text, match.end())
        if end is None or end >= len(text) or text[end] not in " -":
            break
        position = end + 1
    if reading.end < 0 or reading.last in ("a", "an"):
        return None
    return _with_fraction(text, reading)


class _Reading:
    """The part of a spelled-out number that has been read so far."""

    def __init__(self) -> None:
        self.total = 0.0  # thousands, millions, ... that are complete
        self.group = 0.0  # read since the last of them
        self.limit = 1e15  # a scale must be below the one before it
        self.quantum = 1.0
        self.end = -1  # offset after the last word of the number
        self.last = ""

    def take(self, word: str, text: str, end: int) -> int | None:
        """Add the next word; return the offset to continue at, or None if the number has ended."""
        if word in SCALES:
            if not self._scale(word):
                return None
        elif word in ONES or word in TENS:
            value = ONES[word] if word in ONES else TENS[word]
            if not _fits(self.group, value, self.last):
                return None
            self.group, self.quantum = self.group + value, 1.0
        elif word in ("a", "an") and self.end < 0:
            self.group = 1.0
        elif word == "and" and self.last in SCALES and _continues(text, end, self.last, self.limit):
            self.last = word
            return end
        elif word == "point" and (self.last in ONES or self.last in TENS):
            digits, end = _decimals(text, end)
            if not digits:
                return None
            self.group, self.quantum = self.group + float("0." + digits), 10.0 ** -len(digits)
            word = "decimals"
        else:
            return None
        self.last, self.end = word, end
        return end

    def _scale(self, word: str) -> bool:
        """Multiply by a scale word, and return False if it cannot follow the words before it."""
        scale = SCALES[word]
        if word == "hundred":
            if not 0 < self.group < 100:
                return False
            self.group, self.quantum = self.group * 100, 100.0
            return True
        if self.group <= 0 or scale >= self.limit:
            return False
        self.total, self.group, self.limit = self.total + self.group * scale, 0.0, scale
        self.quantum *= scale
        return True


def _fits(group: float, value: int, last: str) -> bool:
    """Return whether a word below one hundred may follow the words already in the group."""
    if last in ("a", "an", "decimals") or (last in ONES):
        return False
    if value >= 10:
        return group % 100 == 0
    return group % 10 == 0 and value > 0 or last == ""


def _continues(text: str, position: int, scale: str, limit: float) -> bool:
    """Return whether the word after an "and" continues the same number.

    It does not in "one hundred and two hundred" or "two thousand one hundred and six thousand".
    """
    match = _WORD.match(text, position + 1)
    if match is None or match.group() not in ONES and match.group() not in TENS:
        return False
    while match is not None and match.group() in _BELOW_THOUSAND:
        match = _WORD.match(text, match.end() + 1)
        word = match.group() if match is not None else ""
        if word == scale or SCALES.get(word, 0.0) >= limit:
            return False
    return True


def _decimals(text: str, position: int) -> tuple[str, int]:
    """Return the digits read after "point" and the offset after them."""
    digits, end = "", position
    while (match := _WORD.match(text, end + 1)) is not None:
        word = match.group()
        if word in ONES:
            digits += str(ONES[word])
        elif word in TENS and not digits:
            digits += str(TENS[word])[0]
        elif word == "oh":
            digits += "0"
        else:
            break
        end = match.end()
    return digits, end


def _with_fraction(text: str, reading: _Reading) -> tuple[float, float, int]:
    """Return the number read, with an "and a half" before or after its scale."""
    value, quantum, end = reading.total + reading.group, reading.quantum, reading.end
    match = _AND_FRACTION.match(text, end)
    if match is None:
        return value, quantum, end
    fraction = parse_fraction(match.group().lstrip(" -")[4:]) or 0.0
    unit = quantum if reading.last in SCALES else 1.0
    value, quantum, end = value + fraction * unit, unit / 10, match.end()
    scale = _WORD.match(text, end + 1) if end < len(text) and text[end] in " -" else None
    if scale is not None and scale.group() in SCALES:
        factor = SCALES[scale.group()]
        return value * factor, quantum * factor, scale.end()
    return value, quantum, end
