"""Domain metrics: financial terms, figures and the composite score."""

from __future__ import annotations

from collections import Counter

from finllm.languages.lexicon import Lexicon
from finllm.languages.lexicons import Lexicons
from finllm.scoring.coherence import coherence
from finllm.scoring.figures import figures, number_report
from finllm.scoring.reading import read, statement_lines
from finllm.scoring.statements import statements

SIGNATURE = (
    "finllm domain metrics 3: markup, numerals and capitals say nothing; terms by lexicon.tsv; "
    "figures one to one by quantities_agree with direction, a range as its two ends, half where "
    "misattached; statements by the wording files; composite .3/.3/.3/.1"
)
WEIGHTS = {"number_accuracy": 0.3, "coherence": 0.3, "fidelity": 0.3, "items": 0.1}  # sum 1


def term_recall(candidate: str, reference: str, lexicon: Lexicon | Lexicons) -> float | None:
    """The share of the reference's financial terms that the candidate names.

    By canonical term, so that a synonym counts. None if the reference names no term. It rewards
    length: an answer that names every term scores 1.
    """
    return _share(_terms(candidate, lexicon), _terms(reference, lexicon))


def term_precision(candidate: str, reference: str, lexicon: Lexicon | Lexicons) -> float | None:
    """The share of the candidate's financial terms that the reference names.

    0 if the candidate names none, None if neither does. It rewards saying little.
    """
    said, wanted = _terms(candidate, lexicon), _terms(reference, lexicon)
    if not said:
        return 0.0 if wanted else None
    return _share(wanted, said)


def number_accuracy(candidate: str, reference: str, source: str) -> float:
    """How far the candidate states the reference's figures, and no figure that was never said.

    The harmonic mean of *recall*, the share of the reference's figures that the candidate states,
    and *support*, the share of the candidate's figures that the source or the reference states.
    Figures agree in kind, value, sign and unit, allowing for rounding (``match_quantities``), and
    where both are called a change, up is not down. In recall each figure counts once, and half
    where its sentence names another item or another period (``finllm.scoring.figures.worth``).

    Where the reference has no figure, the score is the support alone, which is 1 for a candidate
    without figures: nothing false was said. An empty candidate scores 0, and so does one without
    figures where the reference has some. Of a range each end is a figure, so that one of them is
    half of it. Do not believe it on a handful of examples, and not across templates: a
    continuation cannot be known.
    """
    if not candidate.strip():
        return 0.0
    found = number_report(candidate, reference, source)
    supported = found.support if found.n_candidate else float(not found.n_reference)
    return _harmonic(found.recall, supported) if found.n_reference else supported


def fidelity(candidate: str, reference: str) -> float:
    """How far the candidate says the reference in its order, whatever the wording.

    The mean of two F-measures over the tokens of ``finllm.scoring.reading``, in which figures,
    periods, items and directions are canonical: of the longest common subsequence (as ROUGE-L) and
    of pairs of neighbours (as ROUGE-2). The order of a summary's bullets counts, so do not trust it
    on answers of another form than the reference.
    """
    said, wanted = _texts(candidate), _texts(reference)
    if not said or not wanted:
        return 0.0
    longest = 2 * lcs_length(said, wanted) / (len(said) + len(wanted))
    a, b = (Counter(zip(["", *x], [*x, ""], strict=True)) for x in (said, wanted))
    return (longest + 2 * sum((a & b).values()) / (a.total() + b.total())) / 2


def composite(candidate: str, reference: str, source: str) -> float:
    """The weighted mean of number accuracy, coherence, fidelity and the F-measure of items.

    Weights: .3, .3, .3 and .1 (``WEIGHTS``), chosen before anything was measured. A part falls out
    where neither text has figures, statements or items to compare, so that two texts that say
    nothing do not agree on it; with nothing left the score is 0. Without a reference, what the
    source can tell: number support, coherence with the source, and the share of the candidate's
    items that the source names. It hides which part moved: read the parts.
    """
    if not candidate.strip():
        return 0.0
    parts = {}
    if figures(candidate) or figures(reference):
        parts["number_accuracy"] = number_accuracy(candidate, reference, source)
    if statements(candidate) or statements(reference):
        parts["coherence"] = coherence(candidate, reference, source).score
    said, wanted = _items(candidate), _items(reference)
    if reference.strip():
        parts["fidelity"] = fidelity(candidate, reference)
        if said or wanted:
            parts["items"] = 2 * len(said & wanted) / (len(said) + len(wanted))
    elif said:
        parts["items"] = len(said & _items(source)) / len(said)
    total = sum(WEIGHTS[name] for name in parts)
    return sum(WEIGHTS[name] * value for name, value in parts.items()) / total if total else 0.0


def _harmonic(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0


def _share(said: tuple[str, ...], wanted: tuple[str, ...]) -> float | None:
    return len(set(wanted) & set(said)) / len(wanted) if wanted else None


def _terms(text: str, lexicon: Lexicon | Lexicons) -> tuple[str, ...]:
    """The canonical terms of a text; none across the end of a sentence, a bullet or a cell."""
    lines = statement_lines(text).replace("\n", "\n; ").replace(" | ", " ; ")
    return lexicon.named_in_any_case(lines)


def _texts(text: str) -> list[str]:
    """The canonical tokens of a text; punctuation is none."""
    return [token.text for token in read(text) if token.kind not in ("comma", "end")]


def _items(text: str) -> set[str]:
    """The items that a text names."""
    return {token.text for token in read(text) if token.kind == "item"}


def lcs_length(a: list[str], b: list[str]) -> int:
    """The length of the longest common subsequence, by bits (Hyyro 2004)."""
    places: dict[str, int] = {}
    for i, token in enumerate(a):
        places[token] = places.get(token, 0) | 1 << i
    row = (1 << len(a)) - 1
    full = row
    for token in b:
        hit = row & places.get(token, 0)
        row = (row + hit | row - hit) & full
    return len(a) - row.bit_count()
