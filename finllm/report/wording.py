"""Display names and labels; ``finllm.stats.rounding`` formats the figures."""

from __future__ import annotations

import math
from collections.abc import Mapping

from finllm.stats.rounding import MINUS, MISSING, as_set, interval, p_value, score, share, signed

__all__ = ["as_set", "interval", "p_value", "score", "share", "signed"]  # for the templates
METRIC_LABELS = {
    "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2",
    "rougeL": "ROUGE-L",
    "rougeLsum": "ROUGE-Lsum",
    "bleu": "BLEU",
    "chrf": "chrF",
    "word_overlap": "Word overlap",
    "bertscore": "BERTScore",
    "similarity": "Embedding similarity",
    "term_recall": "Term recall",
    "term_precision": "Term precision",
    "number_accuracy": "Number accuracy",
    "coherence": "Coherence",
    "composite": "Composite",
}
D_LABELS = ((0.2, "negligible"), (0.5, "small"), (0.8, "medium"))  # Cohen 1988, section 2.2.3
BF_LABELS = ((3, "anecdotal"), (10, "moderate"), (30, "strong"), (100, "very strong"))


def estimate(row: Mapping) -> str:
    """Format a difference with its interval, from a row that may have no interval.

    >>> estimate({"estimate": 0.05, "low": 0.01, "high": 0.09})
    '+0.050 [0.010, 0.090]'
    """
    return f"{signed(row['estimate'])} {interval(row.get('low'), row.get('high'))}"


def tuning(candidate: str | None) -> str:
    """Name the training of the verdict's candidate; None is the tuned model."""
    return "fine-tuning with preferences" if candidate else "fine-tuning"


def metric_label(name: str) -> str:
    """Return the name of a metric in a table."""
    return METRIC_LABELS[name]


def metric_in_sentence(name: str) -> str:
    """Return the name of a metric in the middle of a sentence.

    >>> metric_in_sentence("number_accuracy"), metric_in_sentence("bertscore")
    ('number accuracy', 'BERTScore')
    """
    label = METRIC_LABELS[name]
    return label[0].lower() + label[1:] if label[1].islower() else label


def bayes_factor(log_bf10: float | None) -> str:
    """Format a Bayes factor from its natural log; as a power of ten from 10^4 on, and up to 10^-4.

    >>> bayes_factor(math.log(12.34)), bayes_factor(math.log(2149)), bayes_factor(math.log(2e9))
    ('12.3', '2,149', '10^9.3')
    """
    if log_bf10 is None:
        return MISSING
    exponent = log_bf10 / math.log(10)
    if abs(exponent) >= 4:
        return f"10^{exponent:.1f}".replace("-", MINUS)
    return count(math.exp(log_bf10)) if exponent >= 3 else f"{math.exp(log_bf10):.3g}"


def evidence_label(log_bf10: float | None) -> str:
    """Describe a Bayes factor in the words of Lee and Wagenmakers (2013), table 7.1.

    >>> evidence_label(math.log(1 / 12))
    'strong evidence for no difference'
    """
    if log_bf10 is None:
        return ""
    strength = _first_below(math.exp(min(abs(log_bf10), 700.0)), BF_LABELS, "extreme")
    return f"{strength} evidence for {'a' if log_bf10 > 0 else 'no'} difference"


def effect_label(d: float | None) -> str:
    """Describe the size of d in Cohen's words, which do not consider what matters in finance.

    >>> effect_label(-0.6)
    'medium'
    """
    return "" if d is None else _first_below(abs(d), D_LABELS, "large")


def count(value: float) -> str:
    """Format a whole number with thousands separators.

    >>> count(134515008)
    '134,515,008'
    """
    return f"{value:,.0f}"


def duration(seconds: float) -> str:
    """Format a duration in seconds, minutes or hours, with at most three digits.

    >>> duration(0.64), duration(41.23), duration(754), duration(7300)
    ('0.640 s', '41 s', '12.6 min', '2.03 h')
    """
    if seconds < 120:
        return f"{seconds:#.3g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def reason(code: str) -> str:
    """Return the code of a rejection in words.

    >>> reason("too_short")
    'too short'
    """
    return code.replace("_", " ")


def _first_below(value: float, labels: tuple[tuple[float, str], ...], last: str) -> str:
    return next((label for bound, label in labels if value < bound), last)
