"""Metrics that know what a figure and a financial term are."""

from __future__ import annotations

from finllm.corpus.lexicon import Lexicon
from finllm.corpus.numbers import match_quantities
from finllm.corpus.support import stated_figures, support


def term_recall(candidate: str, reference: str, lexicon: Lexicon) -> float | None:
    """The share of the reference's financial terms that the candidate names.

    By canonical term, so that a synonym counts. None where the reference names no term. It rewards
    length: an answer that names every term scores 1.
    """
    wanted = set(lexicon.canonical_terms(reference))
    if not wanted:
        return None
    return len(wanted & set(lexicon.canonical_terms(candidate))) / len(wanted)


def number_accuracy(candidate: str, reference: str, source: str) -> float:
    """How far the candidate states the reference's figures, and no figure that was never said.

    The harmonic mean of *recall*, the share of the reference's figures that the candidate states,
    and *support*, the share of the candidate's figures that the source or the reference states.
    Figures agree in kind, value, sign and unit, allowing for rounding (``match_quantities``).

    Where the reference has no figure, the score is the support alone, which is 1 for a candidate
    without figures: nothing false was said. Where only the candidate has none, it is 0. Do not
    believe it on a handful of examples, and not across templates: a continuation cannot be known.
    """
    stated, wanted = stated_figures(candidate), stated_figures(reference)
    said = support(candidate, stated_figures(source) + wanted)
    supported = said.n_supported / said.n_figures if stated else float(not wanted)
    if not wanted:
        return supported
    recall = len(match_quantities(stated, wanted).pairs) / len(wanted)
    return 2 * recall * supported / (recall + supported) if recall + supported else 0.0
