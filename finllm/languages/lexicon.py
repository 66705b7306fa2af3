"""Find financial terms in a text, and measure their density."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

BUILTIN = Path(__file__).parent / "lexicon.tsv"
HEADER = ("canonical", "category", "synonyms", "cased")
WORD = re.compile(r"[^\W_](?:[^\W_]|[-'.&/,](?=[^\W_]))*")


@dataclass(frozen=True)
class Term:
    """A row of the lexicon."""

    canonical: str
    category: str
    synonyms: tuple[str, ...]
    cased: tuple[str, ...]  # matched only in exactly this case, such as "SEC"


def read_terms(path: Path) -> list[Term]:
    """Read the rows of a lexicon file (tab-separated, ``#`` comments, a header line).

    Raises
    ------
    ValueError
        If the first row is not the header; if a line has too many cells, or an empty first or
        second one; if a canonical term repeats; or if the file has no terms.
    """
    terms: dict[str, Term] = {}
    header_seen = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = tuple(cell.strip() for cell in line.split("\t"))
        if not header_seen:
            if cells != HEADER:
                raise ValueError(f"{path}, line {number}: header {cells}, must be {HEADER}")
            header_seen = True
            continue
        cells += ("",) * (len(HEADER) - len(cells))
        if len(cells) != len(HEADER) or not cells[0] or not cells[1]:
            raise ValueError(f"{path}, line {number}: {line!r} must have the cells {HEADER}")
        if cells[0] in terms:
            raise ValueError(f"{path}, line {number}: {cells[0]!r} occurs twice")
        synonyms, cased = (tuple(form for form in cell.split("|") if form) for cell in cells[2:])
        terms[cells[0]] = Term(cells[0], cells[1], synonyms, cased)
    if not terms:
        raise ValueError(f"{path}: no terms; a lexicon has a header {HEADER} and at least one row")
    return list(terms.values())


def words(text: str) -> list[str]:
    """Split a text into words; "$1.2", "year-over-year" and "Q&A" are one word each.

    >>> words("Q&A: net sales rose 1.5%, year-over-year.")
    ['Q&A', 'net', 'sales', 'rose', '1.5', 'year-over-year']
    """
    return WORD.findall(text)


def plurals(form: str) -> Iterator[str]:
    """Yield the form and its regular plural; a form that ends in "s" or a non-letter has none.

    >>> list(plurals("subsidiary")), list(plurals("tax")), list(plurals("sales"))
    (['subsidiary', 'subsidiaries'], ['tax', 'taxes'], ['sales'])
    """
    yield form
    if form[-1] == "y" and form[-2:-1] not in "aeiou":
        yield form[:-1] + "ies"
    elif form[-1] == "x" or form[-2:] in ("ch", "sh", "ss"):
        yield form + "es"
    elif form[-1].isalpha() and form[-1] != "s":
        yield form + "s"


def fold(form: str) -> str:
    """Normalise a form for matching: hyphens, commas and white space become one space."""
    return " ".join(form.replace("-", " ").replace(",", " ").split())


def trie_pattern(forms: Iterable[str]) -> str:
    """Return a regular expression for any of the forms, longest first, shared prefixes factored."""
    root: dict = {}
    for form in forms:
        node = root
        for character in form:
            node = node.setdefault(character, {})
        node[""] = {}
    return _branch(root)


def _branch(node: dict) -> str:
    alternatives = []
    for character in sorted(key for key in node if key):
        rest = node[character]
        literal = r"(?:,?[\s-]+)" if character == " " else re.escape(character)
        while len(rest) == 1 and "" not in rest:
            ((character, rest),) = rest.items()
            literal += r"(?:,?[\s-]+)" if character == " " else re.escape(character)
        alternatives.append(literal + _branch(rest) if set(rest) != {""} else literal)
    if "" in node:
        return "(?:" + "|".join(alternatives) + ")?"
    return alternatives[0] if len(alternatives) == 1 else "(?:" + "|".join(alternatives) + ")"


def load_lexicon(extension: str) -> Lexicon:
    """Load the project's own lexicon, and the terms of the file ``extension`` unless it is ""."""
    return Lexicon(BUILTIN, *([Path(extension)] if extension else []))


class Lexicon:
    """A compiled lexicon.

    Parameters
    ----------
    path
        A file as ``read_terms`` takes it; ``BUILTIN`` is the project's own.
    more
        Further files: their rows add new terms, or synonyms to existing terms.
    own
        Terms of another language under the canonical names of the files. Their forms are taken as
        they are, without plurals, and take precedence over an equal form of the files.

    Raises
    ------
    ValueError
        If a file is malformed, or one form belongs to two canonical terms.
    """

    def __init__(self, path: Path, *more: Path, own: Sequence[Term] = ()) -> None:
        self.terms = [term for file in (path, *more) for term in read_terms(file)]
        where = ", ".join(str(file) for file in (path, *more))
        self.categories = {term.canonical: term.category for term in self.terms}
        self._canonical: dict[str, str] = {}
        self._cased: dict[str, str] = {}
        foreign = {fold(form.lower()): term.canonical for term in own for form in term.synonyms}
        self._canonical |= foreign
        for term in self.terms:
            for form in (term.canonical, *term.synonyms):
                for variant in plurals(fold(form.lower())):
                    if variant not in foreign:
                        _claim(self._canonical, variant, term.canonical, where)
            for form in term.cased:
                _claim(self._cased, fold(form), term.canonical, where)
                _claim(self._cased, fold(form) + "s", term.canonical, where)
        self._cased |= {fold(form): term.canonical for term in own for form in term.cased}
        self._pattern = _compile(self._canonical)
        self._cased_pattern = _compile(self._cased) if self._cased else None

    def find(self, text: str) -> list[tuple[str, int, int]]:
        """Return the terms in a text as (canonical, start, end), in order, without overlap.

        The longest form wins; of overlapping cased and uncased forms the longer, then the earlier.
        """
        lowered = text.lower()
        if len(lowered) != len(text):  # a few letters grow in lower case, which would shift spans
            lowered = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
        forms = self._canonical
        found = [
            (forms[_folded(match.group())], match.start(), match.end())
            for match in self._pattern.finditer(lowered)
        ]
        if self._cased_pattern is None:
            return found
        cased = [
            (self._cased[fold(match.group())], match.start(), match.end())
            for match in self._cased_pattern.finditer(text)
        ]
        return _merge(found, cased) if cased else found

    def canonical_terms(self, text: str) -> tuple[str, ...]:
        """Return the distinct canonical terms that a text names, sorted."""
        return tuple(sorted({canonical for canonical, _, _ in self.find(text)}))

    def named_in_any_case(self, text: str) -> tuple[str, ...]:
        """Return the canonical terms in a text regardless of case: "roic" is "ROIC" too."""
        forms = self._canonical
        found = {forms[_folded(match.group())] for match in self._pattern.finditer(text.lower())}
        if self._cased_pattern is not None:
            lowered = {form.lower(): name for form, name in self._cased.items()}
            found |= {
                lowered[fold(match.group().lower())]
                for match in re.finditer(self._cased_pattern.pattern, text, re.IGNORECASE)
            }
        return tuple(sorted(found))

    def density(self, text: str) -> float:
        """Return the share of the words of a text that are part of a term; 0 without words.

        Do not compare it across lexicons: it grows with the number of terms.
        """
        n_words = len(words(text))
        return self.n_words_in_terms(text) / n_words if n_words else 0.0

    def n_words_in_terms(self, text: str) -> int:
        """Count the words of a text that are part of a term."""
        return sum(len(WORD.findall(text, start, end)) for _, start, end in self.find(text))


def _claim(forms: dict[str, str], form: str, canonical: str, where: str) -> None:
    owner = forms.setdefault(form, canonical)
    if owner != canonical:
        raise ValueError(f"{where}: {form!r} belongs to both {owner!r} and {canonical!r}")


def _compile(forms: Iterable[str]) -> re.Pattern[str]:
    return re.compile(r"(?<![\w&])" + trie_pattern(forms) + r"(?![\w&])")


def _folded(matched: str) -> str:
    return matched if matched.isalpha() else fold(matched)


def _merge(
    found: list[tuple[str, int, int]], cased: list[tuple[str, int, int]]
) -> list[tuple[str, int, int]]:
    """Merge both lists in order; of two overlapping spans keep the longer, then the earlier."""
    merged: list[tuple[str, int, int]] = []
    for span in sorted(found + cased, key=lambda span: (span[1], -span[2])):
        if merged and span[1] < merged[-1][2]:
            if span[2] - span[1] > merged[-1][2] - merged[-1][1]:
                merged[-1] = span
            continue
        merged.append(span)
    return merged
