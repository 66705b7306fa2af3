"""Bayesian model of a mean paired difference, with effects of companies and templates."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.special
import scipy.stats
from numpy.typing import ArrayLike

from finllm.stats.bayes_factor import conditional_savage_dickey, log_bf10_given
from finllm.stats.bayes_sampling import PairedData, import_quietly, paired_data, sample
from finllm.stats.clusters import (
    cluster_codes,
    cluster_means,
    finite_vector,
    is_constant,
    require_clusters,
)
from finllm.stats.posterior import hdi, share_above, share_inside

LIKELIHOODS = ("normal", "student_t")
PRIORS = ("cauchy", "normal")
N_PREDICTIVE = 400
N_DENSITY = 1000


@dataclass(frozen=True)
class PosteriorSummary:
    """Posterior summary of the mean difference ``mu``, with diagnostics."""

    mean: float
    sd: float
    hdi_low: float
    hdi_high: float
    p_better: float  # P(mu > 0)
    p_rope: float  # P(rope_low <= mu <= rope_high), over all draws
    p_practically_better: float  # P(mu > rope_high)
    p_practically_worse: float  # P(mu < rope_low)
    effect_size: float  # posterior mean of mu / sd of one example's difference
    bf10: float  # Savage-Dickey, two-sided
    log_bf10: float  # natural
    log_bf10_mcse: float  # Monte Carlo standard error
    company_share: float  # posterior mean of the variance share between companies
    nu: float  # posterior median of the degrees of freedom; infinite for the normal
    prior_low: float  # the central 95 % of mu under the prior, at the observed sd
    prior_high: float
    ppc_p_skewness: float  # share of replicated data sets with a skewness as large as observed
    ppc_p_largest: float  # the same for the largest absolute difference
    r_hat: float  # the worst over all parameters, as are the next two
    ess_bulk: float
    ess_tail: float
    n_divergences: int
    usable: bool
    n: int
    n_clusters: int
    mu_draws: np.ndarray  # all chains, for a plot
    delta_draws: np.ndarray  # of the effect size, for a plot of the Savage-Dickey ratio


def fit_paired_model(
    differences: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    *,
    templates: Sequence[Hashable] | None = None,
    likelihood: str = "normal",
    prior: str = "cauchy",
    prior_scale: float,
    rope_low: float,
    rope_high: float,
    n_draws: int,
    n_tune: int,
    n_chains: int,
    seed: int,
    hdi_prob: float = 0.95,
    max_r_hat: float = 1.01,
    min_ess: float = 400.0,
    max_divergences: int = 0,
) -> PosteriorSummary:
    """Sample the posterior of the mean difference, tuned minus base.

    The model is ``d = delta s + a[company] + b[template] + e`` with these priors:

    - delta, the effect size: Cauchy (or normal) with scale ``prior_scale`` about zero (Rouder et
      al. 2009);
    - s, the standard deviation of one example's difference: flat in its log, within a factor of
      e^5 of the observed one;
    - the share of s^2 that lies between companies: uniform on 0 to 1;
    - template effects: normal about zero with a half-normal spread (0.5 observed sd), balanced so
      that ``mu = delta s`` is the mean over the observed mix of templates.

    ``mu`` is the expected difference of the *next company*, in units of the metric. Companies with
    more examples have somewhat more weight in it, so that it differs from the mean of cluster means
    if the effect depends on the number of examples.

    - ``likelihood="normal"`` (the default): mu is the mean. Company effects are integrated out
      exactly. Without clusters and templates the Bayes factor is the closed-form JZS one.
    - ``likelihood="student_t"``: the residuals are Student's t with ``nu - 1 ~ Exponential(29)``,
      as in BEST (Kruschke 2013, "Bayesian estimation supersedes the t test"), and company effects
      are non-centred. Here mu is the *location*, and s the scale: under skew or many ties mu is
      not the mean (P(mu > 0) < 0.025 in 35 % of null data sets). Use this likelihood to check
      the influence of outliers, not for a verdict.

    Do not use the posterior when ``usable`` is false (R-hat above ``max_r_hat``, an effective
    sample size below ``min_ess``, more than ``max_divergences``). Predictive p-values near 0 or 1
    mean that the observed differences are more skewed or more extreme than the model expects: with
    the normal likelihood, mu is still right, but its interval is slightly too narrow below 20
    companies; compare it with ``infer_mean``. Read the Bayes factor with its Monte Carlo error,
    ``log_bf10_mcse``.

    If the examples within each company are all equal, each company counts as one example.

    The same seed gives the same floats on the same machine and versions, whatever the machine's
    load. The first fit in a process compiles the model, which takes about ten seconds; later fits
    reuse it.

    Raises
    ------
    ValueError
        For bad data or settings, fewer than two clusters, differences that are all equal (they
        have no scale), and for Student's t if more than half of the differences are exactly equal:
        its scale would shrink to zero on the ties.
    """
    values = finite_vector(differences, "differences", at_least=2)
    labels, codes = cluster_codes(clusters, len(values))
    require_clusters(len(labels), at_least=2)
    _check_choices(values, likelihood, prior, prior_scale, rope_low, rope_high)
    n, n_clusters = len(values), len(labels)
    if n_clusters < n and _are_copies(values, codes):
        values, codes, templates = cluster_means(values, codes).means, np.arange(n_clusters), None
    unit = float(values.std(ddof=1))
    data = paired_data(values / unit, codes, templates)
    sampled = sample(data, likelihood, prior, prior_scale, n_draws, n_tune, n_chains, seed)
    draws = {name: array.reshape(-1, *array.shape[2:]) for name, array in sampled.items()}
    if n_clusters == len(values):  # one example each: no separate company variance
        draws["share"] = np.zeros_like(draws["share"])
    mu = draws["delta"] * draws["scale"] * unit
    log_ratios = _log_density_ratios(data, draws, likelihood, prior, prior_scale)
    factor = conditional_savage_dickey(log_ratios)
    low, high = hdi(mu, hdi_prob)
    r_hat, ess_bulk, ess_tail = _diagnostics(sampled)
    n_divergences = int(sampled["diverging"].sum())
    reach = _prior_quantile(prior, prior_scale) * unit
    skewness, largest = _predictive_p_values(data, draws, likelihood, seed)
    return PosteriorSummary(
        mean=float(mu.mean()),
        sd=float(mu.std(ddof=1)),
        hdi_low=low,
        hdi_high=high,
        p_better=share_above(mu, 0.0),
        p_rope=share_inside(mu, rope_low, rope_high),
        p_practically_better=share_above(mu, rope_high),
        p_practically_worse=share_above(-mu, -rope_low),
        effect_size=float(draws["delta"].mean()),
        bf10=factor.bf10,
        log_bf10=factor.log_bf10,
        log_bf10_mcse=_log_mean_error(log_ratios),
        company_share=float(draws["share"].mean()) if n_clusters < len(values) else float("nan"),
        nu=float(np.median(draws["nu"])) if likelihood == "student_t" else float("inf"),
        prior_low=-reach,
        prior_high=reach,
        ppc_p_skewness=skewness,
        ppc_p_largest=largest,
        r_hat=r_hat,
        ess_bulk=ess_bulk,
        ess_tail=ess_tail,
        n_divergences=n_divergences,
        usable=bool(
            r_hat <= max_r_hat
            and min(ess_bulk, ess_tail) >= min_ess
            and n_divergences <= max_divergences
        ),
        n=n,
        n_clusters=n_clusters,
        mu_draws=mu,
        delta_draws=draws["delta"],
    )


def _log_density_ratios(
    data: PairedData, draws: dict[str, np.ndarray], likelihood: str, prior: str, prior_scale: float
) -> np.ndarray:
    """Return log p(delta = 0 | rest, data) - log p(delta = 0) for each draw of the rest."""
    if likelihood == "student_t":
        return _student_density_ratios(data, draws, prior, prior_scale)
    # Given the share and the templates, effect and scale integrate out as in least squares.
    chosen = _thinned(len(draws["share"]), N_DENSITY)
    share = draws["share"][chosen, None]
    weights = 1 / (share + (1 - share) / data.sizes)
    means, within = data.means[None, :], data.within
    if "template" in draws:
        template = draws["template"][chosen]
        means = means - template @ data.shares.T
        within = within - 2 * template @ data.cross + ((template @ data.gram) * template).sum(1)
    within = within / (1 - share[:, 0])
    centre = (weights * means).sum(axis=1) / weights.sum(axis=1)
    left = (weights * (means - centre[:, None]) ** 2).sum(axis=1) + within
    total = (weights * means**2).sum(axis=1) + within
    n, precision = len(data.rows), weights.sum(axis=1)
    return -log_bf10_given(left / total, precision, n, prior, prior_scale)


def _student_density_ratios(
    data: PairedData, draws: dict[str, np.ndarray], prior: str, prior_scale: float
) -> np.ndarray:
    """Return the log density ratios under Student's t, by a grid over delta on some draws."""
    delta = draws["delta"]
    chosen = _thinned(len(delta), N_PREDICTIVE)
    grid = delta.mean() + np.linspace(-10, 10, 201) * delta.std()
    log_prior = _log_prior(grid, prior, prior_scale) + np.log(grid[1] - grid[0])
    ratios = np.empty(len(chosen))
    for position, i in enumerate(chosen):
        scale, share, nu = draws["scale"][i], draws["share"][i], draws["nu"][i]
        rest = data.rows
        if "company" in draws:
            rest = rest - scale * np.sqrt(share) * draws["company"][i][data.codes]
        if "template" in draws:
            rest = rest - draws["template"][i][data.template_codes]
        sigma = scale * np.sqrt(1 - share)
        residual = (rest - scale * np.append(grid, 0.0)[:, None]) / sigma
        log_likelihood = -(nu + 1) / 2 * np.log1p(residual**2 / nu).sum(axis=1)
        ratios[position] = log_likelihood[-1] - scipy.special.logsumexp(
            log_likelihood[:-1] + log_prior
        )
    return ratios


def _log_prior(delta: np.ndarray, prior: str, scale: float) -> np.ndarray:
    if prior == "cauchy":
        return scipy.stats.cauchy.logpdf(delta, scale=scale)
    return scipy.stats.norm.logpdf(delta, scale=scale)


def _thinned(n_draws: int, at_most: int) -> np.ndarray:
    return np.linspace(0, n_draws - 1, min(at_most, n_draws)).astype(int)


def _prior_quantile(prior: str, scale: float) -> float:
    distribution = scipy.stats.cauchy if prior == "cauchy" else scipy.stats.norm
    return float(distribution.ppf(0.975, scale=scale))


def _log_mean_error(log_ratios: np.ndarray) -> float:
    """Return the relative standard error of the mean ratio, from twenty batch means."""
    ratios = np.exp(log_ratios - log_ratios.max())
    means = np.array([run.mean() for run in np.array_split(ratios, 20)])
    return float(means.std(ddof=1) / np.sqrt(20) / means.mean())


def _predictive_p_values(
    data: PairedData, draws: dict[str, np.ndarray], likelihood: str, seed: int
) -> tuple[float, float]:
    """Return the shares of replicated data at least as skewed, and as extreme, as observed."""
    rng = np.random.default_rng([seed, 1])
    n = len(data.rows)
    chosen = _thinned(len(draws["delta"]), N_PREDICTIVE)
    scale, share = draws["scale"][chosen, None], draws["share"][chosen, None]
    company = rng.standard_normal((len(chosen), len(data.sizes)))[:, data.codes]
    if likelihood == "student_t":
        noise = rng.standard_t(draws["nu"][chosen, None], size=(len(chosen), n))
    else:
        noise = rng.standard_normal((len(chosen), n))
    replicas = scale * (np.sqrt(share) * company + np.sqrt(1 - share) * noise)
    replicas += draws["delta"][chosen, None] * scale
    if "template" in draws:
        replicas += draws["template"][chosen][:, data.template_codes]
    skewness = scipy.stats.skew(replicas, axis=1) >= scipy.stats.skew(data.rows)
    largest = np.abs(replicas).max(axis=1) >= np.abs(data.rows).max()
    return float(skewness.mean()), float(largest.mean())


def _diagnostics(sampled: dict[str, np.ndarray]) -> tuple[float, float, float]:
    """Return the worst R-hat and effective sample sizes of all parameters (Vehtari et al. 2021)."""
    import_quietly()
    import arviz

    columns = [
        array.reshape(*array.shape[:2], -1)
        for name, array in sampled.items()
        if name != "diverging"
    ]
    chains = np.concatenate(columns, axis=2)
    parameters = [chains[:, :, i] for i in range(chains.shape[2])]
    return (
        float(max(arviz.rhat(p) for p in parameters)),
        float(min(arviz.ess(p, method="bulk") for p in parameters)),
        float(min(arviz.ess(p, method="tail") for p in parameters)),
    )


def _are_copies(values: np.ndarray, codes: np.ndarray) -> bool:
    """Return whether the examples within each company are equal, which leaves no residual."""
    first = values[np.unique(codes, return_index=True)[1]][codes]
    return bool(np.abs(values - first).max() <= 1e-12 * np.abs(values).max())


def _check_choices(
    values: np.ndarray,
    likelihood: str,
    prior: str,
    prior_scale: float,
    rope_low: float,
    rope_high: float,
) -> None:
    if likelihood not in LIKELIHOODS:
        raise ValueError(f"likelihood is {likelihood!r}; one of {', '.join(LIKELIHOODS)}")
    if prior not in PRIORS:
        raise ValueError(f"prior is {prior!r}; one of {', '.join(PRIORS)}")
    if not 0 < prior_scale < np.inf:
        raise ValueError(f"prior_scale is {prior_scale}; a positive number is needed")
    if not rope_low <= 0 <= rope_high:
        raise ValueError(f"the ROPE is [{rope_low}, {rope_high}]; it must include zero")
    if is_constant(values):
        raise ValueError(f"all {len(values)} differences are {values[0]}; they have no scale")
    most_common = np.unique(values, return_counts=True)[1].max() / len(values)
    if likelihood == "student_t" and most_common > 0.5:
        raise ValueError(
            f"{most_common:.0%} of the differences are exactly equal; Student's t would shrink its"
            " scale to zero on them: use likelihood='normal'"
        )
