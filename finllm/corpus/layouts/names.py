"""Recognise names, titles and firms on lines of their own."""

from __future__ import annotations

import re

from finllm.languages.cues import names_operator

MAX_NAME_TOKENS = 6
_PARTICLES = frozenset(
    "de da di do du del della der den des van von vom zu la le el al bin ibn ter ten y dos "
    "das".split()
)
# Capitalised words that occur alone on lines and are not names.
_NO_NAME = frozenset(
    "a call about additional adjusted after agenda all also an analysis and annual answer answers "
    "any as at average backlog balance before business capital cash ceo cfo closing comments "
    "company conclusion conference contents continued copyright cost costs could current debt "
    "definitions disclaimer discussion dividend duration earnings ebitda ended everyone "
    "executives expenses financial first fiscal fiscal-year follow-up for forward-looking "
    "fourth free from full further gaap general going good great gross guidance hello hi "
    "highlights how i important in income information introduction investment investors is it "
    "key last let liquidity looking management margin market markets moving my net next no "
    "non-gaap note number of ok okay on opening operating operational operations or other our "
    "outlook overview page participants performance please prepared presentation pricing "
    "product profit quarter question questions remarks results revenue revenues review right "
    "risk safe sales second section segment share sheet slide so source statement statements "
    "strategic strategy strong subtotal summary supplemental sure table taxes thank thanks "
    "that the there these third this to today total transcript transcripts turning update us "
    "consensus surprise versus vs we welcome well what with yeah year yes you your".split()
)
_TOKEN = re.compile(r"[^\W\d_](?:[^\W\d_]|['.\u2019-])*|\"[^\"]{1,20}\"|\([^()]{1,20}\)")
_LEGAL_FORM = re.compile(  # endings of a company's name, never of a person's
    r"(?:,? (?:inc|corp|corporation|plc|ltd|limited|llc|l\.?p|gmbh|n\.v|s\.a|a\.g)\.?"
    r"|,? (?-i:NV|AG|SE|SA|ASA|AB|KGaA|SpA|Oyj))$",
    re.I,
)
_TICKER = re.compile(r"\((?:[A-Za-z.]{2,12} ?: ?)?[A-Z0-9][A-Z0-9.]{0,9}\)$")
_SUFFIX = re.compile(
    r",? (?:jr|sr|ii|iii|iv|cfa|cpa|ph\.?d|m\.?d|mba|esq|ca|cma|frm|j\.?d)\.?(?=,|$| -)", re.I
)
_GENERATIONS = frozenset(("jr", "sr", "ii", "iii", "iv"))
_FORM = re.compile(r"(?:mr|mrs|ms|dr|prof|sir)\.? ", re.I)
OPERATOR = re.compile(
    r"(?:conference |call |the |event |meeting |telephone )?(?:operator|coordinator|moderator)"
    r"(?: instructions)?",
    re.I,
)
_ANONYMOUS = re.compile(
    r"(?:unidentified|unknown|unnamed|unidentifiable)(?: (?P<who>\w+(?: \w+){0,2}))?"
    r"|(?P<alone>analyst|executive|company representative|corporate representative|speaker \d+)",
    re.I,
)
_COLLECTIVE = re.compile(  # in place of a name before a colon; elsewhere these are words
    r"(?P<executive>(?:the )?(?:company )?management)"
    r"|(?P<analyst>(?:an? )?(?:participant|questioner|shareholder|(?:individual )?investor"
    r"|audience(?: member)?))(?: \d+)?",
    re.I,
)
TITLE = re.compile(
    r"\b(?:officer|president|chair\w*|director|ceo|cfo|coo|cto|cio|cmo|cco|cao|chro|vp|svp|evp|avp"
    r"|ir|head|manager|treasurer|controller|comptroller|relations|founder|co-founder|counsel|secretary"
    r"|executives?|principal|strategist|superintendent|geologist|scientist|representative|md|leader"
    r"|vorstand\w*|gesch\u00e4ftsf\u00fchrer(?:in)?|leiter(?:in)?|directeur|directrice"
    r"|pr\u00e9sidente?|presidente|directora|consejer[oa]|finance|accounting|operations)\b",
    re.I,
)
ANALYST = re.compile(
    r"\banalysts?\b|\bequity research\b|\bresearch division\b|\bsell-?side\b", re.I
)
FIRM = re.compile(
    r"\b(?:bank|banc\w*|banque|capital|securities|llc|l\.?l\.?c|l\.?p|inc|corp|corporation|plc|ltd|limited"
    r"|partners|markets|group|advisors|advisers|associates|asset|management|research|investments?"
    r"|holdings?|gmbh|ag|s\.?a|n\.?v|brokerage|company|co|trust|fund|financial|bancorp|equities)\b\.?",
    re.I,
)
_SPEECH = frozenset(
    "thank thanks yes yeah no okay ok great hi hello good sure right got all perfect well so "
    "and but"
    " that's that it's it i i'm we we're please absolutely correct understood fair exactly sounds"
    " awesome excellent fantastic appreciate you bye congrats congratulations alright".split()
)


def bare(name: str) -> str:
    """Return a name without form of address, degrees and closing punctuation.

    >>> bare("Dr. Jane Roe, CFA:"), bare("John Doe, Jr.")
    ('Jane Roe', 'John Doe, Jr.')
    """
    name = name.strip(" :*_#\u2022\t")
    kept = re.search(r",? (?:jr|sr|ii|iii|iv)\.?$", name, re.I)
    name = name if kept else _SUFFIX.sub("", name)
    return _FORM.sub("", name, count=1).strip(" ,;:")


def key(name: str) -> str:
    """Return the normal form that different spellings of a name share.

    >>> key("JANE Q. ROE") == key("Jane Q Roe")
    True
    """
    return " ".join(re.findall(r"[^\W_]+", name.casefold()))


def short_key(name: str) -> str:
    """Return the first and last part of a name: "robert brown" for "Robert J. Brown, Jr.".

    >>> short_key("Robert J. Brown, Jr.")
    'robert brown'
    """
    parts = [part for part in key(name).split() if len(part) > 1 and part not in _GENERATIONS]
    return " ".join(parts[:1] + parts[1:][-1:])


def is_operator(name: str) -> bool:
    """Return whether a name is that of an operator and not a person."""
    plain = name.strip(" :")
    return bool(OPERATOR.fullmatch(plain)) or names_operator(plain)


def is_anonymous(name: str) -> bool:
    """Return whether a name means that the speaker is unknown: "Unidentified Analyst"."""
    return bool(_ANONYMOUS.fullmatch(name.strip(" :")))


def is_collective(name: str) -> bool:
    """Return whether a group is named in place of a person: "Management", "Participant"."""
    return bool(_COLLECTIVE.fullmatch(name))


def is_name(text: str, *, n_tokens: int = 2) -> bool:
    """Return whether a short text could be a person's name, an operator or an unidentified speaker.

    >>> is_name("Jean-Luc O'Brien van der Berg"), is_name("Gross Margin"), is_name("Roe")
    (True, False, False)
    >>> is_name("Tarn Lindqvist NV"), is_name("Tarn Lindqvist (TRN)")
    (False, False)
    """
    plain = text.strip()
    if _TICKER.search(plain) or _LEGAL_FORM.search(plain) and not plain.isupper():
        return False
    if len(text) > 60 or is_operator(text) or is_anonymous(text):
        return is_operator(text) or is_anonymous(text)
    tokens = re.sub(r",(?= (?:jr|sr|ii|iii|iv)\b)", "", bare(text), flags=re.I).split()
    if not n_tokens <= len(tokens) <= MAX_NAME_TOKENS:
        return False
    if not all(_TOKEN.fullmatch(token) for token in tokens):
        return False
    if any(token[-1] == "." and len(token) > 5 for token in tokens):  # "Fantastic. Thanks"
        return False
    words = [token.strip("\"'().,") for token in tokens]
    common = [len(word) > 1 and word.casefold() in _NO_NAME for word in words]
    if words[-1].casefold() in ("transcript", "transcripts"):  # "SA Transcripts"
        return False
    if common[0] or 2 * sum(common) > len(common):  # "Larry Page" is a name, "Gross Margin" is not
        return False
    named = [word for word in words if word and word.casefold() not in _PARTICLES]
    if text.rstrip().endswith(".") and not re.search(r"\b(?:jr|sr|[a-z])\.$", text.strip(), re.I):
        return False
    return len(named) >= min(n_tokens, 2) and all(map(_is_capital, named))


def _is_capital(word: str) -> bool:
    """Return whether part of a name begins like one: "Roe", "d'Abo", "al-Hassan", "McKenzie"."""
    return word[:1].isupper() or bool(
        re.match(r"(?:[a-z]{1,2}['\u2019]|(?:al|el|ul|as|ibn)-)[A-Z]", word)
    )


def is_title(text: str) -> bool:
    """Return whether a short line could be the line below a name: a title, a firm, or both.

    >>> is_title("Chief Financial Officer"), is_title("Big Bank, Research Division")
    (True, True)
    >>> is_title("Thank you"), is_title("Our officer said so, and we agree with what he says.")
    (False, False)
    """
    words = text.split()
    if not words or len(words) > 16 or len(text) > 130 or text[0].islower():
        return False
    if words[0].strip(",.'!?").casefold() in _SPEECH or text.endswith(("?", "!", ":", ";")):
        return False
    if text.endswith(".") and not re.search(
        r"\b(?:inc|corp|co|ltd|l\.?p|l\.?l\.?c|n\.?a|s\.?a|n\.?v|plc|a\.?g|jr|sr|bros|cos)\.$",
        text, re.I,
    ):  # fmt: skip
        return False
    capitals = sum(word[0].isupper() or not word[0].isalpha() for word in words)
    small = sum(word.casefold() in ("of", "and", "the", "for", "de", "&", "-") for word in words)
    return capitals + small >= 0.75 * len(words)


def role_of(name: str, detail: str) -> str:
    """Return the role given by a name, or by the title or firm after it; "unknown" for neither.

    >>> role_of("John Doe", "Big Bank - Analyst"), role_of("Jane Roe", "Chief Financial Officer")
    ('analyst', 'executive')
    """
    if is_operator(name) or is_operator(detail):
        return "operator"
    if match := _ANONYMOUS.fullmatch(name):
        who = (match["who"] or match["alone"] or "").lower()
        if "analyst" in who:
            return "analyst"
        if any(word in who for word in ("executive", "company", "corporate", "management")):
            return "executive"
    if match := _COLLECTIVE.fullmatch(name):
        return match.lastgroup or "unknown"
    if ANALYST.search(detail):
        return "analyst"
    if TITLE.search(detail):
        return "executive"
    return "unknown"
