"""Subgroups: by hand, against the whole, and a regression that an average hides."""

import numpy as np
import pytest

from finllm.comparing.groups import differences_by_group, groupings
from finllm.comparing.pairs import pair
from finllm.records import METRICS, Example, Score
from finllm.stats.inference import infer_mean
from finllm.stats.multiplicity import holm
from finllm.stats.subgroups import compare_subgroups, hidden_regressions

SETTINGS = {"confidence": 0.95, "n_bootstrap": 999, "seed": 3}


def study(gains, n_companies=12, seed=0):
    """Differences of one example a company and level, with the mean gains given by level."""
    rng = np.random.default_rng(seed)
    levels = [level for _ in range(n_companies) for level in gains]
    companies = [f"c{i}" for i in range(n_companies) for _ in gains]
    return (
        np.array([gains[x] for x in levels]) + rng.normal(0, 0.05, len(levels)),
        companies,
        levels,
    )


def test_a_level_is_what_infer_mean_says_of_its_examples_alone():
    differences, companies, levels = study({"a": 0.1, "b": -0.1})
    found = compare_subgroups(differences, companies, {"template": levels}, **SETTINGS)["template"]
    rng = np.random.default_rng([3, 0])
    for level in ("a", "b"):
        at = [i for i, x in enumerate(levels) if x == level]
        alone = infer_mean(differences[at], [companies[i] for i in at], n_bootstrap=999, rng=rng)
        one = found[level]
        assert (one.estimate, one.low, one.high) == (alone.estimate, alone.low, alone.high)
        assert (one.n, one.n_clusters) == (12, 12)
        assert one.n_up == (differences[at] > 0).sum() and one.n_down == (differences[at] < 0).sum()


def test_p_values_are_corrected_over_every_grouping():
    differences, companies, levels = study({"a": 0.03, "b": 0.0})
    halves = ["x" if int(c[1:]) < 6 else "y" for c in companies]
    found = compare_subgroups(
        differences, companies, {"template": levels, "half": halves}, **SETTINGS
    )
    every = [one for levels in found.values() for one in levels.values()]
    assert len(every) == 4
    assert [one.p_adjusted for one in every] == pytest.approx(
        holm([one.p_value for one in every]).tolist()
    )


def test_a_regression_that_the_average_hides_is_found_and_a_general_one_is_not_called_hidden():
    differences, companies, levels = study({"a": 0.3, "b": 0.2, "c": -0.2})
    found = compare_subgroups(differences, companies, {"template": levels}, **SETTINGS)
    average = infer_mean(differences, companies, rng=np.random.default_rng(0))
    assert average.estimate > 0
    rows = {"template": {level: vars(one) for level, one in found["template"].items()}}
    hidden = hidden_regressions(rows, average_high=average.high)
    assert [(grouping, level) for grouping, level, _ in hidden] == [("template", "c")]
    assert hidden[0][2]["p_adjusted"] < 0.01
    assert hidden_regressions(rows, average_high=-0.01) == []


def test_few_companies_have_an_estimate_and_no_interval():
    found = compare_subgroups(
        [0.1, 0.3, -0.5, 0.0], ["a", "a", "b", "b"], {"g": ["x", "x", "x", "y"]}, **SETTINGS
    )["g"]
    assert found["x"].estimate == pytest.approx((0.2 - 0.5) / 2)  # the mean of company means
    assert (found["x"].n_up, found["x"].n_down, found["y"].n_up) == (2, 1, 0)
    assert np.isnan([found["x"].low, found["x"].p_value, found["x"].p_adjusted]).all()
    rows = {level: vars(one) for level, one in found.items()}
    assert hidden_regressions({"g": rows}, average_high=1.0) == []
    assert hidden_regressions({"g": {"x": {"estimate": -1.0}}}, average_high=1.0) == []


def test_swapping_the_models_mirrors_every_subgroup():
    differences, companies, levels = study({"a": 0.1, "b": -0.1})
    one = compare_subgroups(differences, companies, {"t": levels}, **SETTINGS)["t"]
    other = compare_subgroups(-differences, companies, {"t": levels}, **SETTINGS)["t"]
    for level in ("a", "b"):
        assert other[level].estimate == -one[level].estimate
        assert (other[level].n_up, other[level].n_down) == (one[level].n_down, one[level].n_up)


def test_no_examples_no_levels_and_a_grouping_of_another_length_is_named():
    assert compare_subgroups([], [], {"template": []}, **SETTINGS) == {"template": {}}
    with pytest.raises(ValueError, match="template has 1 levels for 2 differences"):
        compare_subgroups([0.1, 0.2], ["a", "b"], {"template": ["x"]}, **SETTINGS)
    with pytest.raises(ValueError, match="nan"):
        compare_subgroups([np.nan], ["a"], {"template": ["x"]}, **SETTINGS)


def example(key, company, *, template="summarization", sector="Energy", words=10):
    return Example(
        key, key, company, "2021Q3", sector, "s", template, "human", "?", "w " * words, "a", 0, 0
    )


def test_groupings_leave_out_what_all_share_and_split_lengths_into_thirds():
    rows = [example(f"e{i}", "a", sector="" if i else "Energy", words=i + 1) for i in range(9)]
    found = groupings(rows)
    assert list(found) == ["sector", "length"]
    assert found["sector"] == ["Energy"] + ["unknown"] * 8
    assert found["length"] == ["short"] * 3 + ["middle"] * 3 + ["long"] * 3
    assert groupings([]) == {}


def test_the_stages_rows_hold_every_group_and_no_nan():
    examples, scores = [], []
    for i in range(24):
        key, company = f"e{i}", f"c{i % 8}"
        template = "questions" if i % 2 else "completion"
        examples.append(example(key, company, template=template, words=i))
        for model, value in (("base", 0.5), ("tuned", 0.5 + (0.1 if i % 2 else -0.1) + i / 1000)):
            values = dict.fromkeys(METRICS, None if i == 0 else value)
            scores.append(Score(key, model, "test", company, "", "", template, "human", values))
    pairs = pair(scores, split="test")
    settings = {"metric": METRICS[0], "alpha": 0.05, "n_bootstrap": 199, "seed": 1}
    found = differences_by_group(pairs, examples, **settings)
    assert set(found) == {"template", "length"}
    assert found["template"]["completion"]["n"] == 11  # e0 has no score
    assert "low" not in found["template"]["questions"]  # four companies
    assert found["length"]["short"]["n_clusters"] == 8 and "low" in found["length"]["short"]
    with pytest.raises(ValueError, match="e0 was scored, and is not among the examples"):
        differences_by_group(pairs, examples[1:], **settings)
