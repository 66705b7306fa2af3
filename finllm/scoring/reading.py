"""Tokens of the domain metrics: figures, periods, items and directions of a text.

Two texts that differ only in wording ("$452.2 million" and "$0.4522 billion", "rose" and
"increased", "q3" and "third quarter") have the same tokens, so that the metrics built on them
ignore differences in wording and nothing else. The wording files and lexicons of
``finllm/languages`` define which wordings are the same. Each text is read in its own language, and
all languages share the same tokens, so that English bullets can be checked against a German call.
Layout does not matter either: bullets, list numerals, bold, tables, capitals and wrapped lines are
removed before a text is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from finllm.languages.detection import spoken_in
from finllm.languages.files import ENGLISH, FOLDER
from finllm.languages.lexicon import BUILTIN, Term, fold, plurals, read_terms, trie_pattern
from finllm.languages.terms import read_language_terms
from finllm.languages.wording import ends_no_sentence, wording, wording_file
from finllm.numbers import Quantity, ends, extract_quantities, rules_for
from finllm.numbers.extraction import quantities_of_plain
from finllm.numbers.markup import Plain, plain

COMPARISONS = ("yoy", "qoq", "mom", "ytd", "qtd", "mtd")  # periods that compare and give no date
NOT_ITEMS = ("guidance", "reporting")  # categories of the lexicon without figures
_MASK = "\x00"
_OTHER = (
    rf"{_MASK}+|(?P<digits>\d[\d,.]*\d|\d)|(?P<word>[^\W_\d]+|\w)"
    r"|(?P<comma>,)|(?P<end>(?<!\W[a-z])[.!?;](?=\s)|\n)"  # "u.s. sales" ends no sentence
)
_SLIPS = re.compile(  # glued words, invisible characters, a plus before a minus
    r"(?<=\d )(percent|million|billion|cents)(?=(?:from|in|to|of|and|or|on|versus|vs|compared)\b)"
    r"|[\u200b-\u200f\u2060\ufeff\xad]|\+(-)(?=[$€£]?\d)",
    re.IGNORECASE,
)
_SENTENCE = re.compile(  # "$ 1 . 2 billion", as tokenizers write it, is one number
    r"(?<!\W[a-z])(?<!\bvs)(?<!\bno)(?<!\bco)(?<!\binc)(?!(?<=\d )\. \d)([.!?;]) (?=\S)", re.I
)
_PARTIAL = "|".join(  # "$452 mil": the rest of the word would tell what the number is
    word[:n]
    for word in ("thousand", "million", "billion", "trillion", "percent", "percentage", "basis")
    for n in range(len(word) - 1, 1 if word[0] in "tp" else 0, -1)
    if word[:n] not in ("percent", "m", "b", "to", "tr", "ba")
)
_UNFINISHED = re.compile(
    rf"[$\u20ac\u00a3]?\d[\d.,]*(?:,| (?:{_PARTIAL}|basis(?: p(?:o(?:i(?:nt?)?)?)?)?))"
    r"(?:\.\.\.?|-)?\s*\Z|[$\u20ac\u00a3](?:\d[\d,]*\.)?\Z(?<=[$\u20ac\u00a3])",
    re.IGNORECASE,
)
_FRAGMENT = re.compile(r"(?:(?:^|(?<=\s))[-+(]*[$\u20ac\u00a3]?[-(]*\d[\d.,]*\s+)?\S+\Z")
_COMPLETE = re.compile(
    r"(?:[^\d\s][.!?][\"')\]*_]*|%|\b(?:thousand|million|billion|trillion|percent))\Z",
    re.IGNORECASE,
)
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4}
_NTH = re.compile(r"\b(?:([1-4])q|(first|second|third|fourth)[ -]quarter)\b", re.IGNORECASE)
_VERBS = frozenset(
    "rose grew fell shrank sank slid up down higher lower rises falls grows climbs increases "
    "decreases declines drops cut".split()
) | {"went up", "went down", "was up", "was down", "were up", "were down", "is up", "is down"}
_MAGNITUDE = re.compile(r"thousand|[mbtr]+illion|[mb]ln|[mb]n\b")
_YEAR = re.compile(r"(?:19[5-9]|20[0-4])\d")
_SIGN = re.compile(r"[^\d]*[-−–]")
_ALONE = re.compile(r"(?<![\w-])\d[\d,.]*(?<![,.])(?![\w-])")


@dataclass(frozen=True)
class Token:
    """Canonical token of a text, with its place."""

    kind: str  # figure, period, digits, comma, end, or a class of ``finllm.languages.wording``
    text: str  # canonical: the same for the same meaning
    start: int  # in the text of ``statement_lines``; the same for both ends of a range
    end: int
    quantity: Quantity | None = None  # of a figure and of a period


@lru_cache(maxsize=4096)
def read(text: str) -> tuple[Token, ...]:
    """Return the tokens of a text in order, without function words; the language is detected.

    A range gives two figures, its ends: "between 3 and 5%" has the same tokens as "3% to 5%" or as
    a low end of 3% and a high end of 5%.

    >>> [token.text for token in read("Third quarter net sales increased 2.5%.")]
    ['Q3', 'net', 'revenue', 'up', 'percent 2.5']
    >>> read("q3 net revenue rose 2.5 percent")[3].kind
    'direction'
    >>> [token.text for token in read("Der Umsatz stieg.")]
    ['revenue', 'up']
    """
    language, lower = spoken_in(text), statement_lines(text)
    if language == ENGLISH:
        lower = _plain(lower)
        quantities = quantities_of_plain(Plain(f"\n{lower}\n", ()))
    else:
        # "TEUR" and "Mai" are recognised only with their capitals
        quantities = extract_quantities(_as_cased(lower, _finished(text)), rules_for(language))
    pieces, at = [], 0
    for quantity in quantities:
        pieces += [lower[at : quantity.start], _MASK * (quantity.end - quantity.start)]
        at = quantity.end
    masked = "".join(pieces) + lower[at:]
    pattern, meanings = _forms(language)
    tokens = [t for q in quantities for t in _of_quantity(q, lower[q.start : q.end])]
    if language != ENGLISH:  # "rose from the year before by 5%" separates nothing
        compared = [t.kind == "compare" and t.text in COMPARISONS for t in tokens]
        tokens = [
            replace(t, kind="word") if c else t for t, c in zip(tokens, compared, strict=True)
        ]
    for match in pattern.finditer(masked):
        inside = match.lastgroup == "end" and masked[match.end() : match.end() + 1] == " "
        if inside and language != ENGLISH:
            continue  # the full stop of "3. Quartal"
        token = _of_match(match, meanings, masked)
        if token is not None:
            tokens.append(token)
    return tuple(_without_spare_ends(sorted(tokens, key=lambda token: token.start)))


def _without_spare_ends(tokens: Sequence[Token]) -> Iterator[Token]:
    """Yield the tokens with a single end token between sentences and none at either end."""
    end: Token | None = None
    begun = False
    for token in tokens:
        if token.kind == "end":
            end = end or token
            continue
        if end is not None and begun:
            yield end
        yield token
        end, begun = None, True


def without_fragment(text: str) -> str:
    """Return an answer cut by the length limit without its last word and a number before it.

    The cut may leave "$4", "$452." or "$452.2" of "$452.2 million". An answer that ends in a full
    stop, "!", "?", "%" or a word such as "million" is returned unchanged, unless the stop belongs
    to a number, as in "$452.".

    >>> without_fragment("Revenue rose 5% to $452.2 mil")
    'Revenue rose 5% to '
    """
    said = text.rstrip()
    return text if _COMPLETE.search(said) else _FRAGMENT.sub("", said)


def statement_lines(text: str) -> str:
    r"""Return the text in lower case and without markup, one sentence, bullet or row per line.

    >>> statement_lines("1. **Net sales** rose 5%. Margin fell")
    'net sales rose 5%.\nmargin fell'
    """
    language = spoken_in(text)
    if language == ENGLISH:  # another language's numbers are read as they are written
        text = plain(text).text[1:-1]
    text = _finished(text)
    lower = text.lower()
    if len(lower) != len(text):  # letters that grow when lowered stay capitals
        lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)

    def end(match: re.Match[str]) -> str:  # the context of a figure ends with its sentence
        before = lower[max(0, match.start() - 20) : match.start()].rpartition(" ")[2]
        behind = lower[match.end() : match.end() + 20].partition(" ")[0]
        stays = language != ENGLISH and match[1] == "."
        if stays and ends_no_sentence(before, behind, language=language):
            return match[0]
        return match[1] + "\n"

    return _SENTENCE.sub(end, lower)


def _finished(text: str) -> str:
    return _UNFINISHED.sub("", text)


def _as_cased(lines: str, text: str) -> str:
    """Return the lines of ``statement_lines`` with the capitals of the original text."""
    return "".join("\n" if one == "\n" else other for one, other in zip(lines, text, strict=True))


def _plain(text: str) -> str:
    """Return the text without slips that hide a figure, and with one verb for each direction.

    A verb of direction before an amount shows that "$3 million to $5 million" is not a range.
    """
    text = _SLIPS.sub(lambda match: match[1] + " " if match[1] else match[2] or "", text)
    text = _NTH.sub(lambda match: f"q{match[1] or _ORDINALS[match[2].lower()]}", text)
    return _verbs().sub(_plain_verb, text)


def _plain_verb(match: re.Match[str]) -> str:
    return (
        "increased" if _forms(ENGLISH)[1][fold(match.group().lower())][1] == "up" else "decreased"
    )


@cache
def _verbs() -> re.Pattern[str]:
    """Return the pattern of direction verbs before an amount, without possible nouns ("growth")."""
    forms = [
        form
        for form, (kind, way) in _forms(ENGLISH)[1].items()
        if kind == "direction" and way != "flat" and (form.endswith("ed") or form in _VERBS)
    ]
    amount = r"(?= (?:(?:by|about|approximately|nearly|roughly|almost|over) )*[+-]?[$€£]?\d)"
    return re.compile(rf"\b{trie_pattern(forms)}\b{amount}", re.IGNORECASE)


def as_percent(quantity: Quantity) -> Quantity:
    """Convert basis points to percentage points; return other quantities unchanged."""
    if quantity.kind != "basis_points":
        return quantity
    return quantity._replace(
        kind="percent", value=quantity.value / 100, quantum=quantity.quantum / 100
    )


def _of_quantity(quantity: Quantity, mention: str) -> list[Token]:
    """Return the token of a quantity, or two tokens for a range; a year becomes a full-year period.

    A written minus sign is marked in the token: "a loss of $-3" may be a loss of 3 or a gain of 3.
    """
    q = _in_order(as_percent(quantity), mention)
    if q.kind == "year":
        q = q._replace(kind="period", unit=f"FY{q.value:.0f}")
    if q.kind == "period":
        kind = "compare" if q.unit in COMPARISONS else "period"
        return [Token(kind, q.unit, q.start, q.end, q)]
    unit = f" {q.unit}" if q.kind == "money" else ""
    tokens = []
    for end in ends(q):
        sign = " signed" if end.value < 0 and _SIGN.match(mention) else ""
        text = f"{q.kind} {end.value:.6g}{unit}{sign}"
        tokens.append(Token("figure", text, q.start, q.end, end))
    return tokens


def _in_order(quantity: Quantity, mention: str) -> Quantity:
    """Apply the magnitude of a range to both ends: "$40 to $0.05 billion" starts at 40 million.

    The same holds for "$40 to $50,000,000". Ranges whose ends as written are less than a factor of
    1000 apart, or state a magnitude each, are returned unchanged.
    """
    low, high = quantity.low, quantity.high
    if low is None or high is None or not 0 < low * 1000 <= high:
        return quantity
    if len(_MAGNITUDE.findall(mention)) > 1 or (high < 1e6 and low >= 1):
        return quantity
    while low * 1000 <= high:
        low *= 1000
    return quantity._replace(low=low, value=(low + high) / 2)


def _of_match(
    match: re.Match[str], meanings: dict[str, tuple[str, str]], masked: str
) -> Token | None:
    """Return the token of a form, word, number or sentence end; None if it has no meaning."""
    start, end = match.span()
    if match.lastgroup is None and masked[start] == _MASK:
        return None
    if match.lastgroup == "form":
        kind, canonical = meanings[fold(match.group())]
        return None if kind == "function" else Token(kind, canonical, start, end)
    if match.lastgroup == "digits":
        alone = _ALONE.match(masked, start) is not None
        said = match.group().replace(",", "")
        if alone and _YEAR.fullmatch(said):  # of a date, which the extractor leaves out
            q = Quantity("period", float(said), f"FY{said}", "", start, end, None, None, 1.0)
            return Token("period", q.unit, start, end, q)
        return Token("digits" if alone else "word", said, start, end)
    if match.lastgroup in ("comma", "end"):
        return Token(match.lastgroup, ".", start, end)
    return Token("word", match.group(), start, end)


def sentences(tokens: tuple[Token, ...]) -> list[list[Token]]:
    """Return the tokens of each sentence or line, without the end token."""
    found: list[list[Token]] = [[]]
    for token in tokens:
        if token.kind == "end":
            found.append([])
        else:
            found[-1].append(token)
    return [sentence for sentence in found if sentence]


@cache
def _forms(language: str) -> tuple[re.Pattern[str], dict[str, tuple[str, str]]]:
    """Return the pattern of everything but quantities, and the meaning of each form.

    The forms of another language take precedence over the English ones, which people mix in.
    """
    english = wording(wording_file(ENGLISH))
    meanings: dict[str, tuple[str, str]] = {}
    if language != ENGLISH:
        meanings |= wording(wording_file(language))
        own = read_language_terms(FOLDER / language / "lexicon.tsv")
        _add_items(meanings, own, english, inflect=lambda form: (form,))
    for form, meaning in english.items():
        meanings.setdefault(form, meaning)
    terms = [replace(t, synonyms=(t.canonical, *t.synonyms)) for t in read_terms(BUILTIN)]
    _add_items(meanings, terms, english, inflect=plurals)
    forms = rf"(?P<form>(?<![\w&]){trie_pattern(meanings)}(?![\w&]))"
    return re.compile(f"{forms}|{_OTHER}"), meanings


def _add_items(
    meanings: dict[str, tuple[str, str]],
    terms: Iterable[Term],
    english: Mapping[str, tuple[str, str]],
    *,
    inflect: Callable[[str], Iterable[str]],
) -> None:
    """Add the forms of terms to ``meanings``, except for those that already have a meaning."""
    taken = set(meanings)
    spoken = {form for form, (kind, _) in meanings.items() if kind in ("direction", "compare")}
    for term in terms:
        name = english.get(fold(term.canonical.lower()), ("item", term.canonical.lower()))
        if term.category in NOT_ITEMS or name[0] != "item":
            continue
        own = [fold(form.lower()) for form in term.synonyms]
        for form in own:
            is_longer = any(form.endswith(f" {other}") for other in own)
            if is_longer or spoken.intersection(form.split()) or form in taken:
                continue  # "adjusted eps" is "adjusted" and "eps"; "revenue growth" a direction
            for variant in inflect(form):
                meanings.setdefault(variant, name)
