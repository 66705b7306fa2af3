"""Read the financial terms of a language, under the canonical names of the English lexicon."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from finllm.languages.files import forms_of, read_rows
from finllm.languages.lexicon import BUILTIN, Term, read_terms

HEADER = ("canonical", "forms", "cased")


@cache
def read_language_terms(path: Path) -> tuple[Term, ...]:
    """Read the rows of a language's lexicon file.

    Raises
    ------
    ValueError
        Names file and line if a canonical term is not in the English lexicon or repeats, if a term
        has no form, or if a form belongs to two terms.
    """
    categories = {term.canonical: term.category for term in read_terms(BUILTIN)}
    terms: dict[str, Term] = {}
    owners: dict[str, str] = {}
    for where, (canonical, forms, cased) in read_rows(path, HEADER):
        if canonical not in categories:
            raise ValueError(f"{where}: {canonical!r} is not a canonical term of {BUILTIN.name}")
        if canonical in terms:
            raise ValueError(f"{where}: {canonical!r} occurs twice")
        term = Term(canonical, categories[canonical], forms_of(forms), forms_of(cased))
        if not term.synonyms and not term.cased:
            raise ValueError(f"{where}: {canonical!r} has no form")
        for form in (*term.synonyms, *term.cased):
            if owners.setdefault(form.lower(), canonical) != canonical:
                raise ValueError(
                    f"{where}: {form!r} belongs to both {owners[form.lower()]!r} and {canonical!r}"
                )
        terms[canonical] = term
    return tuple(terms.values())
