import numpy as np
import pytest

from finllm.comparing.pairs import Pairs
from finllm.comparing.posteriors import N_BINS, density, fit_pairs
from finllm.records import METRICS


def test_the_density_has_area_one_and_the_draws_middle():
    draws = np.random.default_rng(3).normal(0.2, 0.05, size=4000)
    rows = density(draws)
    centres, heights = np.array(rows).T
    width = centres[1] - centres[0]
    assert len(rows) == N_BINS and (heights * width).sum() == pytest.approx(1)
    assert (centres * heights * width).sum() == pytest.approx(draws.mean(), abs=width)
    assert density(np.empty(0)) == []


def test_where_nothing_varies_or_one_company_is_left_there_is_no_model():
    flat, defined = np.full(4, 0.5), np.array([0.1, 0.2, np.nan, np.nan])
    base = dict.fromkeys(METRICS, flat)
    tuned = base | {METRICS[0]: flat + defined}  # defined in company a alone
    pairs = Pairs(list("1234"), list("aabb"), ["questions"] * 4, base, tuned)
    options = {"n_draws": 100, "n_tune": 100, "n_chains": 2, "hdi_prob": 0.95, "seed": 1}
    found, draws = fit_pairs(pairs, primary=METRICS[0], rope=0.02, prior_scale=0.7, **options)
    assert found == {name: {"usable": False} for name in METRICS} and draws.size == 0
