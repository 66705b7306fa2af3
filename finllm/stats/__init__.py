"""Statistics of paired differences, tuned minus base, with the company as the unit of evidence.

The default procedure applies ``infer_mean`` to every metric. The primary metric is tested at alpha,
the others by Bonferroni and only if the primary is significant (``gatekept_bonferroni``).
``fit_paired_model`` adds a Bayesian model, and ``decide`` draws the verdict from both.
``benchmarks/calibration.py`` measures the error rates of exactly this procedure, and
``docs/statistics.md`` explains them.

All names below can be imported from this package (``from finllm.stats import paired_t_test``).
Their modules are imported only on use, so that the command line starts without scipy. Nothing here
imports torch, and PyMC is imported when a model is fitted.
"""

from importlib import import_module

MODULES = {
    "agreement": ("cohen_kappa", "krippendorff_alpha"),
    "association": ("kendall", "spearman"),
    "bayes_factor": ("jzs_bayes_factor", "jzs_from_t", "prior_sensitivity", "savage_dickey"),
    "bayes_model": ("fit_paired_model",),
    "clusters": ("cluster_means", "cluster_robust_mean", "design_effect", "intraclass_correlation"),
    "comparison": ("compare",),
    "effects": (
        *("cohens_d", "cohens_d_av", "cohens_d_z", "common_language_effect_size"),
        *("hedges_factor", "hedges_g"),
    ),
    "inference": ("infer_mean",),
    "multiplicity": (
        *("benjamini_hochberg", "bonferroni", "gatekeep", "gatekept_bonferroni", "holm"),
        *("gatekept_share", "max_t_permutation"),
    ),
    "paired_tests": (
        *("choose_test", "paired_t_test", "shapiro_wilk", "sign_flip_permutation_test"),
        "wilcoxon_signed_rank",
    ),
    "posterior": ("hdi",),
    "power": (
        *("minimum_detectable_effect", "power_paired_t", "required_n", "simulated_power"),
        *("simulated_minimum_detectable_effect", "simulated_required_clusters"),
    ),
    "resampling": ("bootstrap_ci",),
    "variance": ("pool_seeds", "seed_components"),
    "verdict": ("decide",),
}
HOME = {name: module for module, names in MODULES.items() for name in names}
__all__ = sorted(HOME)  # noqa: PLE0605


def __getattr__(name: str) -> object:
    """Import and return the function of that name (PEP 562)."""
    if name not in HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return vars(import_module(f"{__name__}.{HOME[name]}"))[name]
