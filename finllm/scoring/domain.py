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
    """Return the share of the reference's financial terms that the candidate names.

    Terms are compared in canonical form, so that synonyms count. None if the reference names no
    term. The metric rewards length: an answer that names every term scores 1.
    """
    return _share(_terms(candidate, lexicon), _terms(reference, lexicon))


def term_precision(candidate: str, reference: str, lexicon: Lexicon | Lexicons) -> float | None:
    """Return the share of the candidate's financial terms that the reference names.

    0 if the candidate names no term, None if neither text does. The metric rewards saying little.
    """
    said, wanted = _terms(candidate, lexicon), _terms(reference, lexicon)
    if not said:
        return 0.0 if wanted else None
    return _share(wanted, said)


def number_accuracy(candidate: str, reference: str, source: str) -> float:
    """Return how well the candidate states the reference's figures without unsupported ones.

    It is the harmonic mean of *recall*, the share of the reference's figures that the candidate
    states, and *support*, the share of the candidate's figures that the source or the reference
    states. Figures agree if kind, value, sign and unit do, allowing for rounding
    (``quantities_agree``), and if they are not changes in opposite directions. In recall each
    figure counts once, and half if its sentence names another item or another period
    (``finllm.scoring.figures.worth``).

    If the reference has no figure, the score is the support, which is 1 for a candidate without
    figures, since it says nothing false. An empty candidate scores 0, and so does a candidate
    without figures if the reference has some. Each end of a range is a figure, so that one end is
    half of it. Do not trust the metric on a handful of examples or across templates: the figures
    of a continuation cannot be known.
    """
    if not candidate.strip():
        return 0.0
    found = number_report(candidate, reference, source)
    supported = found.support if found.n_candidate else float(not found.n_reference)
    return _harmonic(found.recall, supported) if found.n_reference else supported


def fidelity(candidate: str, reference: str) -> float:
    """Return how closely the candidate follows the reference's contents in order, in any wording.

    It is the mean of two F-measures over the tokens of ``finllm.scoring.reading``, in which
    figures, periods, items and directions are canonical: that of the longest common subsequence
    (as ROUGE-L) and that of pairs of neighbours (as ROUGE-2). The order of a summary's bullets
    counts, so do not trust it on answers whose form differs from that of the reference.
    """
    said, wanted = _texts(candidate), _texts(reference)
    if not said or not wanted:
        return 0.0
    longest = 2 * lcs_length(said, wanted) / (len(said) + len(wanted))
    a, b = (Counter(zip(["", *x], [*x, ""], strict=True)) for x in (said, wanted))
    return (longest + 2 * sum((a & b).values()) / (a.total() + b.total())) / 2


def composite(candidate: str, reference: str, source: str) -> float:
    """Return the weighted mean of number accuracy, coherence, fidelity and the F-measure of items.

    The weights 0.3, 0.3, 0.3 and 0.1 (``WEIGHTS``) were chosen before anything was measured. A
    part is left out if neither text has figures, statements or items for it, so that two texts
    without any are not credited with agreement; without any part the score is 0. Without a
    reference, the parts are those that the source can judge: number support, coherence with the
    source, and the share of the candidate's items that the source names. The composite hides which
    part changed, so read the parts as well.
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
    """Return the canonical terms of a text, none of them across sentences, bullets or cells."""
    lines = statement_lines(text).replace("\n", "\n; ").replace(" | ", " ; ")
    return lexicon.named_in_any_case(lines)


def _texts(text: str) -> list[str]:
    """Return the canonical tokens of a text, without punctuation."""
    return [token.text for token in read(text) if token.kind not in ("comma", "end")]


def _items(text: str) -> set[str]:
    """Return the items that a text names."""
    return {token.text for token in read(text) if token.kind == "item"}


def lcs_length(a: list[str], b: list[str]) -> int:
    """Return the length of the longest common subsequence, computed bit-parallel (Hyyro 2004)."""
    places: dict[str, int] = {}
    for i, token in enumerate(a):
        places[token] = places.get(token, 0) | 1 << i
    row = (1 << len(a)) - 1
    full = row
    for token in b:
        hit = row & places.get(token, 0)
        row = (row + hit | row - hit) & full
    return len(a) - row.bit_count()
