"""PyMC graph of the paired model and its sampling with nutpie.

PyMC is imported only when a model is compiled. nutpie's numba backend needs no C compiler.
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finllm.stats.clusters import cluster_codes

# Half the width, in natural logs, of the flat prior on log(scale / observed sd). The bound makes
# the posterior proper for any data.
LOG_SCALE_BOUND = 5.0
# High, for small steps: few templates give the posterior of their spread the shape of a funnel.
TARGET_ACCEPT = 0.99


@dataclass(frozen=True)
class PairedData:
    """Standardised rows with the sufficient statistics of a normal model with random companies."""

    rows: np.ndarray
    codes: np.ndarray
    template_codes: np.ndarray
    means: np.ndarray  # per company
    sizes: np.ndarray
    within: float  # sum of squares within companies
    shares: np.ndarray  # of each template in each company
    cross: np.ndarray  # template indicators times rows, both centred within companies
    gram: np.ndarray  # template indicators times themselves, centred within companies
    weights: np.ndarray  # of each template over all rows


def paired_data(
    rows: np.ndarray, codes: np.ndarray, templates: Sequence[Hashable] | None
) -> PairedData:
    """Compute the statistics of standardised rows that the likelihoods need."""
    one_template = np.zeros(len(rows), dtype=np.int64)
    names, template_codes = (
        cluster_codes(templates, len(rows)) if templates is not None else ((0,), one_template)
    )
    sizes = np.bincount(codes).astype(np.float64)
    means = np.bincount(codes, weights=rows) / sizes
    indicator = np.eye(len(names))[template_codes]
    shares = np.zeros((len(sizes), len(names)))
    np.add.at(shares, codes, indicator)
    shares /= sizes[:, None]
    residual, centred = rows - means[codes], indicator - shares[codes]
    return PairedData(
        rows,
        codes,
        template_codes,
        means,
        sizes,
        float((residual**2).sum()),
        shares,
        centred.T @ residual,
        centred.T @ centred,
        indicator.mean(axis=0),
    )


def sample(
    data: PairedData,
    likelihood: str,
    prior: str,
    prior_scale: float,
    n_draws: int,
    n_tune: int,
    n_chains: int,
    seed: int,
) -> dict[str, np.ndarray]:
    """Sample the posterior; return draws of shape (chain, draw, ...) by name and ``diverging``."""
    nutpie = import_quietly()[1]
    # If each company has one example, its effect cannot be distinguished from the residual.
    grouped = likelihood == "student_t" and len(data.sizes) < len(data.rows)
    n_effects = len(data.sizes) if grouped else 0
    compiled = _compiled(likelihood, prior, len(data.weights), n_effects)
    trace = nutpie.sample(
        compiled.with_data(**_model_data(data, likelihood, prior_scale)),
        draws=n_draws,
        tune=n_tune,
        chains=n_chains,
        cores=1,
        seed=seed,
        target_accept=TARGET_ACCEPT,
        progress_bar=False,
    )
    names = ["delta", "scale", "share"]
    names += ["template"] if len(data.weights) > 1 else []
    names += ["nu"] if likelihood == "student_t" else []
    names += ["company"] if grouped else []
    draws = {name: np.asarray(trace.posterior[name].values) for name in names}
    return {**draws, "diverging": np.asarray(trace.sample_stats["diverging"].values)}


def _model_data(data: PairedData, likelihood: str, prior_scale: float) -> dict[str, np.ndarray]:
    values = {"prior_scale": np.array(prior_scale)}
    if likelihood == "student_t":
        values |= {"rows": data.rows}
        values |= {"codes": data.codes} if len(data.sizes) < len(data.rows) else {}
        if len(data.weights) > 1:
            values |= {"template_codes": data.template_codes, "weights": data.weights}
        return values
    n_within = float(len(data.rows) - len(data.sizes))
    values |= {"means": data.means, "sizes": data.sizes}
    values |= {"within": np.array(data.within), "n_within": np.array(n_within)}
    if len(data.weights) > 1:
        values |= {"shares": data.shares, "cross": data.cross, "gram": data.gram}
        values |= {"weights": data.weights}
    return values


@functools.lru_cache(maxsize=8)
def _compiled(likelihood: str, prior: str, n_templates: int, n_companies: int) -> Any:
    """Return the model compiled for any number of rows, with ``n_companies`` sampled effects."""
    pm, nutpie = import_quietly()
    k = max(n_companies, 2)
    n = k + (n_companies > 0)  # any lengths will do, with at most as many companies as rows
    blank = PairedData(
        np.zeros(n),
        np.zeros(n, dtype=np.int64),
        np.zeros(n, dtype=np.int64),
        np.zeros(k),
        np.ones(k),
        0.0,
        np.full((k, n_templates), 1 / n_templates),
        np.zeros(n_templates),
        np.zeros((n_templates, n_templates)),
        np.full(n_templates, 1 / n_templates),
    )
    with pm.Model() as model:
        given = {
            name: pm.Data(name, value)
            for name, value in _model_data(blank, likelihood, 1.0).items()
        }
        width = given["prior_scale"]
        delta = pm.Cauchy("delta", 0, width) if prior == "cauchy" else pm.Normal("delta", 0, width)
        scale = pm.Deterministic(
            "scale", pm.math.exp(pm.Uniform("log_scale", -LOG_SCALE_BOUND, LOG_SCALE_BOUND))
        )
        share = pm.Uniform("share", 0, 1)
        template = _template_effects(pm, given, n_templates)
        if likelihood == "normal":
            _normal_likelihood(pm, delta * scale, scale, share, template, given)
        else:
            location, sigma = delta * scale, scale
            if n_companies:
                company = pm.Normal("company", 0, 1, shape=n_companies)
                location = location + scale * pm.math.sqrt(share) * company[given["codes"]]
                sigma = scale * pm.math.sqrt(1 - share)
            if template is not None:
                location = location + template[given["template_codes"]]
            nu = pm.Deterministic("nu", 1 + pm.Exponential("nu_minus_one", 1 / 29))
            pm.StudentT("d", nu=nu, mu=location, sigma=sigma, observed=given["rows"])
    with warnings.catch_warnings():
        # The warnings are about loops that are not fused, which costs milliseconds.
        warnings.simplefilter("ignore", UserWarning)
        return nutpie.compile_pymc_model(model, backend="numba")


def _template_effects(pm: Any, given: dict[str, Any], n_templates: int) -> Any:
    """Define effects about zero, balanced by the observed shares; None for a single template."""
    if n_templates == 1:
        return None
    spread = pm.HalfNormal("template_spread", 0.5)
    raw = pm.Normal("template_raw", 0, 1, shape=n_templates)
    balanced = raw - pm.math.sum(given["weights"] * raw)
    return pm.Deterministic("template", spread * balanced)


def _normal_likelihood(
    pm: Any, mu: Any, scale: Any, share: Any, template: Any, given: dict[str, Any]
) -> None:
    """Add the likelihood of company means and squares, with company effects integrated out."""
    means, within = given["means"], given["within"]
    if template is not None:
        means = means - pm.math.sum(given["shares"] * template, axis=1)
        pulled = pm.math.sum(given["gram"] * template, axis=1) - 2 * given["cross"]
        within = within + pm.math.sum(pulled * template)
    residual = scale**2 * (1 - share)
    variance = scale**2 * (share + (1 - share) / given["sizes"])
    log_between = -0.5 * pm.math.sum(pm.math.log(variance) + (means - mu) ** 2 / variance)
    log_within = -0.5 * (given["n_within"] * pm.math.log(residual) + within / residual)
    pm.Potential("likelihood", log_between + log_within)


def import_quietly() -> tuple[Any, Any]:
    """Import PyMC and nutpie without looking for a C compiler; hide ArviZ's FutureWarning."""
    os.environ.setdefault("PYTENSOR_FLAGS", "cxx=")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import nutpie
        import pymc

    return pymc, nutpie
