"""Numbers to evidence: differences are tuned minus base, and the company is the unit.

The default procedure is ``inference.infer_mean`` on the primary metric, ``max_t_permutation`` over
the others, ``bayes_model.fit_paired_model`` beside it, and ``verdict.decide`` on both. Nothing
here imports torch; PyMC is imported when a model is fitted.
"""
