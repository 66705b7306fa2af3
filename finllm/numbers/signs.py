"""Signs of amounts: losses, and amounts called negative or minus, are below zero."""

from __future__ import annotations

import re

from finllm.numbers.atom import Atom
from finllm.numbers.counts import counted_unit

_REACH = 100  # characters within which a word may refer to an amount
_TRIGGERS = tuple(  # each begins with fixed characters, which are fast to find
    map(re.compile, (r"los(?:s|t |ing )", "deficit of ", "negative", "minus"))
)
_GAP = (
    r"(?:about |approximately |roughly |around |nearly |almost |some |only |just |now |a |an |the "
    r"|of |at |up to |over )*"
)
_NEGATIVE = re.compile(
    rf"(?<!plus or )(?<!plus/)\b(?:negative|minus)(?:,? |-){_GAP}$"
    rf"|\bnegative (?!to )(?:[a-z0-9'-]+,? ){{1,6}}"
    rf"(?:of|was|at|by|is|were|totaled|totaling) {_GAP}$"
)
_NEGATIVE_BEHIND = re.compile(r"(?: (?:in|of|net))* negative\b(?! to )")
# excludes losses that are a cost line of a bank or an insurer, and words that only contain "loss"
_LOSS = re.compile(
    r"loss(?<!\wloss)(?<!credit loss)(?<!loan loss)(?<!lease loss)(?<!cat loss)"
    r"(?<!catastrophe loss)(?<!weather loss)(?<!storm loss)(?<!charge-off loss)"
    r"(?<!gains and loss)(?<!gain and loss)(?<!gains or loss)(?<!gain or loss)(?<!gains/loss)"
    r"(?<!gain/loss)"
    r"(?:es)?(?![a-z-]| ratio| rate| cost| adjust| reserve| provision| expense| frequen"
    r"| severit| trend| pick| develop| recover| emergence"
    r"| of (?:customer|business|volume|a |the |one))(?=([^;:]*)$)"
)
_SET_ASIDE = re.compile(
    r"\b(?:reserves?|allowances?|provisions?|accruals?) (?:for|on) (?:[a-z]+ ){0,4}$"
)
# between "loss" and an amount, these show that the amount is something else
_OTHER = re.compile(
    r"\b(?:income|profit|gains?|earnings|revenues?|sales|cash|ebitdax?|increased?|decreased?"
    r"|declined|grew|offset|costs?|expenses?|margin|eps|charges?|benefits?|improved|improvement"
    r"|ratio|rate|due|ffo|assets|debt|equity|reserves?|dividends?|backlog|bookings|investments?"
    r"|proceeds|provision|retention|while|but|because|excluding|excludes|including|impact"
    r"|compensation)\b|[$€£]|(?<!inc)(?<!corp)(?<!co)(?<!ltd)(?<!u\.s)\. [a-z]|\d%"
)
_LOSS_ON = re.compile(
    r"^ (?:on|from) (?:the )?(?:[a-z-]+ ){0,4}(?:debt|investments?|assets?|equity|securities)\b"
)
_LOST = re.compile(rf"\b(?:lost|losing|deficit of) {_GAP}$")
# between two amounts that are both losses: "$3 million or $0.12 per share compared to"
_SAME = re.compile(
    r"(?:,|\.\.\.|-| (?:or|and|to|versus|vs\.?|from|compared|compares|with|a|an|the|net|in|of|for"
    r"|last|prior|same|previous|year|year's|years|quarter|quarter's|period|ago|first|second|third"
    r"|fourth|per|basic|fully|diluted|common|share|unit|respectively|approximately|about|loss))*"
    r"(?: in 20\d\d| 20\d\d)?,? *"
)
_LOSS_BEHIND = re.compile(
    r"(?: (?:per|a|diluted|basic|common|share|net|operating|pre-tax|pretax|non-cash|one-time"
    r"|quarterly|after-tax|goodwill|impairment|realized|unrealized|mark-to-market|fx|gaap|adjusted|in|of|ebitda|ebit|non-gaap|reported|underwriting))*"
    r" loss(?:es)?\b(?! ratio| reserve| prov| rate)"
)


def trigger_positions(text: str, patterns: tuple[re.Pattern[str], ...]) -> list[int]:
    """Return the sorted offsets at which any of the patterns matches."""
    return sorted(match.start() for pattern in patterns for match in pattern.finditer(text))


def window_before(text: str, start: int, reach: int) -> str:
    """Return up to `reach` characters before an offset, within the same line."""
    first = max(0, start - reach)
    return text[max(first, text.rfind("\n", first, start) + 1) : start]


def mark_signs(text: str, atoms: list[Atom]) -> None:
    """Mark losses and amounts called negative or minus as below zero."""
    triggers = trigger_positions(text, _TRIGGERS)
    if not triggers:
        return
    loss: Atom | None = None
    previous: Atom | None = None
    nth = 0  # index of the first trigger at or after an atom's start
    for atom in atoms:
        while nth < len(triggers) and triggers[nth] < atom.start:
            nth += 1
        near = nth > 0 and atom.start - triggers[nth - 1] < _REACH
        follows = nth < len(triggers) and triggers[nth] - atom.end < 45
        if (near or follows) and not atom.negative:
            if text.endswith(("positive ", "positive a "), 0, atom.start):
                loss = None
            elif _is_called_negative(text, atom, previous):
                atom.negative = True
            elif _is_loss(text, atom, loss):
                atom.negative, loss = True, atom
        previous = atom


def without_conversions(text: str, atoms: list[Atom]) -> None:
    """Take the sign off converted amounts in parentheses, as in "€3 billion ($3.7 billion)".

    They stay negative if the amount before is negative without parentheses of its own.
    """
    for first, second in zip(atoms, atoms[1:], strict=False):
        if not second.negative or second.kind != "money" or first.kind != "money":
            continue
        if text[second.start] == "(" and text[first.end : second.start] in ("", " "):
            if first.unit != second.unit or not first.negative:
                second.negative = first.negative and text[first.start] != "("
                second.start, second.end = second.start + 1, second.end - 1


def _is_called_negative(text: str, atom: Atom, previous: Atom | None) -> bool:
    """Return whether "negative" or "minus" precedes an amount, or "negative" follows it.

    A plain number counts too, and becomes percent after a nearby percentage: "7 % versus minus 3".
    """
    if atom.kind in ("period", "year"):
        return False
    if atom.kind and _NEGATIVE_BEHIND.match(text, atom.end):
        return True
    window = window_before(text, atom.start, _REACH)
    if "negative" not in window and "minus" not in window or _NEGATIVE.search(window) is None:
        return False
    if not atom.kind and atom.value < 1e4:
        if not text.endswith(("minus ", "negative "), 0, atom.start):
            return False
        near = previous is not None and atom.start - previous.end < 60
        if near and previous.kind == "percent" and not counted_unit(text, atom.end, 2):
            atom.kind = "percent"
    return True


def _is_loss(text: str, atom: Atom, loss: Atom | None) -> bool:
    """Return whether an amount is called a loss, before or after it, or continues another loss."""
    window = window_before(text, atom.start, _REACH)
    if atom.kind in ("percent", "basis_points"):
        return re.search(rf"\bloss(?:es)? of {_GAP}$", window) is not None and _says_loss(window)
    plain = not atom.kind and atom.value >= 1e4 and not counted_unit(text, atom.end, 2)
    if atom.kind != "money" and not plain:
        return False
    if _says_loss(window) or _LOST.search(window) or _LOSS_BEHIND.match(text, atom.end):
        return True
    return loss is not None and _SAME.fullmatch(text, loss.end, atom.start) is not None


def _says_loss(window: str) -> bool:
    """Return whether the words before an amount call it a loss."""
    losses = list(_LOSS.finditer(window))
    match = losses[-1] if losses else None
    if match is None or _SET_ASIDE.search(window[: match.start()]):
        return False
    return _OTHER.search(_LOSS_ON.sub("", match[1])) is None
