"""All metrics of one answer that need no neural model."""

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
    """The lexical and the domain metrics; None if one is not defined for the reference.

    Of a candidate that the length limit ``cut`` the domain metrics leave out the last fragment.
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
    """``light_scores`` with the built-in lexicon, as numbers in 0 to 1.

    An empty candidate scores 0 throughout. A term metric that the reference leaves undefined is 1
    where the other text names no term either, else 0. With an empty reference, number accuracy is
    the support in the source, coherence and composite are those with the source, term precision is
    against the source, and all else is 0.
    """
    lexicon = _lexicon()
    if not candidate.strip():
        names = light_scores("", "", "", lexicon)
        return dict.fromkeys(names, 0.0)
    scores = light_scores(candidate, reference, source, lexicon)
    if not reference.strip():
        scores["term_recall"] = 0.0
        scores["term_precision"] = domain.term_precision(candidate, source, lexicon)
    terms = scores["term_precision"] is None  # neither text names one; for term metrics only
    known = {name: float(terms) if value is None else value for name, value in scores.items()}
    return {name: min(1.0, max(0.0, value)) for name, value in known.items()}


@cache
def _lexicon() -> Lexicons:
    return Lexicons("")
