"""Number formats for text, tables and the console, one per quantity."""

from __future__ import annotations

import math

MINUS = "\N{MINUS SIGN}"
MISSING = "\N{EN DASH}"
PLAIN = str.maketrans(
    {MINUS: "-", MISSING: "-", "±": "+-", "“": '"', "”": '"', "’": "'"}
)  # for str.translate, on a console
LEVELS = (0.01, 0.05, 0.1)


def score(value: float | None) -> str:
    """Format a score or mean with three decimals, or as a dash if it is missing.

    >>> score(0.12345), score(None)
    ('0.123', '–')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{value:.3f}"
    return text.replace("-", MINUS) if float(text) else "0.000"


def signed(value: float | None) -> str:
    """Format a difference with three decimals and its sign.

    >>> signed(0.0456), signed(-0.0004)
    ('+0.046', '0.000')
    """
    text = score(value)
    return "+" + text if value is not None and text[0].isdigit() and float(text) else text


def interval(low: float | None, high: float | None) -> str:
    """Format an interval as two ends in brackets, or as a dash if it is missing.

    An end that would round to zero gets more decimals, so that its sign shows whether the interval
    includes zero.

    >>> interval(0.01, 0.0899), interval(-0.00036, 0.104)
    ('[0.010, 0.090]', '[−0.0004, 0.104]')
    """
    return MISSING if low is None or high is None else f"[{_end(low)}, {_end(high)}]"


def _end(value: float) -> str:
    text = score(value)
    if text != "0.000":
        return text
    longer = (f"{value:.{digits}f}" for digits in range(4, 9))
    return next((one.replace("-", MINUS) for one in longer if float(one)), text)


def p_value(value: float | None) -> str:
    """Format a p-value with three decimals, or more if it would round to a usual level.

    It is never shown as zero.

    >>> p_value(0.0004), p_value(0.0123), p_value(0.04987)
    ('<0.001', '0.012', '0.0499')
    """
    if value is None or math.isnan(value):
        return MISSING
    if value < 0.001:
        return "<0.001"
    digits = 3
    while value not in LEVELS and float(f"{value:.{digits}f}") in LEVELS and digits < 9:
        digits += 1
    return f"{value:.{digits}f}"


def share(value: float | None) -> str:
    """Format a share of posterior draws with three decimals, never 0 or 1, as draws are finite.

    >>> share(1.0), share(0.5)
    ('>0.999', '0.500')
    """
    if value is None or math.isnan(value):
        return MISSING
    if value >= 0.9995:
        return ">0.999"
    return "<0.001" if value < 0.0005 else f"{value:.3f}"


def equals(text: str) -> str:
    """Return a rounded figure with "=", "<" or ">" before it, to follow its name in a sentence.

    >>> equals("0.012"), equals("<0.001")
    ('= 0.012', '< 0.001')
    """
    return f"{text[0]} {text[1:]}" if text[0] in "<>" else f"= {text}"


def as_set(value: float) -> str:
    """Format a setting with the digits that it has in params.yaml.

    >>> as_set(-0.02), as_set(0.0125)
    ('−0.02', '0.0125')
    """
    return f"{value:g}".replace("-", MINUS)
