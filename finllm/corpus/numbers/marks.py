"""Typographic marks of numbers in their plain form: blanks, minus signs, full-width digits."""

from __future__ import annotations

import re

_BLANKS = "\u00a0\u2002\u2003\u2005\u2007\u2008\u2009\u200a\u202f\u3000"
_PLAIN = str.maketrans(
    dict.fromkeys(_BLANKS, " ")
    | {"\u2212": "-", "\u2010": "-", "\u2011": "-", "\ufe63": "-", "\uff0d": "-"}
    | {
        "\uff04": "$",
        "\ufe69": "$",
        "\uff05": "%",
        "\ufe6a": "%",
        "\uffe5": "\u00a5",
        "\uffe1": "\u00a3",
    }
    | {"\uff08": "(", "\uff09": ")", "\uff0c": ",", "\uff0e": ".", "\u00d7": "x"}
    | {chr(0xFF10 + digit): str(digit) for digit in range(10)}
)
_GROUPED = re.compile(rf"(?<![\d.,])\d{{1,3}}(?:[{_BLANKS}]\d{{3}})+(?!\d)")
_BLANK = re.compile(f"[{_BLANKS}]")


def plain_marks(text: str) -> str:
    """Return a text of the same length in which numbers are written with plain marks.

    >>> plain_marks("\u22121\u202f541\u00a0million")
    '-1,541 million'
    """
    if text.isascii():
        return text
    return _GROUPED.sub(lambda match: _BLANK.sub(",", match[0]), text).translate(_PLAIN)
