"""The Bayesian model: against the closed form, for its seed, and where it must refuse."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.stats

from finllm.stats.bayes_factor import jzs_bayes_factor, savage_dickey
from finllm.stats.bayes_model import fit_paired_model
from finllm.stats.inference import infer_mean


def fit(differences, clusters=None, **options):
    chosen = {
        "prior_scale": 0.707,
        "rope_low": -0.1,
        "rope_high": 0.1,
        "n_draws": 1000,
        "n_tune": 600,
        "n_chains": 4,
        "seed": 1,
    }
    return fit_paired_model(differences, clusters, **{**chosen, **options})


def clustered(n_companies=20, effect=0.2, seed=0):
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(n_companies), rng.integers(1, 9, n_companies))
    companies = rng.normal(0, 0.5, n_companies)[codes]
    return effect + companies + rng.normal(0, 0.8, len(codes)), codes


@pytest.mark.parametrize(("n", "t"), [(20, 0.0), (20, 2.2), (60, 3.3), (12, 4.0), (40, 20.0)])
def test_plain_data_agree_with_the_closed_form_bayes_factor(n, t):
    z = np.random.default_rng(n).normal(size=n)
    z = (z - z.mean()) / z.std(ddof=1) + t / np.sqrt(n)
    posterior, closed = fit(z, n_draws=4000), jzs_bayes_factor(z)
    assert posterior.bf10 == pytest.approx(closed.bf10, rel=0.01)
    # The draws themselves: posterior of the effect size on a grid, noncentral t times Cauchy.
    grid = np.linspace(-3, 6, 4001)
    density = scipy.stats.nct.pdf(t, n - 1, grid * np.sqrt(n)) * scipy.stats.cauchy.pdf(
        grid, scale=0.707
    )
    density /= density.sum()
    mean = (grid * density).sum()
    assert posterior.effect_size == pytest.approx(mean, abs=0.015)
    spread = np.sqrt(((grid - mean) ** 2 * density).sum())
    assert posterior.delta_draws.std() == pytest.approx(spread, rel=0.05)
    assert posterior.p_better == pytest.approx(density[grid > 0].sum(), abs=0.015)
    assert posterior.usable


def test_with_companies_the_ratio_agrees_with_a_kernel_over_the_draws():
    differences, codes = clustered(25, seed=12)
    posterior = fit(differences, codes, n_draws=4000)
    kernel = savage_dickey(posterior.delta_draws, log_prior_at_null=-np.log(np.pi * 0.707))
    assert posterior.log_bf10 == pytest.approx(kernel.log_bf10, abs=0.25)
    assert posterior.log_bf10_mcse < 0.02


def test_a_flat_prior_gives_students_answer():
    # With a prior this wide the posterior of the mean is Student's t: P(mu > 0) = 1 - p / 2.
    differences = np.random.default_rng(3).normal(0.25, 1, 40)
    differences += 0.25 - differences.mean()
    posterior = fit(differences, prior_scale=50.0, n_draws=3000)
    one_sided = infer_mean(differences, rng=np.random.default_rng(0))
    spread = differences.std(ddof=1) / np.sqrt(40)
    assert posterior.mean == pytest.approx(0.25, abs=0.02)
    assert posterior.sd == pytest.approx(spread * np.sqrt(39 / 37), rel=0.06)
    assert posterior.p_better == pytest.approx(1 - one_sided.p_value / 2, abs=0.02)


def test_the_same_seed_gives_the_same_floats():
    differences, codes = clustered()
    first, second = fit(differences, codes, seed=9), fit(differences, codes, seed=9)
    assert first.mu_draws.tobytes() == second.mu_draws.tobytes()
    assert first.log_bf10 == second.log_bf10
    assert first.ppc_p_skewness == second.ppc_p_skewness
    assert fit(differences, codes, seed=10).mean != first.mean


def test_arms_swapped_mirror_the_posterior():
    differences, codes = clustered(seed=1)
    forward, back = fit(differences, codes), fit(-differences, codes)
    assert back.mean == pytest.approx(-forward.mean, abs=0.02)
    assert back.p_better == pytest.approx(1 - forward.p_better, abs=0.03)
    assert back.log_bf10 == pytest.approx(forward.log_bf10, abs=0.05)


def test_the_unit_of_the_metric_scales_the_posterior_and_nothing_else():
    differences, codes = clustered(seed=2)
    base = fit(differences, codes)
    scaled = fit(1000 * differences, codes, rope_low=-100.0, rope_high=100.0)
    assert scaled.mean == pytest.approx(1000 * base.mean)
    assert scaled.p_rope == pytest.approx(base.p_rope)
    assert scaled.log_bf10 == pytest.approx(base.log_bf10)
    assert scaled.prior_high == pytest.approx(1000 * base.prior_high)


def test_copies_of_rows_do_not_narrow_the_posterior_when_companies_are_named():
    rng = np.random.default_rng(4)
    rows, codes = rng.normal(0.3, 1, 15), np.repeat(range(15), 8)
    copied = np.repeat(rows, 8) + rng.normal(0, 1e-3, 120)
    by_company, by_row = fit(copied, codes), fit(copied)
    assert by_company.sd > 2 * by_row.sd
    assert by_company.company_share > 0.9


def test_exact_copies_count_once():
    rows = np.random.default_rng(13).normal(0.3, 1, 12)
    copied = fit(np.repeat(rows, 4), np.repeat(range(12), 4))
    assert copied.mean == fit(rows).mean
    assert (copied.n, copied.n_clusters) == (48, 12)


def test_templates_are_balanced_about_the_mean_over_the_mix_seen():
    differences, codes = clustered(30, seed=5)
    templates = np.random.default_rng(6).choice(["a", "b", "c"], len(codes), p=[0.6, 0.3, 0.1])
    shifts = {"a": 0.0, "b": 1.0, "c": -1.0}
    shifted = differences + np.array([shifts[name] for name in templates])
    aware, blind = fit(shifted, codes, templates=templates), fit(shifted, codes)
    assert aware.usable
    assert aware.mean == pytest.approx(infer_mean_of(shifted, codes), abs=0.2)
    assert aware.sd <= 1.05 * blind.sd


def infer_mean_of(differences, codes):
    return infer_mean(differences, codes, rng=np.random.default_rng(0)).estimate


def test_students_t_ignores_an_outlier_that_the_normal_follows():
    differences = np.append(np.random.default_rng(7).normal(0.3, 0.5, 39), -12.0)
    robust, normal = fit(differences, likelihood="student_t", n_draws=1500), fit(differences)
    assert robust.mean == pytest.approx(differences[:39].mean(), abs=0.1)
    assert normal.mean < robust.mean - 0.1
    assert robust.nu < 10
    assert normal.ppc_p_largest < 0.05


def test_diagnostics_decide_whether_to_use_it():
    differences, codes = clustered(seed=8)
    assert fit(differences, codes).usable
    assert not fit(differences, codes, min_ess=1e9).usable
    assert not fit(differences, codes, n_draws=30, n_tune=30).usable


def test_data_without_a_scale_are_refused_with_what_to_do():
    with pytest.raises(ValueError, match="they have no scale"):
        fit([0.0] * 20)
    with pytest.raises(ValueError, match="use likelihood='normal'"):
        fit([0.0] * 12 + [1.0, -1.0, 0.5], likelihood="student_t")
    with pytest.raises(ValueError, match="variation between companies"):
        fit([0.1, 0.2, 0.3], ["a"] * 3)
    with pytest.raises(ValueError, match="it must include zero"):
        fit([0.1, 0.2, 0.3], rope_low=0.1, rope_high=0.2)
    with pytest.raises(ValueError, match="one of normal, student_t"):
        fit([0.1, 0.2, 0.3], likelihood="laplace")
    assert fit([0.0] * 30 + [0.4, -0.1, 0.2]).usable  # ties alone do not stop the normal


def test_statistics_load_neither_torch_nor_pymc():
    code = (
        "import sys, pkgutil, importlib, finllm.stats as s\n"
        "names = [m.name for m in pkgutil.iter_modules(s.__path__, 'finllm.stats.')]\n"
        "assert len(names) > 10\n"
        "[importlib.import_module(name) for name in names]\n"
        "assert not {'torch', 'pymc', 'pytensor', 'nutpie', 'arviz'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
