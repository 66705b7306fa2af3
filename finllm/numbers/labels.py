"""Numbers that are labels of things: "Unit 3", "on day 1", "web 3.0"."""

from __future__ import annotations

import re

from finllm.numbers.atom import Atom
from finllm.numbers.counts import counted_unit

# nouns before a number that is a label, unless it counts something
_LABELLED = frozenset(
    "unit plant flight season episode sprint round tranche scenario option cluster lot parcel bay "
    "aisle exon intron chromosome codon township milepost marker latitude longitude verse psalm "
    "apartment apt station substation reactor furnace smelter warehouse depot silo rig terminal "
    "berth pier runway lane line platform booth tower squadron battalion district ward "
    "precinct tab batch shipment container invoice order iteration seed module lesson formula "
    "pool kiln vessel hull boiler crane customer supplier segment site division "
    "question problem gate hole shaft adit seam".split()
)
# before one of these nouns, these make the number an amount: "per unit 12", "we order 300"
_BEFORE_LABEL = re.compile(
    r"\b(?:per|a|an|may|can|could|should|would|must|not|each|every|this|last|next|past|prior|previous|first|we|to|will|they|i|also"
    r"|bottom|top) [a-z]+ $"
)
_LONG = frozenset(("invoice", "order"))  # nouns whose labels have four digits or more
_TIMES = frozenset("day week month year night".split())
_BEFORE_TIME = re.compile(  # "on day 1", "in year 2", but "of the year 12 stores"
    r"(?:\b(?:in|by|on|from|since|until|to|through|of|at|and|or|for|after)|[,.;:(\n]) ?[a-z]+ $"
)
_GENERATIONS = frozenset(  # "web 3.0", "Industrie 4.0"
    "web industry industrie industria indústria usine usina factory fábrica fabrik health work "
    "banking mobility retail".split()
)
_KNOWN_BEFORE = re.compile(
    r"\b(?:[Rr]ule of|Group of|[Pp]ound|Big|[Pp]erfect|Inc\.|Forbes|Fit for) $"
)
_MAY_BE_KNOWN = frozenset("of pound big perfect inc. forbes for".split())
_GERMAN_ARTICLES = frozenset("der die das dem den des im am zum zur vom beim ins".split())
_ADDRESS_JOINTS = "/._-@=?&"
_ADDRESS = re.compile(r"://|^\(?www\.|[a-z0-9]@[a-z]")
_PREDICATE = re.compile(  # after a name: "Xeon 6 is ramping", "Falcon 9 launched"
    r" (?:is|was|has|had|isn't|wasn't|hasn't|does|doesn't|will|would|can|could|remains?|[a-z]{2,}ed"
    r"|sold|won|drew|led|made|grew|fell|rose|beat|began|came|went|saw|ran|took|generates|employs"
    r"|includes|assumes|becomes|begins"
    r"|produces|operates|entra|opera|segue|custa|vai|deve|gera|produz|tiene|sigue|genera|produce"
    r"|est|reste|tourne|produit|fonctionne|démarre|a [a-zé]+é|ist|wird|wurde|bleibt|hat|geht|ging"
    r"|lief|läuft|steht|soll|liefert|startet|startete|produziert|[a-z]{3,}(?:ou|ó|[aeiu]rá|eria))\b"
)
_OTHERS = re.compile(r"(?:, \d{1,2})*(?:,? and \d{1,2})?")  # "Angra 1, 2 and 3"
_SIBLING = re.compile(  # "Falcon 9 and Ariane 6", "Formule 1, Ligue 1"
    r",? (?:(?:and|or|und|et|y|e|&) )?(?:the |l'|la |le |les |der |die |das |el |o |a )?"
    r"[a-z]?[A-Z][\w-]*(?: [A-Z][\w-]*)? ?\d"
)
_COMPARED = re.compile(r",? ?(?:up|down|vs|versus|compared|from|against|\(|\|)")


def is_label(cased: str, text: str, atom: Atom, previous: str) -> bool:
    """Return whether a plain number is a label: "exon 12", "on day 1", "web 3.0".

    ``previous`` is the word before it, in lower case.
    """
    start, end = atom.start, atom.end
    if atom.number % 1 or atom.quantum < 1:
        return atom.quantum == 0.1 and previous in _GENERATIONS and atom.number < 6
    if _is_labelled(text, atom, previous):
        return True
    if atom.number in (180, 483):  # "did a 180", "a 483 was issued"
        return previous == "a" and not counted_unit(text, end)
    if atom.number == 360:
        return text.startswith((" view", " platform", " program"), end)
    if previous in _GERMAN_ARTICLES and text.startswith(". ", end):  # "die 2. Bundesliga"
        return cased[end + 2].isupper()
    if previous not in _MAY_BE_KNOWN or not _KNOWN_BEFORE.search(cased, max(0, start - 9), start):
        return False
    return not counted_unit(text, end, 1)


def _is_labelled(text: str, atom: Atom, previous: str) -> bool:
    """Return whether a number follows a noun that takes a label, and counts nothing."""
    is_time = previous in _TIMES
    if not is_time and previous not in _LABELLED or text[atom.start - 1] != " ":
        return False
    is_long = atom.number >= (1000 if previous in _LONG else 10_000)
    if is_long != (previous in _LONG) or "," in text[atom.start : atom.end]:
        return False
    if counted_unit(text, atom.end, 4 if atom.worded else 1):
        return False
    first = max(0, atom.start - 24)
    if is_time:
        near = atom.number <= (400 if previous == "day" else 60)
        return near and _BEFORE_TIME.search(text, first, atom.start) is not None
    return _BEFORE_LABEL.search(text, first, atom.start) is None


def begins_sentence_as_name(cased: str, text: str, atom: Atom, at: int) -> bool:
    """Return whether a number continues the name that begins a sentence at offset `at`."""
    end = atom.end
    if _PREDICATE.match(text, end) or _SIBLING.match(cased, end):
        return True
    others = _OTHERS.match(text, end)
    if others is not None and others[0] and atom.number < 20:
        behind = others.end()
        return (
            text[behind] in ".;\n"
            or bool(_PREDICATE.match(text, behind))
            or text.startswith((" are ", " were "), behind)
        )
    word = cased[at : atom.start - 1]
    return len(word) > 1 and word.isupper() and word.isalpha() and not _COMPARED.match(text, end)


def is_in_address(text: str, start: int) -> bool:
    """Return whether an offset is inside a web or e-mail address."""
    if text[start - 1] not in _ADDRESS_JOINTS and not text[start - 1].isalpha():
        return False
    first = max(0, start - 120)
    word = text[
        max(first, text.rfind(" ", first, start) + 1, text.rfind("\n", first, start) + 1) : start
    ]
    return _ADDRESS.search(word) is not None
