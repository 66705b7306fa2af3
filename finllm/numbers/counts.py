"""Nouns that numbers count, as the "stores" of "51 GenNext stores", and calendar years."""

from __future__ import annotations

import re

from finllm.numbers.atom import Atom

# words that end the search for the noun
STOPS = frozenset(
    "a an and or of in to for from by with at on the that which who were is was are be been being "
    "has have had as per versus vs than but while when where we our you they it its this these "
    "those compared up down over under after before during through will would should can could "
    "may if so because since due primarily including excluding respectively last prior next both "
    "each about against into within without also not did do does between until plus minus there "
    "their i he she then now".split()
)
# words in -s that are not plural nouns
_NO_PLURALS = frozenset(
    "is was has this plus sales across versus vs less unless us our as its his hers yes always "
    "margins revenues earnings profits "
    "perhaps thus besides sometimes towards afterwards process business access basis loss gross "
    "previous various numerous continuous serious obvious focus status analysis bonus minus "
    "address progress success excess express press mass class does goes regards includes reflects "
    "represents compares remains increases results percent relates means makes takes continues "
    "shows provides gives brings comes says costs generates employs assumes becomes begins "
    "requires produces delivers sells expects believes seems appears contains receives "
    "exceeds".split()
)
_DURATIONS = frozenset("month year day week quarter hour minute foot mile inch".split())
_MEASURES = {
    unit.lower(): unit
    for unit in "GW TW MW kWh MWh GWh TWh Mt kt koz Moz bcm mcm bcf tcf mboe mmboe kboe boepd bopd "
    "mtpa ktpa TEU".split()
}
MEASURE = re.compile(rf"({'|'.join(_MEASURES)})(?![a-z0-9])")  # "14.2mt"
_COLLECTIVES = frozenset(
    "people men women children feet employees megawatts staff headcount aircraft personnel".split()
)
_METRES = re.compile(r" met(?:re|er)s?\b")
_NEXT = re.compile(r"([ -])([a-z][a-z&'’-]*)")
_SHARED = re.compile(  # "the three and six months"
    r" (?:and|or) (?:two|three|four|five|six|seven|eight|nine|ten|twelve)[ -]"
    r"(years?|quarters?|months?|weeks?|days?|hours?)\b"
)
_OF_OURS = re.compile(
    r" of (?:our|the|its|their|these|those|his|her|my|your|three|four|five|six|seven|eight|ten)"
    r"(?= )"
)


def counted_unit(text: str, end: int, reach: int = 4) -> str:
    """Return the noun that a number counts, the first plural of the next `reach` words, or "".

    >>> counted_unit("51 gennext stores", 2)
    'stores'
    """
    if text[end : end + 1].isalpha():
        glued = MEASURE.match(text, end)
        return "" if glued is None else _MEASURES[glued[1]]
    for nth in range(reach):
        match = _NEXT.match(text, end)
        if match is None:
            return ""
        joint, word = match.groups()
        end = match.end()
        if word in STOPS:
            return ""
        if nth == 0 and joint == "-":
            return word.split("-")[0]
        if nth == 0 and word in _MEASURES:
            return _MEASURES[word]
        if nth == 0 and word in _DURATIONS:
            if not text.startswith((" over", " on ", " to ", "-"), end):
                return word
        if word == "square":
            return "square metres" if _METRES.match(text, end) else "square feet"
        if word in _COLLECTIVES or _is_plural(word):
            return word
    return ""


def counted_in_words(text: str, end: int) -> str | None:
    """Return the noun that a number in words counts, or None if it does not count anything.

    The noun may follow more adjectives than after digits, and "of our": "three of our largest
    hotels".
    """
    of_ours = _OF_OURS.match(text, end)
    unit = counted_unit(text, end if of_ours is None else of_ours.end(), 7)
    shared = _SHARED.match(text, end)
    if shared is not None:
        return shared[1]
    if unit in ("to", "and"):  # "two-to-one", "four-and-done"
        return None
    return unit or ("" if of_ours else None)


def _is_plural(word: str) -> bool:
    """Return whether a lower-case word looks like a plural noun."""
    return len(word) > 3 and word[-1] == "s" and word[-2] not in "su'’" and word not in _NO_PLURALS


def is_year(atom: Atom, text: str) -> bool:
    """Return whether a plain number is a calendar year in four digits."""
    if not 1900 <= atom.number <= 2100 or atom.end - atom.start != 4:
        return False
    return text[atom.start : atom.end].isdigit()
