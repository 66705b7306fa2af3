"""Phrases that mark the start of the questions: operators, hand-overs, opening of the floor."""

from __future__ import annotations

import re

from finllm.languages.cues import says

_ORDINAL = r"(?:first|next|last|final|following|second|third|one more|another)"
# A question is handed to somebody; analysts say "my first question is", so "is" is not enough.
_HAND_OVER = re.compile(
    rf"\b(?:{_ORDINAL}|take a|have a) (?:and (?:final|last) )?questions?\b[^?]{{0,80}}?"
    r"\b(?:from|line of|done by|asked by)\b"
    r"|\bto the line of\b|\byour line(?: is|'s)? (?:now )?(?:open|live)\b|\byou have the floor\b"
    r"|\bquestions?,? is (?-i:[A-Z])\w+ (?-i:[A-Z])|\bfirst question, (?-i:[A-Z])\w+ (?-i:[A-Z])"
    r"|\bfollow-?up question\b[^?]{0,30}\bfrom\b",
    re.I,
)
GOES_TO = re.compile(  # an operator's, never an executive's "let's move to Specialty Minerals"
    r"\b(?:go|move|turn)(?: next| now| on| first)* to (?-i:[A-Z])\w+ (?-i:[A-Z])", re.I
)
_SESSION_BEGINS = re.compile(
    r"\b(?:begin|start|conduct|open)(?:ing)? (?:the|our|a) (?:question|q ?& ?a)"
    r"|\banswer session will (?:now )?(?:begin|start)|\bfloor is (?:now )?open"
    r"|\bnow take (?:your |the )?questions\b",
    re.I,
)
_OPERATOR_CUE = re.compile(
    r"\bpress(?:ing)? (?:the )?(?:star|\*|pound|zero)|\b(?:star|\*) ?(?:one|two|1|2|zero)\b"
    r"|\bdial(?:ing)? (?:star|\*)|listen-?only mode|you may (?:now |all )?disconnect"
    r"|(?:conference|call|event) is (?:now )?(?:being recorded|concluded|over)"
    r"|(?:concludes|completes) (?:today's|our|the|this)(?: \w+){0,2} (?:call|conference)"
    r"|question-? ?and-? ?answer session|no (?:further|more) questions"
    r"|\[operator instructions\]",
    re.I,
)
GO_AHEAD = re.compile(
    r"(?:and |sir,? |your line .{0,30}|[\w. ]{0,20}, )?(?:you may |please,? |you can )*"
    r"(?:go ahead|proceed|ask (?:a|your) question|your line is (?:now )?open|you have the floor)"
    r"[^?]{0,40}",
    re.I,
)
_OPENING = re.compile(
    r"\b(?:open|turn)(?: \w+){0,4}?(?: up)? (?:for|to|over to) (?:the |your |any |some |our )*"
    r"(?:questions?|q&a)\b"
    r"|\b(?:ready|happy|glad|pleased|able|like|here|begin|start)(?: now)? (?:for|to)"
    r"(?: (?:take|answer|begin|start|address|entertain))?(?: \w+){0,2} (?:first )?"
    r"(?:questions?|q&a)\b"
    r"|\b(?:take|have|queue up|go to|hear|read|poll for)(?: \w+){0,3}?"
    r" (?:first question|questions?)\b"
    r"|\[operator instructions\]",
    re.I,
)
ASKS = re.compile(
    r"\?|\b(?:my|a|one|two|quick|follow-?up) (?:\w+ )?questions?\b|\bwondering\b|\bcould you\b"
    r"|\btaking (?:my|the|our)\b|\b(?:curious|congrat\w*)\b|\bthat's helpful\b",
    re.I,
)
MAX_QUESTION_SHARE = 0.02  # of the sentences, in text that is prepared remarks only


def hands_over(text: str) -> bool:
    """Return whether this text hands the next question to somebody."""
    lower = text.lower()
    if "question" not in lower and "line" not in lower and "floor" not in lower:
        return says("hand_over", text)
    return bool(_HAND_OVER.search(text)) or says("hand_over", text)


def sounds_like_operator(text: str) -> bool:
    """Return whether a text has an operator's phrases: "press star one", "listen-only mode"."""
    return bool(_OPERATOR_CUE.search(text)) or says("operator", text)


def begins_questions(text: str) -> bool:
    """Return whether an operator starts the Q&A, or already hands over the first question."""
    return hands_over(text) or bool(_SESSION_BEGINS.search(text)) or says("session_begins", text)


def opens_floor(text: str) -> bool:
    """Return whether the company announces questions, now or (early in a call) for later."""
    lower = text.lower()
    asked = "question" in lower or "q&a" in lower or "[op" in lower
    return asked and bool(_OPENING.search(lower)) or says("opening", text)


def asks(text: str) -> bool:
    """Return whether a speaker asks something."""
    return ASKS.search(text) is not None or says("asks", text)


def asks_nothing(text: str) -> bool:
    """Return whether a text has so few question marks that it can only be prepared remarks."""
    n_sentences = text.count(". ") + text.count(".\n") + text.count("?") + 1
    return text.count("?") <= MAX_QUESTION_SHARE * n_sentences
