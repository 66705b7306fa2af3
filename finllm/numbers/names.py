"""Numbers that are not quantities: parts of names and codes, and those that `dates` finds."""

from __future__ import annotations

import re

from finllm.numbers.atom import Atom
from finllm.numbers.counts import MEASURE, STOPS, counted_unit, is_year
from finllm.numbers.dates import DATE_BEFORE, is_address, is_code, is_day, is_phone, is_post_code
from finllm.numbers.idioms import is_idiom
from finllm.numbers.labels import begins_sentence_as_name, is_in_address, is_label
from finllm.numbers.references import goes_on, is_figurative, points_at

_CODE_BEFORE = re.compile(
    r"(?:pass ?code|access code|conference id|replay|confirmation|pin|dial|code|id)\b[^.]{0,30}$"
)
_NAME_BEHIND = re.compile(
    r"-[a-z](?![a-z])|\([a-z]\)|['’]s(?![a-z])|-(?:something|odd|eleven|figure|digit|way|wall|star"
    r"|pronged|sided|part|doors?|step|for|on|dimensional|wheel(?:er|ed)?s?|legged|hander|tiered"
    r"|seaters?|bedrooms?|stroke|cylinders?|axle|tonners?|ply|burners?"
    r"|shifts?|judge|prong|horse|tone|edged|faced|bit|ring|letter|alarm|trick|party|speed|pillar"
    r"|track|factor|class|handed|bagger|pointer|ball|pocket|players?|man|first|third|fourth"
    r"|fifth|sixth|seventh|eighth|ninth)\b"
    r"|-(?!to-|or-|and-)[a-z]{2,}-\d| (?:u\.s\.c|usc|c\.f\.r|cfr|fm)\b|-pound gorilla"
)
_LETTERED = re.compile(r"(?<!\d)[a-z]+-$|[a-z]\d{1,3}-$|\d[a-jl-z]-$(?<!\db-)(?<!\dm-)")
_GROUP = re.compile(r"\d[,']\d")
_PLANES = frozenset((707, 717, 727, 737, 747, 757, 767, 777, 787))
_KNOWN = frozenset(("3m", "340b", "503b"))
_FORMS = frozenset((529, 1031, 1040, 1099, 4680, 18650, 21700))  # only with the noun after them
_FORM_NOUN = re.compile(r" (?:plan|exchange|form|contractor|transaction|cell|batter)")
_PRODUCT = re.compile(
    r" (?:system|platform|release|version|standard|launch|program|strategy|device|software"
    r"|product|framework|initiative)"
)
_CLASS_NOUN = re.compile(
    r" (?:emissions|trials|studies|cities|loans|assets|suppliers|certificat\w+|standards"
    r"|requirements|rules|audits|filings)\b"
)
_GAS_BEHIND = re.compile(
    r"-(?:ready|fuel|power|capable|compatible|based|blend|rich|pipelines?\b|trucks?\b|tanks?\b"
    r"|boilers?\b|burners?\b|engines?\b|turbines?\b)|[ -](?:electroly|refuel|valley|molecul"
    r"|vert\b|verde\b)"
)
_GAS_BEFORE = re.compile(
    r"\b(?:green|blue|gr[ae]y|pink|turquoise|liquid|renewable|low-carbon|grüne[mnrs]?) $"
)
_HOURS = re.compile(r"(?:9|nine)-to-(?:5|five)(?![\d%]| ?(?:%|percent|million|basis))")
_ROUGHLY = frozenset(
    "almost some around another maybe perhaps well just even guidance headcount backlog staff "
    "capacity volume output".split()
)
_PIXELS = re.compile(  # "4K TVs"
    r"[2458]k(?= ?-?(?:tvs?|televisions?|uhd|ultra|hdr|oled|lcd|displays?|screens?|monitors?"
    r"|videos?|resolution|cameras?|stream\w*|content|projectors?|panels?|gaming|blu|60)\b)"
)
_FILINGS = frozenset((8, 10, 401, 403))  # "10K"
# words before a number that is a name or a rank
_NAMING = frozenset(
    "s&p s&p's p nasdaq russell fortune ftse dow dax nikkei msci ifrs frs hkfrs sfrs aasb ias asc "
    "asu fas sfas topic section sections rule rules regulation reg form forms slide slides page "
    "pages note notes chapter chapters title phase phases tier tiers level levels class category "
    "series block version generation gen exhibit item schedule appendix no no. nos # number "
    "numbers passcode code id pin dial extension press star covid covid-19 basel stage stages step "
    "scope highway interstate route top building room suite floor figure table chart wave part "
    "zone horizon boeing airbus windows article proposition prop pier ps playstation xbox "
    "iphone galaxy euro vision strategy project path roadmap formula pillar priority bucket "
    "question footnote footnotes tables figures charts annexes appendices articles paragraphs "
    "exhibits annexe schedules clause clauses recital recitals resolution resolutions "
    "hall gate blocks box bus python java volume issue iso nfpa osha pm sars cov h1n1 omega "
    "forever § §§ n° nº № l. r. paragraph annex wi-fi wifi usb bluetooth hdmi pcie thunderbolt "
    "docsis ddr android ios rtx gtx geforce zigbee type "
    "studio channel pub l public law ext ext. sku imo group bullet act cohort grade study "
    "milestone mach rank ranked catch area apollo ab sb hb hr h.r. s. dot sub "
    "exon chromosome soc ligue cfr hipaa codes kernel tls firmware sdk cuda "
    "kubernetes proposal proposals motel".split()
)
# those of the above that are also measured: "hydro generation 1,117 GWh"
_MEASURED = frozenset(
    "generation series phase phases stage block blocks area volume level levels press catch cohort "
    "class category group channel".split()
)
# places in which something may be counted: "in der Halle 300 Mitarbeiter"
_ROOMS = frozenset("hall gate box bus room floor building suite".split())
_MEASURE_BEHIND = re.compile(
    rf" ?(?:{MEASURE.pattern}|(?:mega|giga|tera)watts?\b|tonn?es\b|tons\b|barrels\b|ounces\b"
    r"|hectares\b|acres\b|square |sq\.? |kilomet|units\b)"
)
_INDEX_BEFORE = re.compile(  # "CAC Mid 60", "S&P/ASX 200"
    r"\b(?:FTSE|STOXX|CAC|SBF|[MS]?DAX|TecDAX|IBEX|IBrX|IBRX|PSI|BEL|AEX|OMX|ATX|SMI|MIB|TOPIX|ASX"
    r"|TSX|JSE|NSE|BSE|CSI|KOSPI|Nifty|Nikkei|Euronext|MSCI|Russell|Nasdaq)(?: [A-Z][\w-]*){0,2} $"
)
_STANDARD_BEFORE = re.compile(
    r"(?:(?:\bInd |\bPCAOB |[^A-Z] )AS|\b(?:DIN|EN|ISO|IEC|UNE|BS|NF|UNI|NBR|JIS|GB/T|ANSI|UL|VDE"
    r"|ASTM|ETSI|API|SAE|NEMA|UN|IEEE|DSS|HTS|HS)(?:[ /-](?:EN|ISO|IEC|ASTM|NZS|IEEE))*) $"
)
_KEY_BEFORE = re.compile(  # "star then 1", "pound key, followed by 2"
    r"\b(?:star|asterisk|pound|hash|pad|keypad|phone|press|dial|key)(?: key| sign)?,?"
    r" (?:and then|then|followed by|the)(?: the)?(?: digit)? $"
)
_GLUED_CODE = re.compile(r"[A-Z]{3}\d{5,6}(?<!00)(?![\d.,'’]\d| ?[a-z€$])")  # "SAR442168"
_ACCOUNTS = frozenset(  # written in capitals but not names
    "ebitda ebitdax ebit ebt pbt ffo affo noi nii opex capex aum tam eps gmv arr acv tcv tpv gwp "
    "gaap roe roi roic roa nim arpu dau mau us usa uk eu emea apac latam".split()
)
_TICKER = re.compile(r"\.[A-Z]{1,2}(?![A-Za-z])")
_CODED = frozenset(  # words that make any number after them a code, even one that looks like a year
    "code codes room rooms suite form section route highway flight page slide rule item pin "
    "passcode extension dial box zip § u.s.c. usc cfr c.f.r. act no number russell server".split()
)
# words that name only with a capital: "Model 3 sedans", but "the model 3 years ago"
_NAMING_IN_CAPITALS = frozenset(
    "model cat industry mark terminal reactor pixel core release track".split()
)
_BRANDS = frozenset(("century", "super"))  # "Century 21 brokers", "Super 8 hotels"
_PLACES = frozenset(  # "Exit 14", even at the start of a sentence
    "exit track platform tram plant shaft berth dock lane seat row hull hangar line".split()
)
# words that make a year after them a name: "Vision 2030", "IMO 2020"
_NAMING_YEARS = frozenset(
    "imo vision strategy roadmap agenda project horizon ambition mission plan expo cup olympics "
    "games battlefield photoshop summit forum congress copa mundial office".split()
)
_LISTED = frozenset((" and ", ", ", " to ", "-", " through ", " & ", " or ", ", and "))
_DOLLAR_GOES_ON = re.compile(
    r" (?:\d\d|and a half|(?:and )?(?:\d|[a-z]+t[ey]|[a-z]+teen|ten|twelve|[a-z]+ cents)"
    r"|(?:a|an|per) [a-z])|$|[.;]"
)


def without_names(cased: str, text: str, atoms: list[Atom]) -> list[Atom]:
    """Return the atoms that are not part of names, dates, codes or phone numbers.

    `cased` is the text as written and `text` the same in lower case, with equal offsets.
    """
    kept: list[Atom] = []
    named = -1  # end of the last name: "slides 5 and 6" names two slides
    coded = -9  # end of the last part of an identifier
    for atom in atoms:
        if text[atom.start - 1] != " " and is_in_address(text, atom.start):
            continue
        if atom.worded and is_idiom(text, atom):
            continue
        if atom.kind and atom.kind != "year":
            if _is_no_unit(cased, text, atom):
                named = atom.end
            else:
                kept.append(atom)
            continue
        if is_code(text, atom.start, atom.end) or is_post_code(cased, text, atom):
            continue
        is_name = False
        if not atom.kind:
            previous = _previous(text, atom.start)
            if atom.scale == 1.0 and _is_identifier(text, atom, previous, coded):
                coded = named = atom.end
                continue
            is_name = _may_name(text, atom) and (
                _is_listed(text, atom, named) or _is_name(cased, text, atom, previous)
            )
        if is_name:
            named = atom.end
        else:
            kept.append(atom)
    return kept


def _is_listed(text: str, atom: Atom, named: int) -> bool:
    """Return whether a number continues a list of names and counts nothing itself."""
    if text[named : atom.start] not in _LISTED or is_year(atom, text):
        return False
    if _GROUP.search(text, atom.start, atom.end) and not _GROUP.search(text, named - 5, named):
        return False
    return not counted_unit(text, atom.end, 1) or bool(_CLASS_NOUN.match(text, atom.end))


def _may_name(text: str, atom: Atom) -> bool:
    """Return whether a plain number has at most a letter after it, as in "phase 2b"."""
    lettered = text[atom.end - 1].isalpha() and text[atom.end - 2].isdigit()
    return atom.scale == 1.0 or lettered or text[atom.start] == "-"


def _is_no_unit(cased: str, text: str, atom: Atom) -> bool:
    """Return whether an apparent unit or period is not one: "Euro 6", the 777X, "green H2"."""
    if atom.kind == "period":
        return atom.unit == "H2" and _is_hydrogen(text, atom)
    if atom.kind == "multiple":
        return is_figurative(text, atom) or _is_lettered(cased, text, atom)
    if atom.kind != "money":
        return False
    if atom.worded and text[atom.start : atom.end] == "a dollar":  # "the power of a dollar store"
        return not _DOLLAR_GOES_ON.match(text, atom.end)
    if text[atom.start].isalpha() and atom.scale == 1.0:
        return _is_engine_class(text, atom) or _GLUED_CODE.match(cased, atom.start) is not None
    return False


def _is_lettered(cased: str, text: str, atom: Atom) -> bool:
    """Return whether the "x" after a number belongs to a name: "Section 45X", "777X", "NEMA 4X"."""
    if cased[atom.end - 1] not in "xX" or not text[atom.end - 2].isdigit():
        return False
    previous = _previous(text, atom.start)
    if previous in _NAMING or text.startswith("777x", atom.start):
        return True
    if cased[atom.end - 1] != "X" or atom.number % 1:
        return False
    at = atom.start - len(previous) - 1
    inside = cased[at - 1] == " " and cased[at - 2] not in ".:;!?|"
    return atom.number >= 1000 or len(previous) > 2 and inside and not cased[at].islower()


def _is_hydrogen(text: str, atom: Atom) -> bool:
    """Return whether "H2" is hydrogen, as in "green H2" or "H2-ready"."""
    if _GAS_BEHIND.match(text, atom.end):
        return True
    return _GAS_BEFORE.search(text, max(0, atom.start - 16), atom.start) is not None


def _is_engine_class(text: str, atom: Atom) -> bool:
    """Return whether an amount is the engine class "Euro 6" or the tournament "Euro 2024"."""
    if not text.startswith("euro ", atom.start) or atom.number % 1:
        return False
    return (
        atom.number <= 7 or 2000 <= atom.number < 2040 and text[atom.end - 4 : atom.end].isdigit()
    )


def _is_identifier(text: str, atom: Atom, previous: str, coded: int) -> bool:
    """Return whether a plain number is an identifier or the next part of one."""
    if atom.start - coded < 4 and goes_on(text, atom, coded):
        return True
    return points_at(text, atom, previous)


def _previous(text: str, start: int) -> str:
    """Return the word before a number, or its last 23 characters."""
    if text[start - 1] not in " (" or text[start - 2].isspace():
        return ""
    word = text[max(0, start - 24) : start - 1].rsplit(None, 1)[-1]
    return word[max(map(word.rfind, '("“')) + 1 :]


def _is_name(cased: str, text: str, atom: Atom, previous: str) -> bool:
    """Return whether a plain number is part of a name or a date."""
    start, end = atom.start, atom.end
    if (
        _NAME_BEHIND.match(text, end)
        or is_address(cased, text, atom)
        or _is_known_name(cased, text, atom)
    ):
        return True
    if (
        text[start - 1] in "#&/*"
        or text[start - 2 : start] == ")("
        or text[start - 4 : start] in ("utc+", "gmt+")
        or _is_prefixed(text, start)
    ):
        prefixed = text[start - 5 : start] in (" mid-", " pre-", "post-")
        return not (is_year(atom, text) and prefixed)
    window = text[max(0, start - 24) : start]
    if previous.startswith(("l'", "d'")):  # "l'article 17"
        previous = previous[2:]
    if is_day(cased, text, atom, window):
        return True
    if text[end] == "." and (text[end + 1].isdigit() or _TICKER.match(cased, end)):
        return True  # "11.5.2", "7203.T"
    if text[end] == "&" and text[end + 1].isdigit():
        return True  # "1&1"
    if is_year(atom, text):
        if previous in _CODED or window.endswith("class of "):
            return True
        if previous in _NAMING_YEARS and cased[start - len(previous) - 1].isupper():
            return True
        if window.endswith(" act of ") or cased.startswith((" Act", " Agenda"), end):
            return True
        return DATE_BEFORE.search(window) is not None
    if previous in _NAMING and not (previous in _MEASURED and _is_measured(text, atom)):
        return not (previous in _ROOMS and counted_unit(text, end, 1))
    if text[start] == "-" and not atom.number % 1:
        return True
    if previous in _NAMING_IN_CAPITALS and cased[start - len(previous) - 1].isupper():
        if atom.number < 20:
            return True
    if previous in _BRANDS and cased[start - len(previous) - 1].isupper():
        return True
    if previous in _PLACES and cased[start - len(previous) - 1].isupper():
        return not atom.number % 1 and not counted_unit(text, end, 1)
    if previous and is_label(cased, text, atom, previous) or is_phone(text, start):
        return True
    if _KEY_BEFORE.search(window) and not counted_unit(text, end, 1):
        return True
    if end - start >= 5 and text[start:end].isdigit():
        if _CODE_BEFORE.search(text, max(0, start - 50), start):
            return True
    if text[start] == "0" and text[start + 1].isdigit():
        return True
    return _is_after_capital(cased, text, atom, previous)


def _is_measured(text: str, atom: Atom) -> bool:
    """Return whether a number has the form or unit of an amount, unlike a phase or series."""
    if _GROUP.search(text, atom.start, atom.end) or _MEASURE_BEHIND.match(text, atom.end):
        return True
    return bool(atom.number % 1) and (atom.number > 10 or counted_unit(text, atom.end, 1) != "")


def _is_prefixed(text: str, start: int) -> bool:
    """Return whether letters and a hyphen precede, as in "covid-19" but not in "12-to-18"."""
    if text[start - 1] != "-" or text.endswith("-to-", 0, start):
        return False
    return _LETTERED.search(text, max(0, start - 12), start) is not None


def _is_in_capitals(cased: str, atom: Atom) -> bool:
    """Return whether the words around a number are in capitals, which then do not mark a name."""
    before = cased[max(0, atom.start - 24) : atom.start].split()
    behind = cased[atom.end : atom.end + 4].split()
    if cased[atom.end : atom.end + 4].lstrip(" ,.;:)")[:1].islower():
        return False
    if len(before) > 1 and all(word.isupper() for word in before):
        return True
    return bool(before and behind) and before[-1].isupper() and behind[0] in ("TO", "AND", "OR")


def _is_capital_name(cased: str, atom: Atom) -> bool:
    """Return whether a number in words is part of a name, as in "the Six Flags parks"."""
    start, end = atom.start, atom.end
    if not cased[start + 1].islower() or cased[end] != " ":
        return False
    inside = cased[start - 1] == " " and (cased[start - 2].isalnum() or cased[start - 2] == ",")
    return inside and cased[end + 1].isupper() and cased[end + 2].islower()


def _is_known_name(cased: str, text: str, atom: Atom) -> bool:
    """Return whether a number is a well-known name, alone or with the word after it."""
    if atom.number in _FORMS and _FORM_NOUN.match(text, atom.end):
        return True
    if atom.number in (180, 360) and text.startswith((" degree", "-degree"), atom.end):
        return True
    if cased[atom.start].isupper() and _is_capital_name(cased, atom):
        return True
    if atom.scale == 1e3 and _PIXELS.match(text, atom.start):
        return True
    if atom.number == 9 and _HOURS.match(text, atom.start):
        return True
    if atom.number == 5 and text.endswith(("9-to-", "nine-to-"), 0, atom.start):
        return True
    if (
        atom.number in _PLANES
        or text[atom.start : atom.end] in _KNOWN
        or text.startswith("24 by 7", atom.start)
        or text.endswith("24 by ", 0, atom.start)
        or atom.scale == 1e3
        and atom.number in _FILINGS
    ):
        return not counted_unit(text, atom.end, 1)
    return False


def _is_after_capital(cased: str, text: str, atom: Atom, previous: str) -> bool:
    """Return whether a number forms a name with the capitalised word before it: "Crosstrek 5"."""
    at = atom.start - len(previous) - 1
    word = cased[at : atom.start - 1]  # with a capital, as in "Boeing" and "iOS"
    if not (word[:1].isalpha() and word[-1].isalpha()) or word.islower():
        return False
    if not atom.number % 1:
        if _INDEX_BEFORE.search(cased[max(0, at - 40) : atom.start]):
            return True
    if _STANDARD_BEFORE.search(cased, max(0, atom.start - 16), atom.start):
        return not counted_unit(text, atom.end, 1) or bool(_CLASS_NOUN.match(text, atom.end))
    first_word = cased[at - 1] in "\n.?!" or cased[at - 2] in ".?!\n"
    if len(word) == 1 and not first_word and not _is_in_capitals(cased, atom):
        return atom.number < 10_000 and not atom.number % 1 and not counted_unit(text, atom.end)
    if previous in STOPS:
        return False
    release = atom.quantum == 0.1 and atom.number < 20 and _PRODUCT.match(text, atom.end)
    if (
        atom.number % 1
        and not release
        or atom.number >= 10000
        and not (word.isupper() and previous not in _ACCOUNTS)
        or _GROUP.search(text, atom.start, atom.end) is not None
    ):
        return False
    if _is_in_capitals(cased, atom):
        return False
    if counted_unit(text, atom.end, 1):
        return False
    if not first_word:
        return True
    if previous in _ROUGHLY or previous.endswith(("ly", "s")) and word[1:].islower():
        return False  # an adverb or a plural noun, not a name
    return begins_sentence_as_name(cased, text, atom, at)
