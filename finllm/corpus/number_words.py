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
_WORD = re.compile(r"[a-z]+|\d+(?:\.\d+)?")
_AND_FRACTION = re.compile(
    r"[ -]and[ -](?:an?|one|two|three)[ -](?:half|third|quarter|quarters|thirds|fourth|fourths)\b"
)


def parse_fraction(text: str) -> float | None:
    """Return the value of "half", "a third", "three-quarters"; None where it is none.

    >>> parse_fraction("three quarters")
    0.75
    """
    words = _WORD.findall(text)
    if not words or words[-1] not in FRACTIONS:
        return None
    top = 1 if len(words) == 1 or words[0] in ("a", "an") else ONES.get(words[0])
    return None if top is None or len(words) > 2 else top / FRACTIONS[words[-1]]


def parse_spelled(text: str, start: int) -> tuple[float, float, int] | None:
    """Read the longest spelled-out number of a lower-case text that begins at an offset.

    Parameters
    ----------
    text : str
        Lower-case text.
    start : int
        Offset of the number's first letter.

    Returns
    -------
    tuple of float, float, int, or None
        Value, the value of the last place said ("a hundred and fifty" has 1, "two hundred" has
        100), and the offset behind the number. None where no number begins at `start`.

    Examples
    --------
    >>> parse_spelled("two hundred and five stores", 0)
    (205.0, 1.0, 20)
    >>> parse_spelled("one point two billion", 0)
    (1200000000.0, 100000000.0, 21)
    """
    total, group, scale_limit = 0.0, 0.0, 1e15
    quantum, end, position = 1.0, -1, start
    last = ""
    while (match := _WORD.match(text, position)) is not None:
        word = match.group()
        if word in SCALES:
            scale = SCALES[word]
            if word == "hundred" and 0 < group < 100:
                group *= 100
                quantum = 100.0
            elif word != "hundred" and group > 0 and scale < scale_limit:
                quantum = quantum * scale
                total, group, scale_limit = total + group * scale, 0.0, scale
            else:
                break
        elif word in ONES and _fits(group, ONES[word], last):
            group, quantum = group + ONES[word], 1.0
        elif word in TENS and _fits(group, TENS[word], last):
            group, quantum = group + TENS[word], 1.0
        elif word in ("a", "an") and end < 0:
            group = 1.0
        elif word == "and" and last in SCALES:
            if not _continues(text, match.end()):
                break
        elif word == "point" and end > 0 and last in {**ONES, **TENS}:
            digits, behind = _decimals(text, match.end())
            if not digits:
                break
            group, quantum = group + float("0." + digits), 10.0 ** -len(digits)
            end, position, last = behind, behind + 1, "decimals"
            continue
        else:
            break
        last = word
        if word != "and":
            end = match.end()
        if match.end() >= len(text) or text[match.end()] not in " -":
            break
        position = match.end() + 1
    if end < 0 or last in ("a", "an"):
        return None
    return _with_fraction(text, total + group, quantum, end, last)


def _fits(group: float, value: int, last: str) -> bool:
    """Whether a word below one hundred may follow what the group already holds."""
    if last in ("a", "an", "decimals") or (last in ONES):
        return False
    if value >= 10:
        return group % 100 == 0
    return group % 10 == 0 and value > 0 or last == ""


def _continues(text: str, position: int) -> bool:
    """Whether a number word follows an "and"."""
    match = _WORD.match(text, position + 1)
    return match is not None and (match.group() in ONES or match.group() in TENS)


def _decimals(text: str, position: int) -> tuple[str, int]:
    """Return the digits said behind "point" and the offset behind them."""
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


def _with_fraction(
    text: str, value: float, quantum: float, end: int, last: str
) -> tuple[float, float, int]:
    """Add "and a half" behind a number, before or after its scale."""
    match = _AND_FRACTION.match(text, end)
    if match is None:
        return value, quantum, end
    fraction = parse_fraction(match.group().lstrip(" -")[4:]) or 0.0
    unit = quantum if last in SCALES else 1.0
    value, quantum, end = value + fraction * unit, unit / 10, match.end()
    scale = _WORD.match(text, end + 1) if end < len(text) and text[end] in " -" else None
    if scale is not None and scale.group() in SCALES:
        factor = SCALES[scale.group()]
        return value * factor, quantum * factor, scale.end()
    return value, quantum, end
