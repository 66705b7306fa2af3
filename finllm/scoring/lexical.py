"""Word-overlap metrics, each in 0 to 1."""

from __future__ import annotations

from functools import cache

import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

from finllm.languages.lexicon import words

ROUGES = ("rouge1", "rouge2", "rougeL", "rougeLsum")
SIGNATURE = (
    "rouge_score 0.1.2, stemmer, Lsum by line; sacrebleu 2.6 sentence BLEU, effective order, "
    "tok 13a; sacrebleu 2.6 sentence chrF2, 6 characters, no words"
)


@cache
def _rouge() -> RougeScorer:
    return RougeScorer(list(ROUGES), use_stemmer=True)


def rouge(candidate: str, reference: str) -> dict[str, float]:
    """Return the F-measures of ROUGE-1, -2, -L and -Lsum (Lin 2004), with the Porter stemmer.

    ROUGE-Lsum takes the union of the longest common subsequences of lines, one bullet per line; for
    texts of one line it equals ROUGE-L.

    ROUGE is blind to numbers: "rose 2.5% to $452.2 million" against "fell 2.5% to $452.2 billion"
    has a ROUGE-L of 0.71. The values are not comparable with those of py-rouge.
    """
    scores = _rouge().score(reference, candidate)
    return {name: scores[name].fmeasure for name in ROUGES}


def bleu(candidate: str, reference: str) -> float:
    """Return sentence BLEU divided by 100, effective order (Papineni et al. 2002; Post 2018).

    It is noisy for single sentences, and 0 without a shared word; interpret only its mean.
    """
    if not candidate.strip():
        return 0.0
    return sacrebleu.sentence_bleu(candidate, [reference]).score / 100


def chrf(candidate: str, reference: str) -> float:
    """Return sentence chrF2 divided by 100 (Popovic 2015).

    chrF2 is the F-measure of character n-grams up to length 6, with recall weighted twice. It
    credits parts of words, also of wrong numbers: "$452" and "$453" have much in common.
    """
    if not candidate.strip() or not reference.strip():
        return 0.0
    return sacrebleu.sentence_chrf(candidate, [reference]).score / 100


def word_overlap(candidate: str, reference: str) -> float:
    """Return the Jaccard similarity of the two sets of lower-case words; 0 if both are empty."""
    a, b = set(words(candidate.lower())), set(words(reference.lower()))
    return len(a & b) / len(a | b) if a | b else 0.0
