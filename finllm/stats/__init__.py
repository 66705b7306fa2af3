"""Numbers to evidence: differences are tuned minus base, and the company is the unit.

The default procedure, whose error rates ``benchmarks/calibration.py`` measures (with ``holm``, which
rejects whatever ``bonferroni`` rejects): ``infer_mean`` on every metric; the primary metric at alpha;
the p-values of the others through ``bonferroni``, and through ``gatekeep`` behind the primary;
``fit_paired_model`` beside it; ``decide`` on both; ``docs/statistics.md`` says why. Nothing here imports
torch, and PyMC is imported when a model is fitted.
"""
