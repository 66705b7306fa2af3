"""Bayes factors for a mean paired difference: closed form, by density ratio, and under priors."""

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
    """Evidence for a difference over none; ``bf10`` is infinite where only its log fits."""

    bf10: float
    log_bf10: float  # natural


@dataclass(frozen=True)
class PriorSensitivity:
    """The natural log Bayes factor under wider and narrower priors on the effect size."""

    log_bf10_medium: float  # Cauchy, r = 0.5
    log_bf10_default: float  # Cauchy, r = 0.707
    log_bf10_wide: float  # Cauchy, r = 1
    log_bf10_sceptical: float  # normal, sd 0.2: expects small effects


def jzs_bayes_factor(
    differences: ArrayLike, r: float = 0.707, clusters: Sequence[Hashable] | None = None
) -> BayesFactor:
    """The two-sided JZS Bayes factor of the (cluster) mean differences: see ``jzs_from_t``.

    With ``clusters`` the K cluster means are the data, and the effect size is their mean over
    their standard deviation. All differences zero: the factor at t = 0. All equal but not zero:
    infinite, the limit of a growing t.
    """
    means = cluster_means(differences, clusters).means
    t, n = _t_of(means), len(means)
    return BayesFactor(float("inf"), float("inf")) if np.isinf(t) else jzs_from_t(t, n, r=r)


def jzs_from_t(t: float, n: int, *, r: float = 0.707) -> BayesFactor:
    """The two-sided JZS Bayes factor of a one-sample or paired t over n pairs.

    Rouder et al. (2009, equation 1), with the Cauchy's scale r (r = 1 there; sqrt(2)/2 in R's
    BayesFactor, 0.707 in JASP and pingouin)::

        BF10 = integral (1 + n g)^(-1/2) (1 + t^2 / ((1 + n g) v))^(-(v+1)/2) p(g) dg
               / (1 + t^2 / v)^(-(v+1)/2),     v = n - 1,  g ~ InverseGamma(1/2, r^2 / 2)

    Rouder et al. print BF01, its reciprocal. The integral is a trapezoid sum over log g, in logs:
    the integrand is smooth and dies off at both ends, so that the sum is accurate to rounding,
    and no t is too large.

    Assumes independent normal differences. ``bf10 / (1 + bf10)`` is P(H1 | data) only at prior
    odds of 1, and is neither P(mean > 0) nor 1 - p. Do not quote it without the prior's scale:
    see ``prior_sensitivity``.
    """
    _check(t, n, r)
    return _factor(float(log_bf10_given((n - 1) / (n - 1 + t**2), n, n, "cauchy", r)))


def normal_prior_bayes_factor(t: float, n: int, *, scale: float) -> BayesFactor:
    """The same factor with a normal prior of sd ``scale`` on the effect size: g fixed at scale^2.

    Rouder et al. (2009), the "scaled-information" prior. A small scale is sceptical: it expects
    effects of that size, and rewards a large t less.
    """
    _check(t, n, scale)
    return _factor(float(log_bf10_given((n - 1) / (n - 1 + t**2), n, n, "normal", scale)))


def prior_sensitivity(
    differences: ArrayLike, clusters: Sequence[Hashable] | None = None
) -> PriorSensitivity:
    """The Bayes factor under three Cauchy scales and a sceptical normal prior.

    Where these disagree about the direction of the evidence, the data do not decide.
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
    """The Savage-Dickey ratio: prior density over posterior density at the null.

    Dickey (1971); Wagenmakers et al. (2010). The posterior density is a Gaussian kernel estimate
    with Silverman's bandwidth, in logs. Valid where the nuisance parameters' prior does not
    depend on the effect. Do not believe it when fewer than about one draw in a hundred lies
    beyond the null: the tail is then the kernel's and not the posterior's.
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
    """The Savage-Dickey ratio from conditional densities, one per draw of the other parameters.

    ``log_ratios`` holds, per draw, log p(null | rest, data) - log p(null); the factor is one over
    the mean of their exponentials (Gelfand and Smith 1990 for the density; Verdinelli and
    Wasserman 1995, section 2). Far more precise than a kernel. The more of the rest is integrated
    out of each density, the less noise is left.
    """
    ratios = finite_vector(log_ratios, "log_ratios")
    return _factor(float(np.log(len(ratios)) - scipy.special.logsumexp(ratios)))


def log_bf10_given(
    unexplained: ArrayLike, precision: ArrayLike, n: int, prior: str, scale: float
) -> np.ndarray:
    """The log Bayes factor from least squares: of weighted data as of plain ones.

    With ``unexplained`` the share of the sum of squares that the mean leaves, ``precision`` the
    sum of the weights, and a flat prior on the log of the standard deviation, a normal prior of
    variance g on the effect size gives
    ``(1 + g precision)^(-1/2) ((1 + g precision unexplained) / (1 + g precision))^(-n/2)``
    (Liang et al. 2008, equation 6, with one effect). A Cauchy prior is the mean of that over
    ``g ~ InverseGamma(1/2, scale^2 / 2)``. Takes arrays of ``unexplained`` and ``precision``.
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
