import dataclasses
import math

import numpy as np
import pytest

from finllm.stats.comparison import compare

CLUSTERS = [f"c{i // 3}" for i in range(60)]
SETTINGS = {"confidence": 0.95, "n_permutations": 999, "n_bootstrap": 999, "seed": 5}


def arms(*shifts, seed=0):
    """A base and a tuned model on one metric a shift."""
    rng = np.random.default_rng(seed)
    base = {f"m{i}": rng.normal(size=60) for i in range(len(shifts))}
    tuned = {
        f"m{i}": base[f"m{i}"] + shift + rng.normal(scale=0.5, size=60)
        for i, shift in enumerate(shifts)
    }
    return base, tuned


def run(base, tuned, primary="m0", **changes):
    return compare(base, tuned, CLUSTERS, primary=primary, **{**SETTINGS, **changes})


def test_the_primary_is_not_corrected_and_the_others_are_by_their_number():
    found = run(*arms(0.5, 0.25, 0.0, 0.1))
    gate = found["m0"].p_value
    assert found["m0"].p_corrected == gate < 0.05
    for name in ("m1", "m2", "m3"):
        assert found[name].p_corrected == max(gate, min(1.0, 3 * found[name].p_value))
    assert found["m2"].p_corrected > found["m2"].p_value


def test_no_other_metric_can_be_significant_where_the_primary_is_not():
    found = run(*arms(0.0, 2.0))
    assert found["m1"].p_value < 0.01 < 0.05 < found["m0"].p_value
    assert found["m1"].p_corrected == found["m0"].p_value


def test_a_metric_without_a_p_value_is_not_corrected_and_does_not_count():
    base, tuned = arms(0.5, 0.3, 0.0)
    tuned["m2"] = base["m2"] * 0 + 1.0
    base["m2"] = base["m2"] * 0
    found = run(base, tuned)
    assert math.isnan(found["m2"].p_value) and math.isnan(found["m2"].p_corrected)
    alone = found["m1"].p_value
    assert found["m1"].p_corrected == max(found["m0"].p_value, alone)  # one other, not two


def test_an_undefined_example_leaves_its_metric_and_no_other():
    base, tuned = arms(0.5, 0.3)
    whole = run(base, tuned)
    base["m1"][[0, 7]] = np.nan
    tuned["m1"][9] = np.nan
    found = run(base, tuned)
    assert found["m1"].n == 57 and found["m0"].n == 60
    differing = {
        field.name
        for field in dataclasses.fields(found["m0"])
        if vars(found["m0"])[field.name] != vars(whole["m0"])[field.name]
    }
    assert not differing
    keep = np.isfinite(base["m1"]) & np.isfinite(tuned["m1"])
    d = (tuned["m1"] - base["m1"])[keep]
    names = np.array(CLUSTERS)[keep]
    by_hand = np.mean([d[names == name].mean() for name in np.unique(names)])
    assert found["m1"].difference == pytest.approx(by_hand)


def test_the_means_are_means_of_company_means():
    base = {"m0": np.array([0.0, 0.0, 0.0, 1.0])}
    tuned = {"m0": np.array([0.0, 0.3, 0.0, 3.0])}
    found = compare(base, tuned, ["a", "a", "a", "b"], primary="m0", **SETTINGS)["m0"]
    assert (found.base_mean, found.tuned_mean) == pytest.approx((0.5, 1.55))
    assert found.difference == pytest.approx(1.05)
    assert (found.n, found.n_clusters) == (4, 2)


def test_swapping_the_models_flips_every_sign_and_keeps_the_p_values():
    base, tuned = arms(0.5, 0.2)
    one, other = run(base, tuned), run(tuned, base)
    for name in base:
        a, b = one[name], other[name]
        assert b.difference == pytest.approx(-a.difference)
        assert (b.base_mean, b.tuned_mean) == (a.tuned_mean, a.base_mean)
        assert b.cohens_d == pytest.approx(-a.cohens_d)
        assert b.cohens_d_z == pytest.approx(-a.cohens_d_z)
        assert (b.low, b.high) == pytest.approx((-a.high, -a.low), rel=1e-6)
        for p in ("p_value", "p_corrected", "p_paired_t", "p_wilcoxon", "p_shapiro"):
            assert vars(b)[p] == pytest.approx(vars(a)[p], rel=1e-6), p
        assert b.p_sign_flip == pytest.approx(a.p_sign_flip, abs=0.02)


def test_one_seed_gives_the_same_numbers_and_another_gives_others():
    base, tuned = arms(0.2)
    assert run(base, tuned) == run(base, tuned) != run(base, tuned, seed=6)


def test_two_models_that_answer_alike_differ_by_nothing():
    base, _ = arms(0.0)
    found = run(base, base)["m0"]
    assert (found.difference, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_an_unknown_primary_metric_is_named_with_those_there_are():
    with pytest.raises(ValueError, match="'rouge9'; the metrics are m0, m1"):
        run(*arms(0.1, 0.1), primary="rouge9")


def test_a_metric_that_one_company_alone_defines_is_left_out_and_the_primary_is_named():
    base, tuned = arms(0.5, 0.3, 0.3)
    base["m1"][3:] = np.nan
    found = run(base, tuned)
    assert list(found) == ["m0", "m2"]
    assert found["m2"].p_corrected == max(found["m0"].p_value, found["m2"].p_value)  # one other
    with pytest.raises(ValueError, match="m1 is defined in 1 companies"):
        run(base, tuned, primary="m1")


def test_arms_of_other_lengths_and_infinite_scores_are_named():
    base, tuned = arms(0.1)
    with pytest.raises(ValueError, match="m0 has 60 scores of base and 59 of tuned on 60"):
        run(base, {"m0": tuned["m0"][1:]})
    tuned["m0"][3] = np.inf
    with pytest.raises(ValueError, match="m0 contains an infinity"):
        run(base, tuned)
