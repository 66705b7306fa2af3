"""Ids and titles of the report's sections, in the order of the page."""

from __future__ import annotations

TITLES = {
    "verdict": "Verdict and summary",
    "metrics": "Results on every metric",
    "posterior": "Bayesian estimate of the difference",
    "companies": "Differences by company and by example",
    "models": "Scores of all models and baselines",
    "examples": "Example answers, base and tuned",
    "practical": "Practical significance and cost",
    "fairness": "Cut answers, speed and memorisation",
    "people": "Human ratings",
    "robustness": "Robustness: wording, noise, sectors",
    "training": "Training: loss and gradients",
    "claims": "Claims of the method, checked",
    "corpus": "Corpus: calls, filters and data sets",
    "run": "Run time and parameters",
}
