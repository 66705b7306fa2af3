"""Load the project's lexicon for every language with files."""

from __future__ import annotations

from pathlib import Path

from finllm.languages.detection import spoken_in
from finllm.languages.files import ENGLISH, FOLDER, known_languages
from finllm.languages.lexicon import BUILTIN, Lexicon
from finllm.languages.terms import read_language_terms


class Lexicons:
    """The project's lexicon by language, each loaded on first use.

    Parameters
    ----------
    extension
        A file of additional terms that count in every language; "" for none.
    """

    def __init__(self, extension: str) -> None:
        self._files = (BUILTIN, *([Path(extension)] if extension else []))
        self._loaded = {ENGLISH: Lexicon(*self._files)}

    def of(self, language: str) -> Lexicon:
        """Return the lexicon of a language: its own forms, and the English ones that people mix in.

        It is the English lexicon if the language is unknown or has no files.
        """
        if language not in known_languages():
            language = ENGLISH
        if language not in self._loaded:
            own = read_language_terms(FOLDER / language / "lexicon.tsv")
            self._loaded[language] = Lexicon(*self._files, own=own)
        return self._loaded[language]

    def canonical_terms(self, text: str) -> tuple[str, ...]:
        """Return the canonical terms in a text, sorted, by the lexicon of its own language."""
        return self.of(spoken_in(text)).canonical_terms(text)

    def named_in_any_case(self, text: str) -> tuple[str, ...]:
        """Call ``Lexicon.named_in_any_case`` for the text's own language."""
        return self.of(spoken_in(text)).named_in_any_case(text)
