"""Bayes factors for a mean paired difference: closed form, density ratio, prior sensitivity."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.special
from numpy.typing import ArrayLike

from finllm.stats.clusters import cluster_means, finite_vector, is_constant, require_clusters

SENSITIVITY_SCALES = (0.5, 0.707, 1.0)
SCEPTICAL_SCALE = 0.2


@dataclass(frozen=True)
class BayesFactor:
    """Evidence for a difference over no difference; ``bf10`` is infinite if only its log fits."""

    bf10: float
    log_bf10: float  # natural


@dataclass(frozen=True)
class PriorSensitivity:
    """Natural log Bayes factors under wider and narrower priors on the effect size."""

    log_bf10_medium: float  # Cauchy, r = 0.5
    log_bf10_default: float  # Cauchy, r = 0.707
    log_bf10_wide: float  # Cauchy, r = 1
    log_bf10_sceptical: float  # normal, sd 0.2: expects small effects


def jzs_bayes_factor(
    differences: ArrayLike, r: float = 0.707, clusters: Sequence[Hashable] | None = None
) -> BayesFactor:
    """Compute the two-sided JZS Bayes factor of the (cluster) mean differences.

    See ``jzs_from_t``. With ``clusters`` the K cluster means are the data, and the effect size is
    their mean over their standard deviation. If all differences are zero, the factor is that at
    t = 0; if they are equal but not zero, it is infinite, the limit of a growing t.
    """
    means = cluster_means(differences, clusters).means
    t, n = _t_of(means), len(means)
    return BayesFactor(float("inf"), float("inf")) if np.isinf(t) else jzs_from_t(t, n, r=r)


def jzs_from_t(t: float, n: int, *, r: float = 0.707) -> BayesFactor:
    """Compute the two-sided JZS Bayes factor of a one-sample or paired t over n pairs.

    Rouder et al. (2009, equation 1), with the Cauchy's scale r (r = 1 there; sqrt(2)/2 in R's
    BayesFactor, 0.707 in JASP and pingouin)::

        BF10 = integral (1 + n g)^(-1/2) (1 + t^2 / ((1 + n g) v))^(-(v+1)/2) p(g) dg
               / (1 + t^2 / v)^(-(v+1)/2),     v = n - 1,  g ~ InverseGamma(1/2, r^2 / 2)

    Rouder et al. print BF01, its reciprocal. The integral is computed as a trapezoid sum over
    log g, in logs: the integrand is smooth and vanishes at both ends, so that the sum is accurate
    to rounding, and no t is too large.

    Differences are assumed to be independent and normal. ``bf10 / (1 + bf10)`` is P(H1 | data)
    only at prior odds of 1, and is neither P(mean > 0) nor 1 - p. Always quote the factor with the
    scale of the prior (see ``prior_sensitivity``).
    """
    _check(t, n, r)
    return _factor(float(log_bf10_given((n - 1) / (n - 1 + t**2), n, n, "cauchy", r)))


def normal_prior_bayes_factor(t: float, n: int, *, scale: float) -> BayesFactor:
    """Compute the Bayes factor of ``jzs_from_t`` with a normal prior on the effect size instead.

    The prior has the standard deviation ``scale``, so that g is fixed at scale^2 (the
    "scaled-information" prior of Rouder et al. 2009). A small scale is sceptical: it expects
    effects of that size, and rewards a large t less.
    """
    _check(t, n, scale)
    return _factor(float(log_bf10_given((n - 1) / (n - 1 + t**2), n, n, "normal", scale)))


def prior_sensitivity(
    differences: ArrayLike, clusters: Sequence[Hashable] | None = None
) -> PriorSensitivity:
    """Compute the Bayes factor under three Cauchy scales and a sceptical normal prior.

    If these disagree about the direction of the evidence, the data are not decisive.
    """
    means = cluster_means(differences, clusters).means
    t, n = _t_of(means), len(means)
    if np.isinf(t):
        return PriorSensitivity(*([float("inf")] * 4))
    cauchy = [jzs_from_t(t, n, r=r).log_bf10 for r in SENSITIVITY_SCALES]
    sceptical = normal_prior_bayes_factor(t, n, scale=SCEPTICAL_SCALE).log_bf10
    return PriorSensitivity(*cauchy, sceptical)


def savage_dickey(
    posterior_draws: ArrayLike, *, log_prior_at_null: float, null: float = 0.0
) -> BayesFactor:
    """Compute the Savage-Dickey ratio: prior density over posterior density at the null.

    Dickey (1971); Wagenmakers et al. (2010). The posterior density is a Gaussian kernel estimate
    with Silverman's bandwidth, in logs. It is valid if the prior of the nuisance parameters does
    not depend on the effect. Do not trust it when fewer than about one draw in a hundred lies
    beyond the null: the tail is then that of the kernel, not of the posterior.
    """
    draws = finite_vector(posterior_draws, "posterior_draws", at_least=100)
    spread = min(draws.std(ddof=1), np.subtract(*np.percentile(draws, [75, 25])) / 1.349)
    if not spread > 0:
        raise ValueError("posterior_draws are all (nearly) equal; they have no density")
    bandwidth = 0.9 * spread * len(draws) ** -0.2
    kernels = -0.5 * ((draws - null) / bandwidth) ** 2 - np.log(bandwidth * np.sqrt(2 * np.pi))
    log_posterior = scipy.special.logsumexp(kernels) - np.log(len(draws))
    return _factor(float(log_prior_at_null - log_posterior))


def conditional_savage_dickey(log_ratios: ArrayLike) -> BayesFactor:
    """Compute the Savage-Dickey ratio from conditional densities given the other parameters.

    ``log_ratios`` holds log p(null | rest, data) - log p(null) for each draw of the rest. The
    factor is one over the mean of their exponentials (Gelfand and Smith 1990 for the density;
    Verdinelli and Wasserman 1995, section 2). It is far more precise than a kernel estimate, and
    the more parameters are integrated out of each density, the less noise remains.
    """
    ratios = finite_vector(log_ratios, "log_ratios")
    return _factor(float(np.log(len(ratios)) - scipy.special.logsumexp(ratios)))


def log_bf10_given(
    unexplained: ArrayLike, precision: ArrayLike, n: int, prior: str, scale: float
) -> np.ndarray:
    """Compute the log Bayes factor from the least squares of weighted or unweighted data.

    ``unexplained`` is the share of the sum of squares that the mean does not explain, and
    ``precision`` the sum of the weights; both may be arrays. With a flat prior on the log of the
    standard deviation, a normal prior of variance g on the effect size gives
    ``(1 + g precision)^(-1/2) ((1 + g precision unexplained) / (1 + g precision))^(-n/2)``
    (Liang et al. 2008, equation 6, with one effect). A Cauchy prior gives the mean of this over
    ``g ~ InverseGamma(1/2, scale^2 / 2)``.
    """
    left, weight = np.asarray(unexplained)[..., None], np.asarray(precision)[..., None]
    # The trapezoid sum over log g converges geometrically: the step of 0.05 is exact to rounding.
    log_g = 2 * np.log(scale) + np.arange(-8, 90, 0.05) if prior == "cauchy" else np.zeros(1)
    g = np.exp(log_g) if prior == "cauchy" else np.array([scale**2])
    grown = np.log1p(g * weight)
    log_ratio = -0.5 * grown - n / 2 * (np.log1p(g * weight * left) - grown)
    if prior == "normal":
        return log_ratio[..., 0]
    log_prior = np.log(scale) - 0.5 * np.log(2 * np.pi) - 0.5 * log_g - scale**2 / (2 * g)
    return scipy.special.logsumexp(log_ratio + log_prior + np.log(0.05), axis=-1)


def _factor(log_bf10: float) -> BayesFactor:
    return BayesFactor(float(np.exp(log_bf10)) if log_bf10 < 709 else float("inf"), log_bf10)


def _t_of(means: np.ndarray) -> float:
    require_clusters(len(means), at_least=2)
    if is_constant(means):
        return float("inf") if means.any() else 0.0
    return float(means.mean() / (means.std(ddof=1) / np.sqrt(len(means))))


def _check(t: float, n: int, scale: float) -> None:
    if not np.isfinite(t):
        raise ValueError(f"t is {t}; a finite number is needed")
    if n < 2:
        raise ValueError(f"n is {n}; at least 2 pairs are needed")
    if not 0 < scale < np.inf:
        raise ValueError(f"the prior's scale is {scale}; a positive number is needed")
