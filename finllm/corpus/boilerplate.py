"""Detect and remove boilerplate sentences, and count the words removed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from finllm.records import Turn

PATTERNS = {
    "operator_instructions": re.compile(
        r"\[operator instructions?\]|\bpress(?:ing)? (?:the )?(?:star|\*|pound)"
        r"|\b(?:star|\*) ?(?:one|1)\b"
        r"|\blisten-?only mode|\bmay (?:now |all )?disconnect\b"
        r"|\b(?:call|conference|event|webcast) is being recorded|\btouch-?tone\b"
        r"|\bpause (?:for a moment|momentarily|briefly)\b.{0,40}\b(?:roster|queue|question)"
        r"|\bto (?:withdraw|ask) (?:your|a) question,? (?:please )?press",
        re.I,
    ),
    "safe_harbor": re.compile(
        r"\bforward[- ]looking (?:statement|information|comment|remark|in nature|within)"
        r"|\b(?:statements?|remarks|comments) (?:\w+ ){0,8}(?:are|be) forward[- ]looking"
        r"|\bactual (?:results|events|performance) (?:\w+ ){0,4}?(?:may|might|could|to|can|will) "
        r"(?:\w+ ){0,2}?(?:differ|vary)"
        r"|\bdiffer materially\b|\bprivate securities litigation reform act|\bsafe harbou?r\b"
        r"|\b(?:undertakes?|assumes?|has|have|disclaims?|under) (?:no|any) "
        r"(?:obligation|duty|responsibility|intention)"
        r"|\bdo(?:es)? not (?:undertake|intend|assume|plan)\b.{0,40}\bupdate\b"
        r"|\brisk factors?\b.{0,120}\b(?:10-?[kq]|filings?|annual report|sec)\b"
        r"|\b(?:10-?[kq]|filings?|sec)\b.{0,120}\b(?:risks?|uncertaint|risk factors?)"
        r"|\brisks and uncertainties\b.{0,80}\b(?:differ|cause|described|beyond|discussed)"
        r"|\breconciliations?\b.{0,160}\b(?:website|release|slides?|appendix|supplement|gaap)\b",
        re.I,
    ),
    "webcast_notice": re.compile(
        r"\b(?:webcast|replay|archived?|recording|slides?|presentation|press release|transcript)\b"
        r".{0,160}\b(?:website|web site|available|posted|accessed|www\.\S+)\b"
        r"|\b(?:website|web site|investor relations section)\b.{0,120}"
        r"\b(?:webcast|replay|slides?|release|presentation)\b",
        re.I,
    ),
    "courtesies": re.compile(
        r"(?:thank you|thanks)(?:,? (?:\w+|everyone|all)){0,4} (?:for|and welcome)\b"
        r".{0,60}\b(?:join|call|participa|attend|listen|interest)\w*\b.{0,60}"
        r"|good (?:morning|afternoon|evening|day)"
        r"(?:,? (?:to )?(?:everyone|everybody|all|ladies and gentlemen|folks|and welcome))*[.!]"
        r"|(?:and )?welcome to .{0,120}\b(?:conference )?call\b.{0,40}"
        r"|(?:this|that) concludes .{0,80}",
        re.I,
    ),
}
REPEATED = "repeated_disclaimer"  # found only by comparing all calls: see ``disclaimers``
KINDS = (*PATTERNS, REPEATED)
# Every pattern needs one of these: a cheap test before the expensive one.
_HINTS = (
    "forward", "actual ", "differ", "litigation", "harbo", "obligation", "duty", "responsib",
    "intention", "update", "10-k", "10-q", "10k", "10q", "risk", "reconcil", "press", "star", "*",
    "listen", "disconnect", "recorded", "touch", "pause", "webcast", "replay", "archiv",
    "recording", "slide", "presentation", "transcript", "web", "investor relations", "thank",
    "good ", "welcome", "concludes", "[operator",
)  # fmt: skip
FIGURE = re.compile(r"[$\u20ac\u00a3%]|\b(?:million|billion|percent|basis points|cents)\b", re.I)
_GAP = re.compile(r"(\n|(?<=[.?!\]])\s+(?=[A-Z\"'\[]))")
_MARK_ONLY = re.compile(r"\[operator instructions?\] ?", re.I)


def kind_of(sentence: str, *, kinds: tuple[str, ...]) -> str | None:
    """Return the first of ``kinds`` that a sentence matches; None without a match or with a figure.

    >>> kind_of("Actual results may differ materially.", kinds=KINDS)
    'safe_harbor'
    >>> kind_of("Actual results may differ by $5 million.", kinds=KINDS) is None
    True
    """
    lower = sentence.lower()
    if not any(hint in lower for hint in _HINTS) or FIGURE.search(sentence):
        return None
    for kind in kinds:
        if kind == REPEATED:
            continue
        pattern = PATTERNS[kind]
        if pattern.fullmatch(lower) if kind == "courtesies" else pattern.search(lower):
            return kind
    return None


def remove(turns: Sequence[Turn], *, kinds: tuple[str, ...]) -> tuple[list[Turn], Counter[str]]:
    """Return the turns without the given kinds of boilerplate, and the words removed by kind.

    Each sentence is removed or kept whole. Sentences with money or percentages are kept, and so is
    everything that an analyst says. A turn with no text left is dropped.

    Raises
    ------
    ValueError
        If a kind is not one of ``KINDS``.
    """
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise ValueError(f"boilerplate kind {unknown[0]!r}; allowed: {', '.join(KINDS)}")
    counts: Counter[str] = Counter()
    kept = []
    for turn in turns:
        text = turn.text if turn.role == "analyst" else _without(turn.text, kinds, counts)
        if text:
            kept.append(replace(turn, text=text))
    return kept, counts


def _without(text: str, kinds: tuple[str, ...], counts: Counter[str]) -> str:
    if "operator_instructions" in kinds and "[" in text:
        text, n_marks = _MARK_ONLY.subn("", text)
        counts["words_removed_operator_instructions"] += 2 * n_marks
    parts = _GAP.split(text)  # sentence, gap, sentence, ...
    kept: list[str] = []
    for index in range(0, len(parts), 2):
        kind = kind_of(parts[index], kinds=kinds)
        if kind is None:
            kept += parts[index : index + 2]
        else:
            counts[f"words_removed_{kind}"] += len(parts[index].split())
            if kept and index + 1 < len(parts) and "\n" in parts[index + 1]:
                kept[-1] = "\n"
    return "".join(kept).strip()
