"""Numbers to evidence: differences are tuned minus base, and the company is the unit.

The default procedure: ``infer_mean`` on every metric; the primary metric at alpha; the p-values of
the others through ``bonferroni``, and through ``gatekeep`` behind the primary; the model of
``fit_paired_model`` beside it; ``decide`` on both. ``benchmarks/calibration.py`` measures the error
rates (with ``holm``, which rejects whatever ``bonferroni`` rejects), and ``docs/statistics.md``
explains them. Nothing here imports torch, and PyMC is imported when a model is fitted.
"""
