"""Figures of speech that contain a number: "my two cents", "two sides of the same coin"."""

from __future__ import annotations

import re

from finllm.numbers.atom import Atom

_OWNERS = r"(?:my|our|your|his|her|their)(?: own)?"
_IDIOMS = re.compile(
    r"(?:two (?:sides (?:of (?:the|a|that) (?:same )?(?:coin|medal|story)|to (?:every|the) story)"
    r"|minds|birds (?:with|killed)|cents'? worth|peas in a|left feet|wrongs|heads are better"
    r"|ships passing|hats|thumbs up|steps (?:forward|back)|bites (?:at|of) the"
    r"|ends of the (?:spectrum|stick)|and two (?:together|is|make)|plus two)"
    rf"|{_OWNERS} two cents|three cheers|four corners of|(?:three|four|five|six) nines"
    r"|six of one,?(?: and| or)? half a dozen|(?:a|one) hundred miles an hour"
    r"|seven (?:seas|wonders)|nine (?:lives|yards)"
    r"|(?:9|nine|99|ninety-nine) times out of (?:10|ten|a hundred|100)|(?:10|ten) out of (?:10|ten)"
    r"|fifty[- ]fifty|forty winks|twenty[- ]twenty (?:hindsight|vision)|eight[- ]ball|dime a dozen"
    r"|(?:tale|game|story) of two|one (?:in|out of) a (?:hundred|thousand|million|billion)"
    r"|a thousand (?:words|cuts|thanks|apologies|flowers|times (?:over|no|better))"
    r"|a million (?:thanks|times (?:over|no|better)|reasons|ways|questions|things|apologies)"
    r"|thanks? (?:you )?a (?:million|thousand|hundred))\b"
)
_WORDS_BEFORE = 5  # starts tried: the number, and up to four words before it
_QUESTION = re.compile(r"[ -]questions?\b")


def is_idiom(text: str, atom: Atom) -> bool:
    """Return whether a number is part of a figure of speech.

    >>> is_idiom(" let me add my two cents ", Atom(15, 24, 2.0, 1.0))
    True
    """
    if atom.kind == "money" and _QUESTION.match(text, atom.end):
        return True  # "the 64-thousand-dollar question"
    at = atom.start
    for _ in range(_WORDS_BEFORE):
        match = _IDIOMS.match(text, at)
        if match is not None and match.end() > atom.start:
            return True
        first = max(0, at - 16)
        at = max(first, text.rfind(" ", first, at - 1) + 1, text.rfind("\n", first, at - 1) + 1)
    return False
