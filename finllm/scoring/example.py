"""Metrics of one answer that need no neural model."""

from __future__ import annotations

from functools import cache

from finllm.languages.lexicons import Lexicons
from finllm.scoring import domain, lexical
from finllm.scoring.coherence import coherence
from finllm.scoring.reading import without_fragment

SIGNATURES = {"lexical": lexical.SIGNATURE, "domain": domain.SIGNATURE}


def light_scores(
    candidate: str, reference: str, source: str, lexicon: Lexicons, *, cut: bool = False
) -> dict[str, float | None]:
    """Return the lexical and domain metrics; None for one that the reference leaves undefined.

    If the length limit ``cut`` the candidate, the domain metrics ignore its last fragment.
    """
    words = {
        **lexical.rouge(candidate, reference),
        "bleu": lexical.bleu(candidate, reference),
        "chrf": lexical.chrf(candidate, reference),
        "word_overlap": lexical.word_overlap(candidate, reference),
    }
    if cut:
        candidate = without_fragment(candidate)
    return {
        **words,
        "term_recall": domain.term_recall(candidate, reference, lexicon),
        "term_precision": domain.term_precision(candidate, reference, lexicon),
        "number_accuracy": domain.number_accuracy(candidate, reference, source),
        "coherence": coherence(candidate, reference, source).score,
        "composite": domain.composite(candidate, reference, source),
    }


def score_example(candidate: str, reference: str, source: str) -> dict[str, float]:
    """Return ``light_scores`` with the built-in lexicon, all as numbers in 0 to 1.

    An empty candidate scores 0 throughout. A term metric that the reference leaves undefined is 1
    if the candidate names no term either, else 0. With an empty reference, number accuracy is the
    support in the source, coherence, composite and term precision are computed against the source,
    and all other metrics are 0.
    """
    lexicon = _lexicon()
    if not candidate.strip():
        names = light_scores("", "", "", lexicon)
        return dict.fromkeys(names, 0.0)
    scores = light_scores(candidate, reference, source, lexicon)
    if not reference.strip():
        scores["term_recall"] = 0.0
        scores["term_precision"] = domain.term_precision(candidate, source, lexicon)
    terms = scores["term_precision"] is None  # neither text names a term
    known = {name: float(terms) if value is None else value for name, value in scores.items()}
    return {name: min(1.0, max(0.0, value)) for name, value in known.items()}


@cache
def _lexicon() -> Lexicons:
    return Lexicons("")
