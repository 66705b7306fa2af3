"""Reference numbers, as in "HRB 12345", and figures of speech: "a two-fold approach"."""

from __future__ import annotations

import re

from finllm.numbers.atom import Atom
from finllm.numbers.counts import counted_unit

# registers and codes whose number follows directly or after a colon
_REGISTERS = frozenset(
    "isin sedol cusip wkn valor valoren cik lei sic ein tin abn acn arbn gstin cin din crn nzbn "
    "vat nire cnpj cpf nif cif nie nit rfc rut ruc cuit siren siret rcs hrb hra uid iban bic swift "
    "duns naics eori cas doi isbn issn cep plz zip c.p. postcode docket dockets patent permit "
    "licence license registration accession serial ticket passcode password pin".split()
)
# those of the above that also precede counted things: "we license 12 compounds"
_SAID_OF_COUNTS = frozenset(
    "permit license licence patent docket dockets ticket tin valor swift lei pin".split()
)
_LAST_WORDS = frozenset(
    "number numbers no no. nos nos. nr nr. n° id ref ref. reference code".split()
)
_REGISTERED = re.compile(
    r"\b(?:registration|registry|register|company|patents?|application|docket|licen[cs]e|permit"
    r"|vat|tax|tax payer|taxpayer|file|filing|case|claim|reference|account|policy|serial|charter"
    r"|certificate|order|invoice|ticket|identification|identity|approval|authori[sz]ation|ein"
    r"|charity|trademark|batch|part|model|contract|tender|customer|conference|meeting|event"
    r"|access|dial-in|participant|webcast|security|stock|bar|postal|zip|area|firm) "
    r"(?:identification |registration |file )?"
    r"(?:numbers?|nos?\.?|nr\.?|n°|id|ref\.?|reference|code)"
    r" ?[.:#]? ?(?:\(?[a-z]{1,4}\)?[ :.-]{1,2})?$"
)
_LISTED_ON = re.compile(  # "(TSE: 7203)"
    r"(?:\((?:[^()\n]{1,30}[;,] )?(?:sha|she|nse|bse|set|idx)"
    r"|\b(?:tse|tse prime|tyo|jpx|hkex|hkse|sehk|hkg|sse|shse|szse|krx|kosdaq|kospi|klse|bursa"
    r"|bursa malaysia|twse|tpe|tpex|tadawul|stock exchange))(?:: ?| )$"
)
_COURT = re.compile(r"\brcs(?: [a-z][a-zà-ÿ.-]+){1,2}(?: [ab])? $")  # "RCS Paris 552 032 534"
_COUNTRIES = frozenset("ep us wo fr de gb es pt".split())
_IBAN = re.compile(r"[a-z]{2}\d\d")
_OF_A_COUNTRY = re.compile(  # "patent EP 2 345 678", "TVA FR 40 303 265 045", "IBAN DE89 3704"
    r"\b(?:patents?|vat|tva|brevets?|patentes?|iban)(?: [a-zé.]+){0,2}[ :]+[a-z]{2}(?:\d\d)? $"
)
_NEXT_PART = re.compile(r"[-/ ]\d")
_JOINTS = frozenset(("-", "/", " ", ".", "–", " / ", " - ", "(", ")"))
_CHANGES = (
    r"(?:increas|ris[ei]|rose|gr[eo]w|improv|jump|surg|gain|expan|higher|return|declin|drop|fall"
    r"|fell|reduc|decreas|up\b|change|multipl|uplift|uptick|step-up|scal|cover|oversub|upside"
    r"|premium|difference|growth|climb|boost|spike|swing)"
)
_CHANGE = re.compile(rf"\b{_CHANGES}")
_CHANGE_BEHIND = re.compile(rf" (?:[a-z-]+ )?{_CHANGES}")
_COMPARED = re.compile(  # "threefold what it was"
    r" (?:what|the (?:level|amount|number|rate|volume|size|figure)|last|that|those|its|supply)\b"
)
_NOUN_BEHIND = re.compile(
    r" (?!(?:in|on|to|over|from|by|since|as|and|or|for|at|than|compared|versus|year|during|with"
    r"|when|while|between|through|the|this|last|within|across|after|that|if|due|because|but|of"
    r"|what|across|more|our|its|their|we|it|per|sequentially|annually)\b)[a-z]"
)
_IS_BEFORE = re.compile(
    r"\b(?:is|are|was|were|be|being|been|remains?)(?: [a-z]+ly| also| still| therefore| kind of"
    r"| sort of| probably| maybe| about| a)* $"
)


def points_at(text: str, atom: Atom, previous: str) -> bool:
    """Return whether a plain number is an identifier; ``previous`` is the word before it."""
    word = previous.rstrip(":#")
    if word in _REGISTERS:
        return word not in _SAID_OF_COUNTS or word != previous or _is_long(text, atom)
    first = max(0, atom.start - 48)
    if previous[-1:] == ":" and _LISTED_ON.search(text, first, atom.start):
        return True
    if word in _LAST_WORDS:
        return _REGISTERED.search(text, first, atom.start) is not None
    if word == "patents":
        return atom.number >= 1e5
    if word in _COUNTRIES and _is_long(text, atom) or _IBAN.fullmatch(word):
        return _OF_A_COUNTRY.search(text, first, atom.start) is not None
    court = text.find("rcs ", first, atom.start) >= 0
    return court and _COURT.search(text, first, atom.start) is not None


def _is_long(text: str, atom: Atom) -> bool:
    """Return whether a number without a counted noun is long or has further parts, like a code."""
    if counted_unit(text, atom.end):
        return False
    return atom.number >= 1e4 or _NEXT_PART.match(text, atom.end) is not None


def goes_on(text: str, atom: Atom, ended: int) -> bool:
    """Return whether a number is the next part of an identifier, as the 771 of "permit 20-771"."""
    return text[ended : atom.start] in _JOINTS


def is_figurative(text: str, atom: Atom) -> bool:
    """Return whether "two-fold" means two parts, as in "a two-fold approach" or "is twofold".

    With a verb or noun of change it is a multiple: "rose two-fold", "a two-fold rise".
    """
    if not text.startswith("fold", atom.end - 4):
        return False
    if _CHANGE_BEHIND.match(text, atom.end) or _COMPARED.match(text, atom.end):
        return False
    if _NOUN_BEHIND.match(text, atom.end):
        return True
    before = text[max(0, atom.start - 60) : atom.start]
    return _IS_BEFORE.search(before) is not None and _CHANGE.search(before) is None
