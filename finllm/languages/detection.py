"""Detect the language of a call with a library, and that of a short answer by known words."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from finllm.languages.files import ENGLISH, FOLDER, known_languages
from finllm.languages.lexicon import BUILTIN, fold, read_terms
from finllm.languages.terms import read_language_terms
from finllm.languages.wording import wording, wording_file
from finllm.numbers.vocabulary import language_of, languages

MIN_WORDS = 20  # fewer are too few for the library
READ = 3_000  # characters given to the library: it takes over a second per megabyte
PARTS = 6  # places they come from, so that a head in another language does not decide
HEAD = 2_000  # characters of a text whose words are looked up
_WORD = re.compile(r"[^\W\d_]+")


def detect_language(text: str) -> str:
    """Return the ISO 639 code of a text's language, which need not have files; "" if unsure.

    For a text in two languages it is the more frequent one. A text of fewer than twenty words is
    judged by ``said_in``.

    >>> detect_language("Der Umsatz stieg im dritten Quartal um 5 Prozent auf 1,2 Mrd. Euro.")
    'de'
    """
    if len(text.split()) < MIN_WORDS:
        return said_in(text)
    return _identifier().classify(_spread(text))[0]


def _spread(text: str) -> str:
    """Return equally spaced stretches of a text; a short text is returned whole."""
    if len(text) <= READ:
        return text
    step, length = len(text) // PARTS, READ // PARTS
    return "\n".join(text[at : at + length] for at in range(0, step * PARTS, step))


def spoken_in(text: str) -> str:
    """Return the language with files whose words are most frequent at the start of a text.

    The words are those of its wording and lexicon. Meant for answers of a line or two, for which
    the library is unsuitable: it takes "q3 eps $0.45" for any language. English if no other
    language has more, so that a text without words is English.

    >>> spoken_in("q3 net income $12.3 million"), spoken_in("Umsatz stieg um 5 %")
    ('en', 'de')
    """
    return _spoken_in(text[:HEAD])


def said_in(text: str) -> str:
    """Return the language like ``spoken_in``, but also consider those with only a file of numbers.

    These are returned only if they have more words of the text than any other language, including
    the words in the files of numbers.

    >>> said_in("A receita líquida foi de R$ 9,6 bilhões"), said_in("Umsatz stieg um 5 %")
    ('pt', 'de')
    """
    return _said_in(text[:HEAD])


def maybe_spoken_in(text: str) -> tuple[str, ...]:
    """Return the languages of ``spoken_in`` with the highest word count; only English if it has it.

    >>> maybe_spoken_in("La premi\u00e8re question vient de Paul.")
    ('es', 'fr')
    """
    return _maybe_spoken_in(text[:HEAD])


@lru_cache(maxsize=4096)
def _maybe_spoken_in(text: str) -> tuple[str, ...]:
    words = _WORD.findall(text.lower())
    known = _vocabularies()
    counts = {code: sum(word in own for word in words) for code, own in known.items()}
    most = max(counts.values())
    return (ENGLISH,) if counts[ENGLISH] == most else tuple(c for c in counts if counts[c] == most)


def _spoken_in(text: str) -> str:
    return _maybe_spoken_in(text)[0]


@lru_cache(maxsize=4096)
def _said_in(text: str) -> str:
    spoken = _spoken_in(text)
    words = [word for word in _WORD.findall(text.lower()) if len(word) > 1]  # no "a", "o"
    known = _number_vocabularies()
    counts = {code: sum(word in own for word in words) for code, own in known.items()}
    best = max(counts, key=lambda code: (counts[code], code == spoken))
    return best if best not in _vocabularies() else spoken


@cache
def _number_vocabularies() -> dict[str, frozenset[str]]:
    """Return the words of every language, including those in its file of numbers."""
    found = dict(_vocabularies())
    for code in languages():
        forms = language_of(code).english
        own = {word for form in forms for word in _WORD.findall(form)}
        found[code] = found.get(code, frozenset()) | own
    return found


@cache
def _vocabularies() -> dict[str, frozenset[str]]:
    """Return the words of every language with files."""
    found = {}
    for code in known_languages():
        if code == ENGLISH:
            terms = [f for t in read_terms(BUILTIN) for f in (t.canonical, *t.synonyms)]
        else:
            path = FOLDER / code / "lexicon.tsv"
            terms = [form for term in read_language_terms(path) for form in term.synonyms]
        forms = [*wording(wording_file(code)), *(fold(form.lower()) for form in terms)]
        found[code] = frozenset(word for form in forms for word in _WORD.findall(form))
    return found


@cache
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE)
