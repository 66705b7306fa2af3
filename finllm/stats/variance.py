"""Variance between seeds, from trainings that differ only in their seed."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike

from finllm.stats.clusters import cluster_codes, require_clusters
from finllm.stats.rounding import score, signed


@dataclass(frozen=True)
class SeedComponents:
    """Variances of the difference between two models; all but the residual may be negative."""

    seed: float
    company: float
    seed_by_company: float  # interaction of seed and company; NaN if the residual is
    example: float  # within companies, common to all seeds; NaN if no company has two examples
    residual: float  # example by seed; NaN if no company has two examples


@dataclass(frozen=True)
class SeedPool:
    """Mean difference over seeds and companies, with the mean of each seed."""

    estimate: float
    low: float
    high: float
    p_value: float
    standard_error: float
    df: float
    seed_sd: float  # of the true mean difference between seeds, by REML; never negative
    company_sd: float
    share_of_seeds_above: float
    p_next_seed_above: float
    seed_means: tuple[float, ...]
    n: int  # examples
    n_clusters: int
    n_seeds: int


def pool_seeds(
    differences: ArrayLike, clusters: Sequence[Hashable], *, confidence: float
) -> SeedPool:
    """Infer the mean difference of a *new* seed on a *new* company, allowing for both variances.

    ``differences`` has shape (n_seeds, n_examples): each seed's adapter on the same examples. The
    model of the company means m_sc is crossed, ``m_sc = mu + A_s + B_c + R_sc``, with random seeds
    and companies and the mean squares

        E[MS_A] = C var(A) + var(R),  E[MS_B] = S var(B) + var(R),  E[MS_R] = var(R)

    so that ``(MS_A + MS_B - MS_R) / (S C)`` estimates the variance of the mean (Searle, Casella and
    McCulloch 1992, *Variance Components*, sections 4.2 and 4.7). The degrees of freedom of that sum
    are Satterthwaite's (1946): ``(MS_A + MS_B - MS_R)^2 / sum(MS^2 / df)``. The sum is bounded
    below by its larger term, so that the interval is not too narrow when a variance estimate is
    negative; the df are then those of that term (as in Hillis 2007, Statistics in Medicine 26:596,
    for readers and cases).

    ``share_of_seeds_above`` is the share of seeds with a positive mean. ``p_next_seed_above`` is
    the probability that another training has a positive mean on these same companies: Student's t
    with S - 1 df at ``mean / (sd sqrt(1 + 1 / S))``, where sd is that of the observed seed means.

    Do not trust the variance between seeds below about five seeds: with two there is one degree of
    freedom, and the interval is accordingly wide. Company means are assumed to be nearly normal;
    unlike ``infer_mean``, this function does not allow for skew.

    Raises
    ------
    ValueError
        If there are fewer than two seeds or companies, a value is not finite, shapes are wrong, or
        the confidence is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; a share between 0 and 1 is needed")
    matrix, codes = _checked(differences, clusters)
    means, _ = _company_means(matrix, codes)
    n_seeds, n_companies = means.shape
    ms_seed, ms_company, ms_rest = _mean_squares(means)
    df = n_seeds - 1, n_companies - 1, (n_seeds - 1) * (n_companies - 1)
    error, error_df = _error_of_mean((ms_seed, ms_company, ms_rest), df)
    error = math.sqrt(error / (n_seeds * n_companies))
    seed_means = means.mean(axis=1)
    estimate = float(means.mean())
    reach = scipy.stats.t.isf((1 - confidence) / 2, error_df) * error if error > 0 else 0.0
    reml = reml_variances(means)
    return SeedPool(
        estimate=estimate,
        low=estimate - reach,
        high=estimate + reach,
        p_value=_p_value(estimate, error, error_df),
        standard_error=error,
        df=error_df,
        seed_sd=math.sqrt(reml[0]),
        company_sd=math.sqrt(reml[1]),
        share_of_seeds_above=float((seed_means > 0).mean()),
        p_next_seed_above=_p_next(seed_means),
        seed_means=tuple(seed_means.tolist()),
        n=matrix.shape[1],
        n_clusters=n_companies,
        n_seeds=n_seeds,
    )


def seed_components(differences: ArrayLike, clusters: Sequence[Hashable]) -> SeedComponents:
    """Estimate the variances between seeds, companies and examples, by the method of moments.

    The model is ``d_sce = mu + A_s + B_c + (AB)_sc + E_ce + e_sce``, with examples within companies
    and seeds crossed with both. The analysis uses the *unweighted* company means (Yates 1934;
    Searle, Casella and McCulloch 1992, section 4.5) and is unbiased for any company sizes n_c. With
    h the mean of 1 / n_c:

    - residual: the mean square of examples by seeds within companies;
    - example: ``(MS_examples within companies - residual) / S``;
    - seed_by_company: ``MS_R - h residual``, seed: ``(MS_A - MS_R) / C``;
    - company: ``(MS_B - MS_R) / S - h example``; without the last term, and so including the
      variance of examples, if no company has two examples

    Negative estimates are returned unchanged: they show that the variance is small compared with
    its error. ``reml_variances`` gives estimates that cannot be negative.

    Raises
    ------
    ValueError
        As in ``pool_seeds``, except for the confidence.
    """
    matrix, codes = _checked(differences, clusters)
    means, sizes = _company_means(matrix, codes)
    n_seeds, n_companies = means.shape
    ms_seed, ms_company, ms_rest = _mean_squares(means)
    n_within = int((sizes - 1).sum())
    inverse_size = float((1 / sizes).mean())
    example = residual = float("nan")
    if n_within:
        inside = matrix - means[:, codes]
        over_seeds = inside.mean(axis=0)
        residual = float(((inside - over_seeds) ** 2).sum() / (n_within * (n_seeds - 1)))
        example = (n_seeds * float((over_seeds**2).sum()) / n_within - residual) / n_seeds
    return SeedComponents(
        seed=(ms_seed - ms_rest) / n_companies,
        company=(ms_company - ms_rest) / n_seeds - (inverse_size * example if n_within else 0.0),
        seed_by_company=ms_rest - inverse_size * residual,
        example=example,
        residual=residual,
    )


def reml_variances(means: ArrayLike) -> tuple[float, float, float]:
    """Estimate the variances of rows, columns and residual of a complete two-way table, by REML.

    With the expected mean squares ``C a + r``, ``S b + r`` and ``r``, the restricted likelihood of
    a balanced table factorises into three chi-squares. Its maximum under a, b >= 0 is therefore at
    the mean squares, after any that is smaller than the residual's has been pooled with it
    (Thompson 1962, Annals of Mathematical Statistics 33:273). If no estimate is negative, the
    result is that of the analysis of variance.
    """
    table = np.asarray(means, dtype=np.float64)
    if table.ndim != 2 or min(table.shape) < 2 or not np.isfinite(table).all():
        raise ValueError(f"means has shape {table.shape}; a finite table of 2 by 2 or more needed")
    n_rows, n_columns = table.shape
    ms = _mean_squares(table)
    rest_df = (n_rows - 1) * (n_columns - 1)
    squares, df = ms[2] * rest_df, rest_df
    for mean_square, its_df in sorted(zip(ms[:2], (n_rows - 1, n_columns - 1), strict=True)):
        if mean_square * df < squares:
            squares, df = squares + mean_square * its_df, df + its_df
    rest = squares / df
    return (
        max(0.0, (ms[0] - rest) / n_columns),
        max(0.0, (ms[1] - rest) / n_rows),
        float(rest),
    )


def in_words(pool: SeedPool, n_alone: int, *, alpha: float) -> str:
    """Say in a sentence or two whether the trainings agree or only lucky seeds win.

    ``n_alone`` is the number of trainings that would have been called better by their own test.
    """
    above = round(pool.share_of_seeds_above * pool.n_seeds)
    counted = f"{above} of {pool.n_seeds} seeds have a positive mean difference"
    spread = f"the seeds' standard deviation is {score(pool.seed_sd)} against a mean of "
    spread += signed(pool.estimate)
    if pool.p_value < alpha and pool.estimate > 0:
        said = "The gain holds across seeds: the interval over seeds and companies"
        said += " lies above zero"
    elif pool.p_value < alpha and pool.estimate < 0:
        said = "The loss holds across seeds: the interval over seeds and companies"
        said += " lies below zero"
    elif n_alone:
        said = f"The gain does not hold across seeds: {n_alone} of {pool.n_seeds} trainings would "
        said += (
            "have been called better on their own, but over all seeds the interval includes zero"
        )
    else:
        said = "Inconclusive: over all seeds the interval includes zero, and no single training"
        said += " would have been called better"
    few = " Below five seeds, the variance of seeds is poorly known." if pool.n_seeds < 5 else ""
    return f"{said}; {counted}, {spread}.{few}"


def _checked(differences: ArrayLike, clusters: Sequence[Hashable]) -> tuple[np.ndarray, np.ndarray]:
    matrix = np.asarray(differences, dtype=np.float64)
    if matrix.ndim != 2:
        raise ValueError(f"differences has shape {matrix.shape}; (n_seeds, n_examples) is needed")
    if len(matrix) < 2:
        raise ValueError(f"{len(matrix)} seed(s); variation between seeds needs at least two")
    bad = np.argwhere(~np.isfinite(matrix))
    if len(bad):
        raise ValueError(
            f"differences{bad[0].tolist()} is {matrix[tuple(bad[0])]}; only finite numbers are "
            "allowed, leave out the examples that have no score"
        )
    labels, codes = cluster_codes(clusters, matrix.shape[1])
    require_clusters(len(labels), at_least=2)
    return matrix, codes


def _company_means(matrix: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sizes = np.bincount(codes)
    return np.array([np.bincount(codes, weights=row) / sizes for row in matrix]), sizes


def _mean_squares(table: np.ndarray) -> tuple[float, float, float]:
    """Return the mean squares of rows, columns and residual of a two-way table."""
    n_rows, n_columns = table.shape
    rows, columns, all_of_it = table.mean(axis=1), table.mean(axis=0), table.mean()
    rest = table - rows[:, None] - columns + all_of_it
    return (
        float(n_columns * ((rows - all_of_it) ** 2).sum() / (n_rows - 1)),
        float(n_rows * ((columns - all_of_it) ** 2).sum() / (n_columns - 1)),
        float((rest**2).sum() / ((n_rows - 1) * (n_columns - 1))),
    )


def _error_of_mean(
    mean_squares: tuple[float, float, float], df: tuple[int, int, int]
) -> tuple[float, float]:
    seed, company, rest = mean_squares
    largest, its_df = max((seed, df[0]), (company, df[1]))
    total = seed + company - rest
    if total <= largest:
        return largest, float(its_df)
    return total, total**2 / sum(m**2 / d for m, d in zip(mean_squares, df, strict=True))


def _p_value(estimate: float, error: float, df: float) -> float:
    if error == 0:
        return float("nan") if estimate else 1.0
    return float(2 * scipy.stats.t.sf(abs(estimate) / error, df))


def _p_next(seed_means: np.ndarray) -> float:
    n, sd = len(seed_means), seed_means.std(ddof=1)
    if sd == 0:
        return float(seed_means[0] > 0)
    return float(scipy.stats.t.cdf(seed_means.mean() / (sd * math.sqrt(1 + 1 / n)), n - 1))
