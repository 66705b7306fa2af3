"""Word-overlap metrics, each in 0 to 1."""

from __future__ import annotations

from functools import cache

import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

from finllm.corpus.lexicon import words

SIGNATURE = "rouge_score 0.1.2, stemmer; sacrebleu 2.6 sentence BLEU, effective order, tok 13a"


@cache
def _rouge() -> RougeScorer:
    return RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)


def rouge(candidate: str, reference: str) -> dict[str, float]:
    """ROUGE-1, ROUGE-2 and ROUGE-L F-measures (Lin 2004), Porter stemmer.

    Blind to numbers: "rose 2.5% to $452.2 million" against "fell 2.5% to $452.2 billion" scores
    0.80. Not comparable with py-rouge or with ROUGE-Lsum.
    """
    scores = _rouge().score(reference, candidate)
    return {name: scores[name].fmeasure for name in ("rouge1", "rouge2", "rougeL")}


def bleu(candidate: str, reference: str) -> float:
    """Sentence BLEU over 100, effective order (Papineni et al. 2002; Post 2018).

    Of single sentences it is noisy, and 0 without a shared word; read its mean only.
    """
    if not candidate.strip():
        return 0.0
    return sacrebleu.sentence_bleu(candidate, [reference]).score / 100


def word_overlap(candidate: str, reference: str) -> float:
    """Jaccard similarity of the two sets of lower-case words; 0 where both are empty."""
    a, b = set(words(candidate.lower())), set(words(reference.lower()))
    return len(a & b) / len(a | b) if a | b else 0.0
