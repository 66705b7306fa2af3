"""Contrasts between the levels of a study; their errors include the variance between seeds."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.special
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from finllm.stats.bayes_factor import jzs_from_t

SMALLEST = 1e-280  # the smallest p-value that is computed
PRIOR_SCALE = 0.707  # of the Cauchy prior on the standardised effect, as in params.yaml


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of the levels' means, and its error.

    Its squared error has two parts, with ``df_seed`` and ``df_company`` degrees of freedom. Each
    part alone has a Student's t interval; the half-width for both together is the root of the sum
    of their squares (Howe 1974, Journal of the American Statistical Association 69:789, for the
    mean of a sum). The p-value is the level at which the critical value is just reached. With few
    seeds, Satterthwaite's single number of degrees of freedom is too optimistic: when the seeds'
    part is estimated too low by chance, so is its weight in the degrees of freedom.
    """

    estimate: float
    standard_error: float
    seed_share: float  # weight of the seeds' part in the critical value
    df_seed: int
    df_company: int  # 0 if the scores are not by company
    exact: bool = False  # counted, not measured: no error

    @property
    def varied(self) -> bool:
        """Whether the error is known; if no run differed from another, nothing can be concluded."""
        return self.exact or self.standard_error > 0

    def critical(self, level: float) -> float:
        """Return the one-sided critical value: P(t > critical) is about ``level`` (at most 0.5)."""
        if self.seed_share == 0:
            return float(-scipy.special.stdtrit(self.df_company, level))
        of_seeds = -scipy.special.stdtrit(self.df_seed, level)
        if self.seed_share == 1:
            return float(of_seeds)
        of_companies = -scipy.special.stdtrit(self.df_company, level)
        squared = self.seed_share * of_seeds**2 + (1 - self.seed_share) * of_companies**2
        return math.sqrt(squared)

    def moved(self, by: float) -> Contrast:
        """Return the contrast shifted by ``by``, to test it against another bound."""
        return dataclasses.replace(self, estimate=self.estimate + by)

    def p_above(self, bound: float = 0.0) -> float:
        """Return the one-sided p-value of the claim that the contrast is above ``bound``."""
        return self._tail(self.estimate - bound)

    def p_below(self, bound: float = 0.0) -> float:
        """Return the one-sided p-value of the claim that the contrast is below ``bound``."""
        return self._tail(bound - self.estimate)

    def p_inside(self, low: float, high: float) -> float:
        """Return the p-value of the claim that the contrast is between ``low`` and ``high``.

        It is the larger of two one-sided p-values: Schuirmann (1987), "A comparison of the two
        one-sided tests procedure and the power approach for assessing the equivalence of average
        bioavailability".
        """
        return max(self.p_above(low), self.p_below(high))

    def p_value(self) -> float:
        """Return the two-sided p-value against zero."""
        return min(1.0, 2 * min(self.p_above(), self.p_below()))

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the two-sided interval; its width is zero if nothing varied."""
        reach = self.critical((1 - confidence) / 2) * self.standard_error
        return self.estimate - reach, self.estimate + reach

    def bayes_factor(self) -> float | None:
        """Return BF10 in favour of a nonzero contrast, by ``jzs_from_t``; None if nothing varied.

        t is the estimate over its error, and n one more than the weighted degrees of freedom: so
        many independent pairs would estimate the error equally well. Read only its order of
        magnitude.
        """
        if self.standard_error == 0:
            return None
        df = self.seed_share * self.df_seed + (1 - self.seed_share) * self.df_company
        t = self.estimate / self.standard_error
        return jzs_from_t(t, max(2, round(df) + 1), r=PRIOR_SCALE).bf10

    def _tail(self, distance: float) -> float:
        if self.standard_error == 0:
            return 0.0 if self.exact and distance > 0 else 1.0
        t = distance / self.standard_error
        p = self._upper_tail(abs(t))
        return p if t >= 0 else 1 - p

    def _upper_tail(self, t: float) -> float:
        """Return the level whose critical value is t, for t >= 0."""
        if self.seed_share == 1:
            return float(scipy.special.stdtr(self.df_seed, -t))
        if self.seed_share == 0:
            return float(scipy.special.stdtr(self.df_company, -t))
        ends = [float(scipy.special.stdtr(df, -t)) for df in (self.df_seed, self.df_company)]
        low, high = max(min(ends), SMALLEST), max(*ends, SMALLEST)
        if self.critical(low) <= t:
            return low
        if self.critical(high) >= t:
            return high
        return float(brentq(lambda level: self.critical(level) - t, low, high, xtol=1e-300))


@dataclass(frozen=True)
class MeanSquares:
    """Mean squares of a contrast's table of seeds (rows) by companies (columns)."""

    seeds: float
    companies: float
    rest: float
    n_seeds: int
    n_companies: int
    df_per_seed: int = 1  # degrees of freedom of ``seeds`` for each seed after the first

    def contrast(self, estimate: float) -> Contrast:
        """Return the contrast with this estimate; see the function ``contrast`` for the formula."""
        df_seed = self.df_per_seed * (self.n_seeds - 1)
        if self.n_companies == 1:
            return Contrast(estimate, _root(self.seeds / self.n_seeds), 1.0, df_seed, 0)
        error = max(self.seeds + self.companies - self.rest, self.seeds, self.companies)
        both = self.seeds + self.companies
        share = self.seeds / both if both else 1.0
        error /= self.n_seeds * self.n_companies
        return Contrast(estimate, _root(error), share, df_seed, self.n_companies - 1)

    def expected(self, n_seeds: int, n_companies: int) -> MeanSquares:
        """Return the mean squares to expect with other numbers of seeds and companies."""
        of_seeds = max(0.0, self.seeds - self.rest) / self.n_companies
        of_companies = max(0.0, self.companies - self.rest) / self.n_seeds
        return dataclasses.replace(
            self,
            seeds=self.rest + n_companies * of_seeds,
            companies=self.rest + n_seeds * of_companies,
            n_seeds=n_seeds,
            n_companies=n_companies,
        )


def mean_squares(means: ArrayLike, weights: Sequence[float]) -> MeanSquares:
    """Return the mean squares of ``contrast``; it takes the same arguments.

    Raises
    ------
    ValueError
        If there are fewer than two seeds, values not finite, or unfit shapes.
    """
    table, w = _checked(means, weights)
    n_levels, n_seeds, n_companies = table.shape
    if n_seeds < 2:
        raise ValueError(f"{n_seeds} seed(s): how seeds vary needs at least two")
    d = np.tensordot(w, table, axes=1)
    by_seed, by_company = d.mean(axis=1), d.mean(axis=0)
    of_seeds, df_per_seed = float(n_companies * by_seed.var(ddof=1)), 1
    if abs(w.sum()) < 1e-12:
        of_seeds = float((w**2).sum()) * n_companies * _levels_by_seeds(table.mean(axis=2))
        df_per_seed = n_levels - 1
    if n_companies == 1:
        return MeanSquares(of_seeds, 0.0, 0.0, n_seeds, 1, df_per_seed)
    rest = d - by_company - by_seed[:, None] + d.mean()
    of_rest = float((rest**2).sum()) / ((n_seeds - 1) * (n_companies - 1))
    of_companies = float(n_seeds * by_company.var(ddof=1))
    return MeanSquares(of_seeds, of_companies, of_rest, n_seeds, n_companies, df_per_seed)


def contrast(means: ArrayLike, weights: Sequence[float], *, exact: bool = False) -> Contrast:
    """Compute a weighted sum of levels, with its error for a *new* training on a *new* company.

    ``means`` has shape (levels, seeds, companies): the mean score of each cell by company. All
    levels are trained with the same seeds and tested on the same examples. A study with one value
    per run, such as a loss, has one "company"; the error is then that of seeds alone.

    The model is crossed, with fixed levels and random seeds and companies::

        m_lsc = mu_l + S_s + C_c + (LS)_ls + (LC)_lc + (SC)_sc + e_lsc

    With weights w, the contrast's table ``d_sc = sum_l w_l m_lsc`` has the mean squares ``MS_S`` of
    seeds (rows), ``MS_C`` of companies (columns) and ``MS_R`` of residuals. The variance of its
    mean is ``(MS_S + MS_C - MS_R) / (S C)``, as in ``finllm.stats.variance.pool_seeds`` (Searle,
    Casella and McCulloch 1992, *Variance Components*, sections 4.2 and 4.7), but never less than
    the larger of the first two terms (Hillis 2007, Statistics in Medicine 26:596).

    In the critical value, ``MS_S`` and ``MS_C`` have the weights ``MS_S / (MS_S + MS_C)`` and
    ``MS_C / (MS_S + MS_C)``. Weighting the seeds by ``MS_S - MS_R`` instead trusts a difference
    that few seeds estimate badly: where effects vary little over companies, ``MS_S`` is most of the
    error, but would get few of its own degrees of freedom. Up to 8.9 % of studies without a
    difference then found one (``benchmarks/study_calibration.py``).

    Three seeds say little about their own variance. So if the weights add up to zero, ``MS_S`` is
    pooled over the levels: ``sum(w^2)`` times the mean square of levels by seeds, with
    (L - 1) (S - 1) degrees of freedom instead of S - 1 (the error of a randomised block design:
    Winer, Brown and Michels 1991, *Statistical Principles in Experimental Design*, chapter 4). The
    companies' part is the contrast's own, because effects may vary more over companies at one level
    than at another. With two levels, both parts are those of the paired analysis.

    With ``exact`` the values are counted, not measured, and the contrast has no error. So it is if
    all differences are zero on several companies: the levels gave the same answers.

    Do not trust the error if the seeds of one level scatter several times as much as the others':
    pooled, its contrasts look too certain. Assumes near-normal company means.

    Raises
    ------
    ValueError
        If there are fewer than two seeds (unless ``exact``), values not finite, or unfit shapes.
    """
    table, w = _checked(means, weights)
    d = np.tensordot(w, table, axes=1)
    estimate = float(d.mean())
    if exact or (d.shape[1] > 1 and not d.any()):
        return Contrast(estimate, 0.0, 1.0, 1, 0, exact=True)
    return mean_squares(table, w).contrast(estimate)


def ratio_weights(n_levels: int, a: int, b: int, times: float) -> np.ndarray:
    """Return the weights of level a minus ``times`` level b, shape (n_levels,)."""
    weights = np.zeros(n_levels)
    weights[a], weights[b] = 1.0, -times
    return weights


def ratio(
    means: ArrayLike, a: int, b: int, *, rate: float, exact: bool = False
) -> tuple[float, float, float]:
    """Return the mean of level a over that of b, and an interval with error ``rate`` per side.

    Fieller's interval (1954): all x for which ``a - x b`` does not differ significantly from zero.
    An end is infinite if b does not differ significantly from zero. All three values are NaN if
    b's mean is not positive.
    """
    table = np.asarray(means, dtype=np.float64)
    over = table.mean(axis=(1, 2))
    if over[b] <= 0:
        return math.nan, math.nan, math.nan
    estimate = float(over[a] / over[b])

    def beyond(x: float) -> float:
        at = contrast(table, ratio_weights(len(table), a, b, x), exact=exact)
        return abs(at.estimate) - at.critical(rate) * at.standard_error

    if exact:
        return estimate, estimate, estimate
    return estimate, *(_end(beyond, estimate, sign) for sign in (-1, 1))


def _end(beyond: Callable[[float], float], estimate: float, sign: int) -> float:
    """Return the point at which ``beyond`` becomes positive, in one direction from the estimate."""
    inside, reach = 0.0, 1e-6 * max(abs(estimate), 1e-6)
    while beyond(estimate + sign * reach) <= 0:
        inside, reach = reach, 2 * reach
        if reach > 1e6 * max(abs(estimate), 1.0):
            return sign * math.inf
    if not inside:
        return estimate
    return float(brentq(beyond, estimate + sign * inside, estimate + sign * reach))


def _checked(means: ArrayLike, weights: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return means, shape (levels, seeds, companies), and weights, shape (levels,), as arrays."""
    table, w = np.asarray(means, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    if table.ndim != 3 or len(w) != len(table):
        raise ValueError(f"means has shape {table.shape}; ({len(w)}, seeds, companies) is needed")
    if not np.isfinite(table).all():
        raise ValueError("means holds a value that is not finite; leave its company out")
    return table, w


def _levels_by_seeds(table: np.ndarray) -> float:
    """Return the mean square of the interaction in a table of levels by seeds."""
    rest = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    return float((rest**2).sum() / ((table.shape[0] - 1) * (table.shape[1] - 1)))


def _root(variance: float) -> float:
    """Return the square root; 0 for a variance that is zero up to rounding."""
    return math.sqrt(variance) if variance > 1e-24 else 0.0
