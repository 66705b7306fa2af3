"""The language of a call, by a library, and of a short answer, by the words that are known."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from finllm.languages.files import ENGLISH, FOLDER, known_languages
from finllm.languages.lexicon import BUILTIN, fold, read_terms
from finllm.languages.terms import read_language_terms
from finllm.languages.wording import wording, wording_file
from finllm.numbers.vocabulary import language_of, languages

MIN_WORDS = 20  # fewer say too little for the library
READ = 3_000  # characters that the library looks at: it takes over a second a megabyte
PARTS = 6  # places that they are from, so that a head in another language does not decide
HEAD = 2_000  # characters of a text whose words are looked up
_WORD = re.compile(r"[^\W\d_]+")


def detect_language(text: str) -> str:
    """The ISO 639 code of a text's language, which need not have files; empty if unsure.

    Of a text in two languages it is the one with more of it. A text of fewer than twenty words is
    read as ``said_in`` reads it.

    >>> detect_language("Der Umsatz stieg im dritten Quartal um 5 Prozent auf 1,2 Mrd. Euro.")
    'de'
    """
    if len(text.split()) < MIN_WORDS:
        return said_in(text)
    return _identifier().classify(_spread(text))[0]


def _spread(text: str) -> str:
    """Stretches of a text at equal distances; a short text as it is."""
    if len(text) <= READ:
        return text
    step, length = len(text) // PARTS, READ // PARTS
    return "\n".join(text[at : at + length] for at in range(0, step * PARTS, step))


def spoken_in(text: str) -> str:
    """The language with files of whose wording and lexicon the start of a text has most words.

    For answers of a line or two, which the library is not made for: it takes "q3 eps $0.45" for
    any language. English where no other has more, so that a text without words is English.

    >>> spoken_in("q3 net income $12.3 million"), spoken_in("Umsatz stieg um 5 %")
    ('en', 'de')
    """
    return _spoken_in(text[:HEAD])


def said_in(text: str) -> str:
    """``spoken_in``, also a language that has a file of its numbers alone.

    Such a language is told only where it has more words of the text than any other language,
    counting the words of their numbers' files.

    >>> said_in("A receita líquida foi de R$ 9,6 bilhões"), said_in("Umsatz stieg um 5 %")
    ('pt', 'de')
    """
    return _said_in(text[:HEAD])


def maybe_spoken_in(text: str) -> tuple[str, ...]:
    """The languages of ``spoken_in`` that have as many words of a text as any; or English alone.

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
    words = [word for word in _WORD.findall(text.lower()) if len(word) > 1]  # "a", "o" say nothing
    known = _number_vocabularies()
    counts = {code: sum(word in own for word in words) for code, own in known.items()}
    best = max(counts, key=lambda code: (counts[code], code == spoken))
    return best if best not in _vocabularies() else spoken


@cache
def _number_vocabularies() -> dict[str, frozenset[str]]:
    """The words of every language, with those of its numbers' file."""
    found = dict(_vocabularies())
    for code in languages():
        forms = language_of(code).english
        own = {word for form in forms for word in _WORD.findall(form)}
        found[code] = found.get(code, frozenset()) | own
    return found


@cache
def _vocabularies() -> dict[str, frozenset[str]]:
    """The words of every language with files."""
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
